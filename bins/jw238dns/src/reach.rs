//! Reaching a server that runs, by its API.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use dns_server::Config;
use dns_server::api::client::{Client, ClientError};

use crate::args::{ReachArgs, ServeArgs, SourceArgs};
use crate::{process, settings};

/// The variable that has the token, where there is no file to read it from.
const TOKEN: &str = "JW238DNS_TOKEN";

/// The configuration of the server: what it would be if it were started with these flags.
pub fn config(args: &ReachArgs) -> Result<Config, String> {
    let source = SourceArgs { config: args.config.clone(), ..SourceArgs::default() };
    let mut serve = ServeArgs { source, ..ServeArgs::default() };
    settings::choose_file(&mut serve.source);
    settings::load_to_serve(&serve).map(|loaded| loaded.config).map_err(|errors| errors.to_string())
}

/// A client of the server: where the flags say, else where the configuration says that it is.
pub fn client(args: &ReachArgs, config: &Config) -> Result<Client, String> {
    let url = match &args.url {
        Some(url) => url.clone(),
        None => url(config)?,
    };
    let token = token(args, config)?;
    let ca = args.ca.as_ref().or(config.api.tls.as_ref().map(|tls| &tls.certificate));
    let client = match ca.filter(|_| url.starts_with("https:")) {
        Some(ca) => {
            let pem = fs::read(ca).map_err(|error| format!("cannot read {}: {error}", ca.display()))?;
            Client::with_ca(&url, &token, &pem)
        }
        None => Client::new(&url, &token),
    };
    client.map_err(|error| tell(&error))
}

fn url(config: &Config) -> Result<String, String> {
    let Some(listener) = config.listen.http.first() else {
        return Err("the server is not managed over HTTP, as the configuration has no listen.http".to_owned());
    };
    let address = SocketAddr::new(process::reachable(listener.address.ip()), listener.address.port());
    let scheme = if config.api.tls.is_some() { "https" } else { "http" };
    Ok(format!("{scheme}://{address}"))
}

fn token(args: &ReachArgs, config: &Config) -> Result<String, String> {
    if let Some(file) = &args.token_file {
        return read(file);
    }
    if let Ok(token) = std::env::var(TOKEN) {
        return Ok(token);
    }
    let in_folder = || Some(config.store.data_dir.as_ref()?.join(dns_server::ADMIN_TOKEN));
    let file: Option<PathBuf> = config.api.admin_token_file.clone().or_else(in_folder);
    let file = file.ok_or_else(|| format!("there is no token: give --token-file, or set {TOKEN}"))?;
    read(&file)
}

fn read(file: &Path) -> Result<String, String> {
    let text = fs::read_to_string(file);
    let text = text.map_err(|error| format!("there is no token: cannot read {}: {error}", file.display()))?;
    Ok(text.trim().to_owned())
}

/// The error with its causes; what a server has found wrong is listed.
pub fn tell(error: &ClientError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
