//! `jw238dns explain`.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;

use dns_server::backend::{ExplainedVerdict, Explanation, Question, RuleEffect};
use dns_server::config::Listener;
use dns_server::{Explained, explain};

use crate::args::ExplainArgs;
use crate::{check, exit, settings};

/// Says what would be answered to a question, and why.
pub fn run(args: &ExplainArgs) -> ExitCode {
    let mut source = args.source.clone();
    settings::choose_file(&mut source);
    let config = match settings::load(&source) {
        Ok(loaded) => loaded.config,
        Err(errors) => return exit::usage(&errors),
    };
    let listeners = &config.listen.dns;
    let place = |wanted| listeners.iter().position(|listener| listener.address == wanted);
    let listener = match args.listener {
        None => 0,
        Some(wanted) => match place(wanted) {
            Some(place) => place,
            None => return exit::usage(&no_listener(wanted, listeners)),
        },
    };
    let question = Question { name: args.name.clone(), rtype: args.rtype, client: args.client, listener };
    match explain(&config, &question) {
        Ok(explained) => {
            let at = listeners.get(listener).map(|listener| format!(" at {}", listener.address));
            let mut text = text(&question, &at.unwrap_or_default(), &explained);
            if config.api.enabled && !config.listen.http.is_empty() {
                // Their journal is the running server's.
                text.push_str(
                    "note      what was changed over HTTP is not looked at here: GET /api/v1/resolve of the server knows it\n",
                );
            }
            check::print(&text, ExitCode::SUCCESS)
        }
        Err(errors) => exit::usage(&errors.join("\n")),
    }
}

fn no_listener(wanted: SocketAddr, known: &[Listener]) -> String {
    let known = known.iter().map(|listener| listener.address.to_string()).collect::<Vec<_>>();
    format!("--listener: the configuration has no listener {wanted}, only {}", known.join(", "))
}

fn text(question: &Question, at: &str, explained: &Explained) -> String {
    let Question { name, rtype, client, .. } = question;
    let Explained { explanation: Explanation { view, rules, zone, verdict }, source } = explained;
    let mut text = format!("question  {name} {rtype} from {client}{at}\nview      {view}\n");
    for RuleEffect { name, decides } in rules {
        // Writing to a string cannot fail, here and below.
        let _ = match decides {
            Some(action) => writeln!(text, "rule      {name} decides: {action}"),
            None => writeln!(text, "rule      {name} changes the answer"),
        };
    }
    if let Some(zone) = zone {
        let of_view = if zone.view == *view { String::new() } else { format!(", of view {}", zone.view) };
        let derived = if zone.derived { ", derived from the names of records" } else { "" };
        let _ = writeln!(text, "zone      {}{of_view}{derived}", zone.apex);
    }
    let from = source.as_ref().map_or_else(String::new, |source| format!(", from {source}"));
    let verdict = match verdict {
        ExplainedVerdict::ListenerRefuses => "REFUSED: the client may not ask at this listener".to_owned(),
        ExplainedVerdict::ZoneRefuses => "REFUSED: the client may not ask for names of the zone".to_owned(),
        ExplainedVerdict::Rule => "what the rule says".to_owned(),
        ExplainedVerdict::NameTooLong => "YXDOMAIN: the rule makes a name that is too long".to_owned(),
        ExplainedVerdict::TypeRefused(rcode) => {
            format!("{}: questions of type {rtype} are not answered", rcode.label().to_uppercase())
        }
        ExplainedVerdict::NoZone => "REFUSED: no zone has the name".to_owned(),
        ExplainedVerdict::ZoneFailed(why) => format!("SERVFAIL: the zone was not loaded: {why}"),
        ExplainedVerdict::Records { owner, source: Some(_) } => {
            format!("the {rtype} records of {owner}{from}")
        }
        ExplainedVerdict::Records { owner, source: None } => format!("all records of {owner}"),
        ExplainedVerdict::Alias { owner, .. } => format!("the alias at {owner}{from}, and what it leads to"),
        ExplainedVerdict::Referral { cut } => format!("a referral to the servers of {cut}"),
        ExplainedVerdict::NoData => format!("NOERROR without records: the name has none of type {rtype}"),
        ExplainedVerdict::NxDomain => "NXDOMAIN: the zone does not have the name".to_owned(),
    };
    let _ = writeln!(text, "answer    {verdict}");
    text
}
