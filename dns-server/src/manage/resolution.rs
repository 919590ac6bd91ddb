//! An explanation in the words of the API.

use dns_api::model::{RecordSpec, Resolution};
use dns_backend::{ExplainedVerdict, Question};
use dns_core::{Name, Record, RecordType, ResponseCode};
use dns_store::Store;

use crate::explain::Explained;

pub(super) fn of(explained: &Explained, store: &Store, question: &Question) -> Resolution {
    let explanation = &explained.explanation;
    let (outcome, rcode, owner) = match &explanation.verdict {
        ExplainedVerdict::ListenerRefuses | ExplainedVerdict::ZoneRefuses | ExplainedVerdict::NoZone => {
            ("refused", ResponseCode::REFUSED, None)
        }
        ExplainedVerdict::Rule => ("rule", ResponseCode::NOERROR, None),
        ExplainedVerdict::NameTooLong => ("too-long", ResponseCode::YXDOMAIN, None),
        ExplainedVerdict::TypeRefused(rcode) => ("type-refused", *rcode, None),
        ExplainedVerdict::ZoneFailed(_) => ("zone-failed", ResponseCode::SERVFAIL, None),
        ExplainedVerdict::Records { owner, .. } => ("answer", ResponseCode::NOERROR, Some(owner)),
        ExplainedVerdict::Alias { owner, .. } => ("alias", ResponseCode::NOERROR, Some(owner)),
        ExplainedVerdict::Referral { .. } => ("referral", ResponseCode::NOERROR, None),
        ExplainedVerdict::NoData => ("nodata", ResponseCode::NOERROR, None),
        ExplainedVerdict::NxDomain => ("nxdomain", ResponseCode::NXDOMAIN, None),
    };
    let rules = explanation.rules.iter().map(|rule| match rule.decides {
        Some(action) => format!("{} decides: {action}", rule.name),
        None => format!("{} changes the answer", rule.name),
    });
    let zone = explanation.zone.as_ref();
    let view = zone.and_then(|zone| store.view(&zone.view));
    let records = match (&explanation.verdict, view, owner) {
        (ExplainedVerdict::Alias { .. }, Some(view), Some(owner)) => {
            records(&view, owner, question, &[RecordType::CNAME, RecordType::DNAME])
        }
        (_, Some(view), Some(owner)) => records(&view, owner, question, &[question.rtype]),
        _ => Vec::new(),
    };
    Resolution {
        view: explanation.view.clone(),
        zone: zone.map(|zone| zone.apex.to_string()),
        rules: rules.collect(),
        outcome: outcome.to_owned(),
        rcode: rcode.label().to_uppercase(),
        source: explained.source.as_ref().map(ToString::to_string),
        wildcard: owner.filter(|owner| owner.is_wildcard() && **owner != question.name).map(Name::to_string),
        records,
    }
}

/// What stands at a name, as it would be answered: under the name that was asked for where a wildcard stands for it.
fn records(view: &Store, owner: &Name, question: &Question, types: &[RecordType]) -> Vec<RecordSpec> {
    let found = view.found_at(owner).into_iter().filter(|found| !found.shadowed);
    let is_wanted = |rtype| question.rtype == RecordType::ANY || types.contains(&rtype);
    let wanted = found.filter(|found| is_wanted(found.rrset.rtype()));
    wanted
        .map(|found| {
            let Record { name, rtype, ttl, value } = Record::from_rrset(&found.rrset);
            let name = if owner.is_wildcard() { question.name.to_string() } else { name };
            RecordSpec { name, rtype, ttl, value: value.into() }
        })
        .collect()
}
