//! Reaching a server that runs, by its API.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use dns_server::Config;
use dns_server::api::client::{Client, ClientError};
use dns_server::api::model::{Problem, ProblemKind};
use dns_server::api::with_causes;
use dns_server::journal::FolderError;

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

/// A server, seen by one token.
pub struct Server {
    pub client: Client,
    token: Token,
}

/// A token, and where it was found.
struct Token {
    text: String,
    place: String,
}

impl Server {
    /// Where the flags say, else where the configuration says that it is.
    pub fn find(args: &ReachArgs, config: &Config) -> Result<Self, String> {
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
                Client::with_ca(&url, &token.text, &pem)
            }
            None if url.starts_with("https:") => {
                return Err(format!(
                    "there is nothing to know {url} by: give its certificate, a PEM file, by --ca"
                ));
            }
            None => Client::new(&url, &token.text),
        };
        match client {
            Ok(client) => Ok(Self { client, token }),
            Err(ClientError::Token) => Err(format!("{} has something else than a token", token.place)),
            Err(error) => Err(with_causes(&error).to_string()),
        }
    }

    /// What has gone wrong, and what to do where that is known.
    pub fn tell(&self, error: &ClientError) -> String {
        let told = with_causes(error).to_string();
        match error.status().map(|status| status.as_u16()) {
            Some(401) => format!(
                "{told}: it is the one from {}; give another one by --token-file or {TOKEN}, or stop the server and make one \
                 ('jw238dns token create NAME --access admin')",
                self.token.place
            ),
            Some(403) if error.problem().is_some_and(is_about_token) => {
                format!("{told} (asked with the token from {})", self.token.place)
            }
            _ if told.contains(CA_AS_SERVER) => format!("{told}: {CA_REMEDY}"),
            _ if is_refused(error) => format!("{told}; start the server, or say by --url where it is"),
            _ => told,
        }
    }
}

/// Nobody listens there.
fn is_refused(error: &ClientError) -> bool {
    matches!(error, ClientError::Connect { error, .. } if error.kind() == ErrorKind::ConnectionRefused)
}

/// Why the data folder of a server could not be opened, and what to do where that is known.
pub fn tell_folder(error: &FolderError) -> String {
    match error {
        FolderError::Io { path, source } | FolderError::NotWritable { path, source }
            if source.kind() == ErrorKind::PermissionDenied =>
        {
            // Not the advice for a server's start: the folder is right as it is.
            format!("{}: {source}; run this as the user of the server", path.display())
        }
        error => error.to_string(),
    }
}

fn is_about_token(problem: &Problem) -> bool {
    problem.known_kind() == Some(ProblemKind::Forbidden)
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

fn token(args: &ReachArgs, config: &Config, is_far: bool) -> Result<Token, String> {
    if let Some(file) = &args.token_file {
        return read(file)
            .map_err(|error| format!("there is no token: cannot read {}: {error}", file.display()));
    }
    if let Some(token) = std::env::var(TOKEN).ok().filter(|token| !token.is_empty()) {
        return Ok(Token { text: token.trim().to_owned(), place: TOKEN.to_owned() });
    }
    if is_far {
        return Err(format!(
            "there is no token: the server's own is not sent to other machines, so give --token-file, or set {TOKEN}"
        ));
    }
    let in_folder = || Some(config.store.data_dir.as_ref()?.join(dns_server::ADMIN_TOKEN));
    let file: Option<PathBuf> = config.api.admin_token_file.clone().or_else(in_folder);
    let file = file.ok_or_else(|| format!("there is no token: give --token-file, or set {TOKEN}"))?;
    read(&file).map_err(|error| {
        let remedy = match error.kind() {
            ErrorKind::NotFound => "the server writes it at its first start",
            ErrorKind::PermissionDenied => "run this as the user of the server",
            _ => "it should be a file",
        };
        format!(
            "there is no token: cannot read {}: {error}; {remedy}, or give --token-file, or set {TOKEN}",
            file.display()
        )
    })
}

fn read(file: &Path) -> io::Result<Token> {
    let text = fs::read_to_string(file)?.trim().to_owned();
    Ok(Token { text, place: file.display().to_string() })
}

/// What the library for TLS calls a server whose certificate says that it is for signing others, as that of a plain
/// `openssl req -x509` does, and was not given.
const CA_AS_SERVER: &str = "CaUsedAsEndEntity";
const CA_REMEDY: &str = "the server's certificate is one for signing others (CA:TRUE), which is believed only if it is given \
                         itself by --ca";

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
