//! From what an operator wants to what a worker does.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dns_core::{Class, Name, Network, RecordType, Rrset, RrsetError, TTL_MAX, rdata};

use super::answers::AddressFilter;
use super::order::Order;
use super::place::{Places, PlacesFault};
use super::terminal::{Replaced, ReplacedRrset, Rewrite, Terminal};
use super::{Effect, RuleFault, Transform};
use crate::guard::{Action, AddressOrder, Replacement};

/// The databases that rules name, each read once.
pub(super) struct Databases<'l> {
    load: &'l mut dyn FnMut(&Path) -> io::Result<Vec<u8>>,
    known: HashMap<PathBuf, Arc<Places>>,
}

impl<'l> Databases<'l> {
    pub(super) fn new(load: &'l mut dyn FnMut(&Path) -> io::Result<Vec<u8>>) -> Self {
        Self { load, known: HashMap::new() }
    }

    fn read(&mut self, path: &Path) -> Result<Arc<Places>, RuleFault> {
        if let Some(places) = self.known.get(path) {
            return Ok(places.clone());
        }
        let path = path.to_owned();
        let octets = match (self.load)(&path) {
            Ok(octets) => octets,
            Err(error) => return Err(RuleFault::DatabaseUnreadable { path, error }),
        };
        match Places::read(octets) {
            Ok(places) => Ok(self.known.entry(path).or_insert(Arc::new(places)).clone()),
            Err(PlacesFault::Format(message)) => Err(RuleFault::DatabaseFormat { path, message }),
            Err(PlacesFault::NoCoordinates(kind)) => Err(RuleFault::DatabaseWithoutPlaces { path, kind }),
        }
    }
}

/// What an action does; all that is wrong with it goes to `report`.
pub(super) fn effect(
    action: &Action,
    databases: &mut Databases<'_>,
    report: &mut dyn FnMut(RuleFault),
) -> Option<Effect> {
    let effect = match action {
        Action::Refuse => Effect::Terminal(Terminal::Refuse),
        Action::NxDomain => Effect::Terminal(Terminal::NxDomain),
        Action::NoData => Effect::Terminal(Terminal::NoData),
        Action::Drop => Effect::Terminal(Terminal::Drop),
        Action::Replace(replacements) => Effect::Terminal(Terminal::Replace(replaced(replacements, report))),
        Action::Rewrite { from, to } => {
            if from == to {
                report(RuleFault::RewriteToItself);
            }
            Effect::Terminal(Terminal::Rewrite(Rewrite { from: from.clone(), to: to.clone() }))
        }
        &Action::ClampTtl { min, max } => {
            if min > max {
                report(RuleFault::TtlBounds { min, max });
            }
            if max > TTL_MAX {
                report(RuleFault::TtlTooLarge(max));
            }
            Effect::Transform(Transform::Ttl { min, max })
        }
        Action::FilterAddresses { keep, remove } => {
            if keep.is_empty() && remove.is_empty() {
                report(RuleFault::FilterEmpty);
            }
            for network in keep.iter().filter(|network| remove.contains(network)) {
                report(RuleFault::FilterContradicts(*network));
            }
            Effect::Transform(Transform::Filter(AddressFilter::new(keep, remove)))
        }
        Action::OrderAddresses(order) => match self::order(order, databases) {
            Ok(order) => Effect::Transform(Transform::Order(order)),
            Err(fault) => {
                report(fault);
                return None;
            }
        },
    };
    Some(effect)
}

fn order(order: &AddressOrder, databases: &mut Databases<'_>) -> Result<Order, RuleFault> {
    Ok(match order {
        AddressOrder::Fixed(networks) if networks.is_empty() => return Err(RuleFault::OrderEmpty),
        AddressOrder::Fixed(networks) => Order::fixed(networks),
        AddressOrder::Rotate => Order::Rotate,
        AddressOrder::Random => Order::Random,
        AddressOrder::NearestPrefix => Order::NearestPrefix,
        AddressOrder::NearestPlace(path) => Order::NearestPlace(databases.read(path)?),
    })
}

fn replaced(replacements: &[Replacement], report: &mut dyn FnMut(RuleFault)) -> Replaced {
    if replacements.is_empty() {
        report(RuleFault::ReplacementsEmpty);
    }
    for (number, replacement) in replacements.iter().enumerate() {
        if replacements[..number].iter().any(|other| other.rtype == replacement.rtype) {
            report(RuleFault::ReplacementRepeated(replacement.rtype));
        }
    }
    let mut rrsets = Vec::with_capacity(replacements.len());
    for replacement in replacements {
        match rrset(replacement, report) {
            Ok(rrset) => rrsets.push(rrset),
            Err(fault) => report(fault),
        }
    }
    let cname = rrsets.iter().find(|rrset| rrset.rtype == RecordType::CNAME);
    if cname.is_some_and(|cname| cname.count > 1 || rrsets.len() > 1) {
        report(RuleFault::CnameNotAlone);
    }
    Replaced { rrsets: rrsets.into() }
}

fn rrset(replacement: &Replacement, report: &mut dyn FnMut(RuleFault)) -> Result<ReplacedRrset, RuleFault> {
    let &Replacement { rtype, ttl, ref rdatas } = replacement;
    for (number, rdata) in rdatas.iter().enumerate() {
        if let Err(error) = rdata::validate(rtype, rdata) {
            report(RuleFault::Rdata { rtype, number, error });
        }
    }
    // The owner does not matter: it is a pointer in the message.
    let rrset = Rrset::new(Name::root(), rtype, ttl, rdatas).map_err(|error| match error {
        RrsetError::Empty { rtype, .. } => RuleFault::ReplacementEmpty(rtype),
        RrsetError::TooLarge { rtype, octets, .. } => RuleFault::ReplacementTooLarge { rtype, octets },
        other => RuleFault::Records(other),
    })?;
    let mut records = Vec::new();
    for rdata in rrset.rdatas() {
        records.extend_from_slice(&[0xc0, 0x0c]);
        records.extend_from_slice(&rtype.0.to_be_bytes());
        records.extend_from_slice(&Class::IN.0.to_be_bytes());
        records.extend_from_slice(&ttl.to_be_bytes());
        // RDATA has been found to be no longer than its length can say.
        records.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
        records.extend_from_slice(rdata);
    }
    Ok(ReplacedRrset { rtype, count: rrset.len() as u16, records: records.into() })
}

/// A map that tells whether an address lies in one of the networks; `None` if there are none.
pub(super) fn members(networks: &[Network]) -> Option<dns_core::NetworkMap<()>> {
    (!networks.is_empty()).then(|| networks.iter().map(|network| (*network, ())).collect())
}
