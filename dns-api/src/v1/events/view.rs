//! What a caller may know of an event.

use std::sync::Arc;
use std::time::SystemTime;

use dns_core::{RecordType, Rrset};
use dns_store::Changed;

use super::feed::{Happening, Item};
use crate::auth::Caller;
use crate::convert::spec;
use crate::model::{Event, EventKind, Updated};

/// An event as it is told.
pub(super) struct Told {
    pub kind: EventKind,
    /// JSON.
    pub data: Arc<str>,
}

/// What the caller may know; `None` if that is nothing.
pub(super) fn tell(item: &Item, caller: &Caller) -> Option<Told> {
    let kind = match &item.happening {
        Happening::Changed(_) => EventKind::Changed,
        Happening::Reloaded { zone, .. } => {
            if !caller.may_read_zone(zone) {
                return None;
            }
            EventKind::Reloaded
        }
        Happening::Views => EventKind::Views,
        Happening::Reset => EventKind::Reset,
    };
    // Most callers see all of what they see, so it is written once for all of them.
    if let Happening::Changed(changed) = &item.happening
        && !caller.may_read_all()
        && !may_read_whole(changed, caller)
    {
        let event = changed_event(item, changed, Some(caller));
        let is_empty = event.added.is_empty()
            && event.updated.is_empty()
            && event.deleted.is_empty()
            && event.zones.is_empty();
        return if is_empty { None } else { Some(Told { kind, data: json(&event) }) };
    }
    let data = item.whole.get_or_init(|| json(&whole(item))).clone();
    Some(Told { kind, data })
}

/// That something was missed, up to this version.
pub(super) fn reset(version: u64) -> Told {
    Told { kind: EventKind::Reset, data: json(&event(version, SystemTime::now())) }
}

fn may_read_whole(changed: &Changed, caller: &Caller) -> bool {
    let Changed { added, updated, deleted, zones, .. } = changed;
    let updated = updated.iter().flat_map(|(before, after)| [before, after]);
    added.iter().chain(updated).chain(deleted).all(|rrset| may_read(rrset, caller))
        && zones.iter().all(|apex| caller.may_read(apex, RecordType::SOA))
}

fn may_read(rrset: &Rrset, caller: &Caller) -> bool {
    caller.may_read(rrset.owner(), rrset.rtype())
}

fn whole(item: &Item) -> Event {
    match &item.happening {
        Happening::Changed(changed) => changed_event(item, changed, None),
        Happening::Reloaded { view, source, zone } => Event {
            view: Some(view.to_string()),
            source: Some(source.to_string()),
            zones: vec![zone.to_string()],
            ..event(item.place.version, item.time)
        },
        Happening::Views | Happening::Reset => event(item.place.version, item.time),
    }
}

/// What is served otherwise; of it only what `caller` may read, if one is given.
fn changed_event(item: &Item, changed: &Changed, caller: Option<&Caller>) -> Event {
    let visible = |rrset: &Rrset| caller.is_none_or(|caller| may_read(rrset, caller));
    let list = |rrsets: &[Rrset]| rrsets.iter().filter(|rrset| visible(rrset)).map(spec).collect();
    // Both have the same name and type.
    let updated = changed.updated.iter().filter(|(before, _)| visible(before));
    // That a zone has another serial is what its SOA tells.
    let zones = changed
        .zones
        .iter()
        .filter(|apex| caller.is_none_or(|caller| caller.may_read(apex, RecordType::SOA)));
    Event {
        view: Some(changed.view.to_string()),
        source: Some(changed.source.to_string()),
        added: list(&changed.added),
        updated: updated
            .map(|(before, after)| Updated { before: spec(before), after: spec(after) })
            .collect(),
        deleted: list(&changed.deleted),
        zones: zones.map(ToString::to_string).collect(),
        ..event(item.place.version, item.time)
    }
}

fn event(version: u64, time: SystemTime) -> Event {
    Event {
        version,
        time: time.into(),
        view: None,
        source: None,
        added: Vec::new(),
        updated: Vec::new(),
        deleted: Vec::new(),
        zones: Vec::new(),
    }
}

fn json(event: &Event) -> Arc<str> {
    // Strings and numbers can always be written.
    serde_json::to_string(event).unwrap_or_default().into()
}
