//! Reaching a server that runs, by its API.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use dns_server::Config;
use dns_server::api::client::{Client, ClientError};
use dns_server::api::with_causes;

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
    // The server's own token is for this machine alone.
    let is_far = args.url.as_deref().is_some_and(|url| !is_loopback(url));
    let token = token(args, config, is_far)?;
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

/// Whether a URL leads to this machine for certain.
fn is_loopback(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if let Ok(address) = authority.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => host,
        _ => authority,
    };
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn token(args: &ReachArgs, config: &Config, is_far: bool) -> Result<String, String> {
    if let Some(file) = &args.token_file {
        return read(file);
    }
    if let Ok(token) = std::env::var(TOKEN) {
        return Ok(token);
    }
    if is_far {
        return Err(format!(
            "there is no token: the server's own is not sent to other machines, so give --token-file, or set {TOKEN}"
        ));
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
    with_causes(error).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_its_addresses_and_one_name() {
        for (url, expected) in [
            ("http://127.0.0.1:5380", true),
            ("http://127.0.0.1", true),
            ("https://localhost:5380/", true),
            ("https://LOCALHOST", true),
            ("http://[::1]:5380/base", true),
            ("http://[::1]", true),
            ("https://dns.example.net", false),
            ("https://192.0.2.1:5380", false),
            ("https://[2001:db8::1]", false),
            ("https://localhost.example.net", false),
            ("https://localhost@dns.example.net", false),
            ("https://localhost:1@dns.example.net", false),
            ("https://dns.example.net/localhost", false),
            ("", false),
        ] {
            assert_eq!(is_loopback(url), expected, "{url}");
        }
    }
}
