//! `access`, `rate_limit`, `cookies`, `identity` and `query_log`.

use std::net::SocketAddr;
use std::num::NonZeroU32;

use dns_backend::guard::{Identity, RateLimitSpec};

use super::super::fault::Place;
use super::super::keys::{AccessSpec, CookiesSpec, IdentitySpec, QueryLogSpec, RateLimitSpecification};
use super::super::reader::{Located, Reader};
use super::super::sources::list_lines;
use super::super::value::{FilePath, Secret};
use super::{Context, distinct, number, value};
use crate::config::{Access, Cookies, QueryLog, QueryLogFormat, QueryLogTarget};

pub(super) fn access(
    specs: Option<Located<Vec<Located<AccessSpec>>>>,
    listeners: &[SocketAddr],
    context: &mut Context<'_, '_>,
) -> Vec<Access> {
    let specs = value(specs).unwrap_or_default();
    let named = specs.iter().filter_map(|access| access.value.listener.as_ref());
    distinct(named.map(|listener| (listener.value, listener)), context.reader);
    let mut common: Option<Place> = None;
    let mut access = Vec::new();
    for spec in specs {
        let AccessSpec { listener, allow, deny } = &spec.value;
        match (listener, &common) {
            (Some(listener), _) => check_listener(listener, listeners, context.reader),
            (None, Some(first)) => {
                let problem = format!("names no 'listener', and so does the entry at {first}");
                context.reader.object(&spec, problem);
            }
            (None, None) => common = Some(spec.place.clone()),
        }
        access.push(Access {
            listener: listener.as_ref().map(|listener| listener.value),
            allow: context.networks.some(allow.as_ref(), context.reader),
            deny: context.networks.all(deny.as_ref(), context.reader),
        });
    }
    access
}

/// Reports a listener that there is not: what is meant to keep somebody out would never count.
pub(super) fn check_listener(listener: &Located<SocketAddr>, listeners: &[SocketAddr], reader: &mut Reader) {
    if listeners.contains(&listener.value)
        || ["listen", "dns_port"].iter().any(|key| reader.has_faults_below(key))
    {
        return;
    }
    let there: Vec<String> = listeners.iter().take(4).map(ToString::to_string).collect();
    let more = if listeners.len() > there.len() { ", ..." } else { "" };
    let problem =
        format!("nothing listens on {}, 'listen.dns' has {}{more}", listener.value, there.join(", "));
    reader.object(listener, problem);
}

pub(super) fn rate_limit(
    spec: Option<Located<RateLimitSpecification>>,
    context: &mut Context<'_, '_>,
) -> Option<RateLimitSpec> {
    let spec = value(spec).unwrap_or_default();
    let defaults = RateLimitSpec::default();
    let limit = RateLimitSpec {
        answers: number(spec.answers.as_ref(), defaults.answers),
        nxdomains: number(spec.nxdomains.as_ref(), defaults.nxdomains),
        referrals: number(spec.referrals.as_ref(), defaults.referrals),
        errors: number(spec.errors.as_ref(), defaults.errors),
        burst: number(spec.burst.as_ref(), defaults.burst),
        slip: number(spec.slip.as_ref(), defaults.slip),
        ipv4_prefix: number(spec.ipv4_prefix.as_ref(), defaults.ipv4_prefix),
        ipv6_prefix: number(spec.ipv6_prefix.as_ref(), defaults.ipv6_prefix),
        table_size: number(spec.table_size.as_ref(), defaults.table_size),
        exempt: match &spec.exempt {
            Some(list) => context.networks.all(Some(list), context.reader),
            None => defaults.exempt,
        },
    };
    value(spec.enabled).unwrap_or(true).then_some(limit)
}

pub(super) fn cookies(spec: Option<Located<CookiesSpec>>, context: &mut Context<'_, '_>) -> Cookies {
    let CookiesSpec { enabled, secrets, secrets_file } = value(spec).unwrap_or_default();
    if let (Some(secrets), Some(file)) = (&secrets, &secrets_file) {
        let problem = format!("secrets are already given at {}, give one of the two", secrets.place);
        context.reader.object(file, problem);
    }
    let mut all = Vec::new();
    if let Some(list) = secrets {
        if list.value.0.is_empty() && !context.reader.has_faults_below(&list.key) {
            context.reader.object(&list, "the list is empty; leave the key out to have a secret drawn");
        }
        all = list.value.0;
    } else if let Some(file) = secrets_file {
        all = secrets_from(&file, context);
    }
    distinct(all.iter().map(|secret| (secret.value.0, secret)), context.reader);
    if let Some(secret) = all.get(Cookies::SECRETS_MAX) {
        context.reader.object(secret, format!("at most {} secrets are accepted", Cookies::SECRETS_MAX));
    }
    Cookies {
        enabled: value(enabled).unwrap_or(true),
        secrets: all.into_iter().map(|secret| secret.value.0).collect(),
    }
}

fn secrets_from(file: &Located<FilePath>, context: &mut Context<'_, '_>) -> Vec<Located<Secret>> {
    let Some((source, text)) = context.list_file(file) else { return Vec::new() };
    let mut secrets = Vec::new();
    // One more than are accepted, so that too many are noticed.
    for (line, word) in list_lines(&text).take(Cookies::SECRETS_MAX + 1) {
        let place = Place { source: source.clone(), line, column: 1 };
        match Secret::from_text(word) {
            Ok(value) => secrets.push(Located { place, key: file.key.clone(), value }),
            Err(problem) => context.reader.fault_at(&place, &file.key, problem),
        }
    }
    if secrets.is_empty() && !context.reader.has_faults_below(&file.key) {
        context.reader.object(file, format!("{source} holds no secrets"));
    }
    secrets
}

pub(super) fn identity(spec: Option<Located<IdentitySpec>>) -> Identity {
    let IdentitySpec { nsid, version, hostname, id } = value(spec).unwrap_or_default();
    Identity {
        nsid: nsid.map(|nsid| nsid.value.0),
        version: version.map(|text| text.value.0),
        hostname: hostname.map(|text| text.value.0),
        id: id.map(|text| text.value.0),
    }
}

/// Checked whether it is on or not, so that switching it on is no surprise.
pub(super) fn query_log(
    spec: Option<Located<QueryLogSpec>>,
    context: &mut Context<'_, '_>,
) -> Option<QueryLog> {
    let spec = spec?;
    let QueryLogSpec { enabled, sample, format, file, socket } = spec.value;
    let dnstap = format.as_ref().filter(|format| format.value == QueryLogFormat::Dnstap);
    let target = if let Some(format) = dnstap {
        if let Some(file) = &file {
            context.reader.object(file, "dnstap goes to a 'socket', not to a file");
        }
        if socket.is_none() && !context.reader.has_faults_below(&format!("{}.socket", spec.key)) {
            context.reader.object(format, "dnstap needs 'socket', on which the collector reads");
        }
        let socket = socket?;
        QueryLogTarget::Socket(context.path(&socket.place, &socket.value.0))
    } else {
        if let Some(socket) = &socket {
            context.reader.object(socket, "only the format 'dnstap' goes to a socket");
        }
        file.map_or(QueryLogTarget::Stdout, |file| {
            QueryLogTarget::File(context.path(&file.place, &file.value.0))
        })
    };
    let sample = number(sample.as_ref(), 1);
    let log = QueryLog {
        sample: NonZeroU32::new(sample).unwrap_or(NonZeroU32::MIN),
        format: value(format).unwrap_or_default(),
        target,
    };
    value(enabled).unwrap_or(false).then_some(log)
}
