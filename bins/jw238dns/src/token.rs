//! `jw238dns token`.

use std::fmt::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use dns_server::api::ApiLimits;
use dns_server::api::auth::{Authenticator, Grant, GrantSpec};
use dns_server::api::client::{Client, ClientError};
use dns_server::api::model::{TokenInfo, TokenSpec};
use dns_server::journal::{Folder, FolderError};
use dns_server::{Config, FolderTokens};
use tokio::runtime;

use crate::args::{CreateTokenArgs, ReachArgs, TokenCommand};
use crate::{check, exit, reach};

/// Makes, lists or revokes tokens of a server that runs; one can be made while it does not, too.
pub fn run(command: &TokenCommand) -> ExitCode {
    let args = match command {
        TokenCommand::Create(CreateTokenArgs { reach, .. })
        | TokenCommand::List(reach)
        | TokenCommand::Revoke { reach, .. } => reach,
    };
    let config = match reach::config(args) {
        Ok(config) => config,
        Err(error) => return exit::usage(&error),
    };
    if let TokenCommand::Create(args) = command {
        match folder(&args.reach, &config) {
            Ok(Some(folder)) => return create_in(folder, args),
            Ok(None) => {}
            Err(error) => return exit::failure(&reach::tell_folder(&error)),
        }
    }
    let server = match reach::Server::find(args, &config) {
        Ok(server) => server,
        Err(error) => return exit::usage(&error),
    };
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::failure(&error),
    };
    match runtime.block_on(done(command, &server.client)) {
        Ok(text) => check::print(&text, ExitCode::SUCCESS),
        Err(error) => exit::failure(&server.tell(&error)),
    }
}

/// The data folder, if there is one that no server has in use.
fn folder(args: &ReachArgs, config: &Config) -> Result<Option<Folder>, FolderError> {
    let path = config.store.data_dir.as_deref().filter(|_| args.url.is_none());
    let Some(path) = path.filter(|path| !Folder::is_missing(path)) else { return Ok(None) };
    match Folder::open(path) {
        Ok(folder) => Ok(Some(folder)),
        Err(FolderError::Locked { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes a token without a server, which needs none: this is the way back in for those who have lost theirs.
fn create_in(folder: Folder, args: &CreateTokenArgs) -> ExitCode {
    let TokenSpec { name, grants, expires } = spec(args);
    let grants = grants.into_iter().map(Grant::try_from).collect::<Result<Vec<_>, _>>();
    let grants = match grants {
        Ok(grants) => grants,
        Err(error) => return exit::failure(&error),
    };
    let tokens = Arc::new(FolderTokens::new(Arc::new(folder)));
    let made = Authenticator::open(tokens, ApiLimits::default()).and_then(|authenticator| {
        authenticator.create(&name, grants, expires.map(dns_server::api::model::Timestamp::to_system_time))
    });
    match made {
        Ok((token, secret)) => {
            check::print(&self::made(&token.id().to_string(), secret.reveal()), ExitCode::SUCCESS)
        }
        Err(error) => exit::failure(&error),
    }
}

/// Shows a secret, apart from what is said about it.
fn made(id: &str, secret: &str) -> String {
    eprintln!("token {id} was made; this is the only time that it is shown:");
    format!("{secret}\n")
}

async fn done(command: &TokenCommand, client: &Client) -> Result<String, ClientError> {
    Ok(match command {
        TokenCommand::Create(args) => {
            let made = client.create_token(&spec(args)).await?;
            self::made(&made.token.id, &made.secret)
        }
        TokenCommand::List(_) => list(&client.tokens().await?.tokens),
        TokenCommand::Revoke { id, .. } => {
            client.revoke_token(id).await?;
            eprintln!("token {id} is revoked");
            String::new()
        }
    })
}

fn spec(args: &CreateTokenArgs) -> TokenSpec {
    let grant = GrantSpec {
        access: args.access.0,
        zones: args.zones.clone(),
        names: args.names.clone(),
        types: args.types.clone(),
    };
    let expires = args.expires.map(|after| (SystemTime::now() + after).into());
    TokenSpec { name: args.name.clone(), grants: vec![grant], expires }
}

/// A line per token, and one per grant where it has several.
fn list(tokens: &[TokenInfo]) -> String {
    let mut text = String::new();
    for TokenInfo { id, name, grants, expires, last_used, .. } in tokens {
        // Writing to a string cannot fail, here and below.
        let _ = write!(text, "{id}  {name}");
        for GrantSpec { access, zones, names, types } in grants {
            let _ = write!(text, "  {}", access.label());
            for (what, limits) in [("zones", zones), ("names", names), ("types", types)] {
                if !limits.is_empty() {
                    let _ = write!(text, " {what} {}", limits.join(","));
                }
            }
        }
        if let Some(expires) = expires {
            let _ = write!(text, "  expires {expires}");
        }
        match last_used {
            Some(used) => drop(writeln!(text, "  last used {used}")),
            None => text.push('\n'),
        }
    }
    text
}
