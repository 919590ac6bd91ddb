//! Commands and flags.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum, builder::PossibleValue};
use clap_complete::Shell;
use dns_server::api::auth::Access;
use dns_server::config::{LogFormat, LogLevel};
use dns_server::dns_core::{Name, RecordType};

/// A DNS server for people who run platforms.
///
/// Without a command it serves. Without a configuration file it serves a sample zone, example.test., on port 5300 of the loopback
/// addresses, and can be managed over HTTP on port 5380.
#[derive(Debug, Parser)]
#[command(name = "jw238dns", version, args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

impl Args {
    /// The command; serving is the one that may be left out.
    pub fn into_command(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer queries until told to stop.
    Serve(ServeArgs),
    /// List everything that is wrong with the configuration and its zones.
    Check(SourceArgs),
    /// Say what would be answered to a question by configuration and files, and why: view, rules, zone, source.
    Explain(ExplainArgs),
    /// Write a zone file to the standard output, tidied up.
    Format {
        /// The zone file.
        file: PathBuf,
        /// Origin of relative names where the file has no $ORIGIN.
        #[arg(long, value_name = "NAME", value_parser = zone_name)]
        origin: Option<Name>,
    },
    /// Copy all that was changed over HTTP to a file, while the server runs or not.
    Backup {
        /// The file; it must not be there yet.
        file: PathBuf,
        #[command(flatten)]
        reach: ReachArgs,
    },
    /// Put such a copy into the data folder, while the server does not run.
    Restore(RestoreArgs),
    /// Make, list or revoke tokens for the API of a server that runs; make one while it does not.
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Write completions for a shell to the standard output.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// How to reach a server.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct ReachArgs {
    /// Configuration file of the server [default: /etc/jw238dns/config.yaml if it is there, else the built-in sample].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where its API is, in place of what the configuration says.
    #[arg(long, value_name = "URL", value_parser = url)]
    pub url: Option<String>,
    /// File with an admin token [default: $JW238DNS_TOKEN, else the server's own file, unless --url names another machine].
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// PEM file with the certificates to trust [default: the server's own].
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

/// What to restore, and where.
#[derive(clap::Args, Clone, Debug)]
pub struct RestoreArgs {
    /// The copy.
    pub file: PathBuf,
    /// Configuration file of the server [default: /etc/jw238dns/config.yaml if it is there, else the built-in sample].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Put it in the place of what is there, which is kept beside it.
    #[arg(long)]
    pub replace: bool,
}

#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token, and write it to the standard output.
    Create(CreateTokenArgs),
    /// List all tokens, without their secrets.
    List(ReachArgs),
    /// Refuse a token from now on.
    Revoke {
        /// Its public part, as `list` shows it.
        id: String,
        #[command(flatten)]
        reach: ReachArgs,
    },
}

/// A token to be made.
#[derive(clap::Args, Clone, Debug)]
pub struct CreateTokenArgs {
    /// What to call it; the history of changes names it.
    pub name: String,
    /// What it allows; each level includes those before it.
    #[arg(long, value_name = "LEVEL", default_value = "read")]
    pub access: AccessArg,
    /// Only for names at or below this one; may be repeated.
    #[arg(long = "zone", value_name = "NAME")]
    pub zones: Vec<String>,
    /// Only for names that fit this pattern, such as '_acme-challenge.*'; may be repeated.
    #[arg(long = "names", value_name = "PATTERN")]
    pub names: Vec<String>,
    /// Only for records of this type; may be repeated.
    #[arg(long = "type", value_name = "TYPE")]
    pub types: Vec<String>,
    /// Refuse it after this time, such as 30d.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub expires: Option<Duration>,
    #[command(flatten)]
    pub reach: ReachArgs,
}

fn url(text: &str) -> Result<String, String> {
    // Schemes are the same in capitals (RFC 3986, section 3.1).
    if let Some((scheme, rest)) = text.split_once("://")
        && let scheme @ ("http" | "https") = scheme.to_ascii_lowercase().as_str()
    {
        return Ok(format!("{scheme}://{rest}"));
    }
    Err("it must begin with http:// or https://, as in http://127.0.0.1:5380".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    dns_server::duration(text).ok_or_else(|| "expected a duration such as 30d or 12h".to_owned())
}

/// [`Access`] as a flag.
#[derive(Clone, Copy, Debug)]
pub struct AccessArg(pub Access);

impl ValueEnum for AccessArg {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self(Access::Read), Self(Access::Write), Self(Access::Admin)]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.label()))
    }
}

/// What to serve.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct SourceArgs {
    /// Configuration file [default: /etc/jw238dns/config.yaml if it is there, else a built-in sample].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Serve a zone from a zone file, in addition to those of the configuration file.
    #[arg(long = "zone", value_name = "NAME=FILE", value_parser = zone_file)]
    pub zones: Vec<ZoneFile>,
}

/// What to explain.
#[derive(clap::Args, Clone, Debug)]
pub struct ExplainArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// The name that is asked for.
    #[arg(value_parser = zone_name)]
    pub name: Name,
    /// The type that is asked for.
    #[arg(value_name = "TYPE", default_value = "A", value_parser = record_type)]
    pub rtype: RecordType,
    /// The address that asks.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub client: IpAddr,
    /// The listener that is asked, as the configuration names it [default: the first one].
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    pub listener: Option<SocketAddr>,
}

/// How to serve.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct ServeArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// Address to listen on for DNS, in place of those of the configuration file; may be repeated.
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    pub listen: Vec<SocketAddr>,
    /// Address to listen on for HTTP: the API, metrics and probes; in place of those of the configuration file; may be repeated.
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    pub http: Vec<SocketAddr>,
    /// Refuse to start when a zone fails to load.
    #[arg(long)]
    pub strict: bool,
    /// The least important messages that are still logged.
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<LogLevelArg>,
    /// Form of the log.
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<LogFormatArg>,
}

/// `NAME=FILE`.
#[derive(Clone, Debug)]
pub struct ZoneFile {
    pub name: Name,
    pub file: PathBuf,
}

fn zone_file(text: &str) -> Result<ZoneFile, String> {
    match text.split_once('=') {
        Some((_, "")) => Err("no file follows the '='".to_owned()),
        Some((name, file)) => Ok(ZoneFile { name: zone_name(name)?, file: file.into() }),
        None => Err("expected NAME=FILE, such as example.com=example.com.zone".to_owned()),
    }
}

fn record_type(text: &str) -> Result<RecordType, String> {
    text.to_ascii_uppercase()
        .parse()
        .map_err(|_| "not a type of records, such as A, MX or TYPE65280".to_owned())
}

/// A name that needs no dot at its end, since nothing could come behind it.
fn zone_name(text: &str) -> Result<Name, String> {
    Name::from_text(text.as_bytes(), Some(&Name::root())).map_err(|error| format!("not a name: {error}"))
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "not an IP address with a port, such as 127.0.0.1:5300 or [::1]:5300".to_owned())
}

/// [`LogLevel`] as a flag.
#[derive(Clone, Copy, Debug)]
pub struct LogLevelArg(pub LogLevel);

impl ValueEnum for LogLevelArg {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            Self(LogLevel::Off),
            Self(LogLevel::Error),
            Self(LogLevel::Warn),
            Self(LogLevel::Info),
            Self(LogLevel::Debug),
            Self(LogLevel::Trace),
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.label()))
    }
}

/// [`LogFormat`] as a flag.
#[derive(Clone, Copy, Debug)]
pub struct LogFormatArg(pub LogFormat);

impl ValueEnum for LogFormatArg {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self(LogFormat::Text), Self(LogFormat::Json)]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self.0 {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        }))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn command(words: &[&str]) -> Result<Command, clap::Error> {
        Args::try_parse_from([&["jw238dns"], words].concat()).map(Args::into_command)
    }

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn serving_needs_no_word() {
        for words in
            [&["--listen", "127.0.0.1:0", "--strict"][..], &["serve", "--listen", "127.0.0.1:0", "--strict"]]
        {
            let Ok(Command::Serve(serve)) = command(words) else {
                panic!("{words:?}");
            };
            assert_eq!(serve.listen, ["127.0.0.1:0".parse().unwrap()]);
            assert!(serve.strict);
        }
    }

    #[test]
    fn zones_are_a_name_and_a_file() {
        let Ok(Command::Check(source)) =
            command(&["check", "--zone", "example.com=a=b.zone", "--zone", ".=root.zone"])
        else {
            panic!("check");
        };
        assert_eq!(source.zones[0].name.to_string(), "example.com.");
        assert_eq!(source.zones[0].file, PathBuf::from("a=b.zone"));
        assert!(source.zones[1].name.is_root());
        for wrong in ["example.com", "example.com=", "=a.zone", "a..b=a.zone"] {
            let error = command(&["check", "--zone", wrong]).unwrap_err();
            assert!(error.to_string().contains("invalid value"), "{error}");
        }
    }
}
