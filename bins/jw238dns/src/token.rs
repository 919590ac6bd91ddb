//! `jw238dns token`.

use std::fmt::Write;
use std::process::ExitCode;
use std::time::SystemTime;

use dns_server::api::auth::GrantSpec;
use dns_server::api::client::{Client, ClientError};
use dns_server::api::model::{TokenInfo, TokenSpec};
use tokio::runtime;

use crate::args::{CreateTokenArgs, ReachArgs, TokenCommand};
use crate::{check, exit, reach};

/// Makes, lists or revokes tokens of a server that runs.
pub fn run(command: &TokenCommand) -> ExitCode {
    let args = match command {
        TokenCommand::Create(CreateTokenArgs { reach, .. })
        | TokenCommand::List(reach)
        | TokenCommand::Revoke { reach, .. } => reach,
    };
    let client = match client(args) {
        Ok(client) => client,
        Err(error) => return exit::usage(&error),
    };
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::failure(&error),
    };
    match runtime.block_on(done(command, &client)) {
        Ok(text) => check::print(&text, ExitCode::SUCCESS),
        Err(error) => exit::failure(&reach::tell(&error)),
    }
}

fn client(args: &ReachArgs) -> Result<Client, String> {
    reach::client(args, &reach::config(args)?)
}

async fn done(command: &TokenCommand, client: &Client) -> Result<String, ClientError> {
    Ok(match command {
        TokenCommand::Create(args) => {
            let made = client.create_token(&spec(args)).await?;
            eprintln!("token {} was made; this is the only time that it is shown:", made.token.id);
            format!("{}\n", made.secret)
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
