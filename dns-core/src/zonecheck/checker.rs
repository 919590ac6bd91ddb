//! The pass over the zone.

use std::collections::HashSet;

use super::lookup::{Found, find, redirect};
use super::{FINDINGS_MAX, Finding, Report, Severity, soa, syntax};
use crate::name::{HashedName, is_at_or_below};
use crate::zone::{Node, PackedRrset, Signing, Zone};
use crate::{Name, RecordType};

/// Aliases that are followed from one; more than any resolver follows.
const ALIAS_STEPS_MAX: usize = 16;

pub(super) struct Checker<'z> {
    zone: &'z Zone,
    /// The apex in front of itself.
    doubled: Option<Vec<u8>>,
    is_reverse: bool,
    /// Hashes of the names of all name servers that the zone names; absent if nobody has looked for them.
    name_servers: Option<HashSet<u64>>,
    name: HashedName,
    report: Report,
}

impl<'z> Checker<'z> {
    pub fn new(zone: &'z Zone) -> Self {
        let apex = zone.apex().as_wire();
        Self {
            zone,
            doubled: syntax::doubled(apex),
            is_reverse: syntax::is_reverse(apex),
            name_servers: None,
            name: HashedName::default(),
            report: Report::default(),
        }
    }

    pub fn run(mut self) -> Report {
        self.apex();
        if self.zone.redirect_depths() != 0 {
            self.collect_name_servers();
        }
        for node in self.zone.nodes() {
            self.node(&node);
        }
        self.prune();
        self.report.findings.sort_by(Finding::order);
        self.report
    }

    pub fn run_at<'n>(mut self, names: impl IntoIterator<Item = &'n Name>) -> Report {
        for name in names {
            if name == self.zone.apex() {
                self.apex();
            }
            if let Some(node) = self.zone.node_of(name) {
                self.node(&node);
            }
        }
        self.prune();
        self.report.findings.sort_by(Finding::order);
        self.report
    }

    fn found(&mut self, finding: Finding) {
        // Pruned now and then, so that memory is bounded and each finding costs little.
        if self.report.findings.len() >= 2 * FINDINGS_MAX {
            self.prune();
        }
        self.report.findings.push(finding);
    }

    /// Leaves the findings that are listed: warnings before notes, then the first ones by owner. Names come in an order
    /// that differs from run to run, so the first ones found would be others each time.
    fn prune(&mut self) {
        let findings = &mut self.report.findings;
        if findings.len() > FINDINGS_MAX {
            findings.sort_by(|left, right| {
                let is_note = |finding: &Finding| finding.severity() == Severity::Note;
                is_note(left).cmp(&is_note(right)).then_with(|| left.order(right))
            });
            self.report.omitted += findings.len() - FINDINGS_MAX;
            findings.truncate(FINDINGS_MAX);
        }
    }

    fn apex(&mut self) {
        let node = self.zone.apex_node();
        let owner = self.zone.apex().clone();
        if let Some(rrset) = node.rrset(RecordType::SOA) {
            self.each_rdata(&rrset, |checker, rdata| {
                soa::check(&owner, rdata, |finding| checker.found(finding));
            });
        }
        if node.rrset(RecordType::NS).is_some_and(|rrset| rrset.count == 1) {
            self.found(Finding::OneNameServer { owner: owner.clone() });
        }
        if let Signing::Nsec3 { iterations, salt } = self.zone.signing() {
            if *iterations > 0 {
                self.found(Finding::Nsec3Iterations { owner: owner.clone(), iterations: *iterations });
            }
            if !salt.is_empty() {
                self.found(Finding::Nsec3Salt { owner });
            }
        }
    }

    /// An address here may be glue.
    fn may_be_name_server(&self, hash: u64) -> bool {
        self.name_servers.as_ref().is_none_or(|all| all.contains(&hash))
    }

    fn collect_name_servers(&mut self) {
        for node in self.zone.nodes() {
            if let Some(rrset) = node.rrset(RecordType::NS) {
                self.each_rdata(&rrset, |checker, rdata| {
                    if checker.name.read(rdata).is_ok() {
                        let hash = checker.name.hash(checker.name.labels());
                        checker.name_servers.get_or_insert_default().insert(hash);
                    }
                });
            }
        }
    }

    fn node(&mut self, node: &Node<'z>) {
        if node.is_empty_non_terminal() {
            return;
        }
        if syntax::repeats_apex(node.name(), self.doubled.as_deref()) {
            self.found(Finding::OwnerRepeatsApex { owner: owner(node) });
        }
        if self.zone.redirect_depths() != 0 && self.name.read(node.name()).is_ok() {
            let hash = self.name.hash(self.name.labels());
            match redirect(self.zone, &self.name, false) {
                Some(cut) if cut.is_zone_cut() => return self.below_cut(node, hash, &cut),
                Some(dname) => return self.below_dname(node, &dname),
                None if node.is_zone_cut() => self.at_cut(node, hash),
                None => {}
            }
        }
        let is_wildcard = node.name().starts_with(b"\x01*");
        for rrset in node.rrsets() {
            if is_wildcard && matches!(rrset.rtype, RecordType::NS | RecordType::DS | RecordType::DNAME) {
                self.found(Finding::WildcardRedirect { owner: owner(node), rtype: rrset.rtype });
            }
            self.rrset(node, &rrset);
        }
    }

    fn rrset(&mut self, node: &Node<'z>, rrset: &PackedRrset<'z>) {
        let rtype = rrset.rtype;
        match rtype {
            RecordType::A | RecordType::AAAA => self.host_owner(node, rtype),
            RecordType::NS => self.each_target(node, rrset, 0),
            RecordType::MX => {
                self.host_owner(node, rtype);
                self.each_target(node, rrset, 2);
            }
            RecordType::SRV => self.each_target(node, rrset, 6),
            RecordType::CNAME => self.alias(node, rrset),
            RecordType::PTR => self.pointer(node, rrset),
            RecordType::TXT if rrset.count > 1 => self.policies(node, rrset),
            RecordType::DS if !node.is_zone_cut() => {
                self.found(Finding::DsWithoutDelegation { owner: owner(node) });
            }
            _ => {}
        }
    }

    fn host_owner(&mut self, node: &Node<'z>, rtype: RecordType) {
        if !syntax::is_host_owner(node.name()) {
            self.found(Finding::OwnerNoHostName { owner: owner(node), rtype });
        }
    }

    fn at_cut(&mut self, node: &Node<'z>, hash: u64) {
        for rrset in node.rrsets() {
            let belongs = match rrset.rtype {
                RecordType::NS | RecordType::DS | RecordType::NSEC => true,
                RecordType::A | RecordType::AAAA => self.may_be_name_server(hash),
                _ => false,
            };
            if !belongs {
                let (owner, rtype) = (owner(node), rrset.rtype);
                self.found(Finding::BelowZoneCut { cut: owner.clone(), owner, rtype });
            }
        }
    }

    fn below_cut(&mut self, node: &Node<'z>, hash: u64, cut: &Node<'z>) {
        let is_name_server = self.may_be_name_server(hash);
        let mut has_address = false;
        for rrset in node.rrsets() {
            match rrset.rtype {
                RecordType::A | RecordType::AAAA => has_address = true,
                rtype => {
                    self.found(Finding::BelowZoneCut { owner: owner(node), rtype, cut: owner(cut) });
                }
            }
        }
        if has_address && !is_name_server {
            self.found(Finding::UnusedGlue { owner: owner(node), cut: owner(cut) });
        }
    }

    fn below_dname(&mut self, node: &Node<'z>, dname: &Node<'z>) {
        for rrset in node.rrsets() {
            let (owner, dname) = (owner(node), owner(dname));
            self.found(Finding::BelowDname { owner, rtype: rrset.rtype, dname });
        }
    }

    /// The targets of an RRset whose RDATA ends in a name, `skipped` octets from its beginning.
    fn each_target(&mut self, node: &Node<'z>, rrset: &PackedRrset<'z>, skipped: usize) {
        let rtype = rrset.rtype;
        self.each_rdata(rrset, |checker, rdata| {
            if let Some(target) = rdata.get(skipped..) {
                checker.target(node, rtype, target);
            }
        });
    }

    fn target(&mut self, node: &Node<'z>, rtype: RecordType, target: &[u8]) {
        // The root says that there is no such service (RFC 7505 for MX, RFC 2782 for SRV).
        if target == [0] || self.name.read(target).is_err() {
            return;
        }
        let apex = self.zone.apex().as_wire();
        let wire = self.name.wire();
        if syntax::is_address(wire, apex) {
            let (owner, target) = (owner(node), name(target));
            return self.found(Finding::TargetIsAddress { owner, rtype, target });
        }
        let is_host_name = syntax::is_host_name(wire);
        let in_zone = is_at_or_below(wire, apex);
        let repeats_apex = syntax::repeats_apex(wire, self.doubled.as_deref());
        if !is_host_name {
            let (owner, target) = (owner(node), name(target));
            self.found(Finding::TargetNoHostName { owner, rtype, target });
        }
        if !in_zone {
            return;
        }
        let (owner, target) = (|| owner(node), || name(target));
        let finding = match find(self.zone, &self.name) {
            Found::Node(host) if host.has_cname() => {
                Finding::TargetIsAlias { owner: owner(), rtype, target: target() }
            }
            Found::Node(host) if has_address(&host) => return,
            Found::Node(_) => Finding::TargetWithoutAddress { owner: owner(), rtype, target: target() },
            Found::Redirected => Finding::TargetIsAlias { owner: owner(), rtype, target: target() },
            Found::Missing if repeats_apex => {
                Finding::TargetRepeatsApex { owner: owner(), rtype, target: target() }
            }
            Found::Missing => Finding::TargetMissing { owner: owner(), rtype, target: target() },
            Found::Delegated { cut, glue } => {
                // Elsewhere the delegated zone has the address; who asks there needs none from here.
                let is_needed = rtype == RecordType::NS
                    && (cut.name() == node.name() || node.name() == self.zone.apex().as_wire());
                if !is_needed || glue.is_some_and(|glue| has_address(&glue)) {
                    return;
                }
                Finding::MissingGlue { owner: owner(), target: target() }
            }
        };
        self.found(finding);
    }

    fn alias(&mut self, node: &Node<'z>, rrset: &PackedRrset<'z>) {
        let mut first: Option<Name> = None;
        let mut next = Some(*rrset);
        for _ in 0..ALIAS_STEPS_MAX {
            let Some(rrset) = next.take() else { return };
            let mut is_in_zone = false;
            self.each_rdata(&rrset, |checker, rdata| {
                let apex = checker.zone.apex().as_wire();
                is_in_zone = checker.name.read(rdata).is_ok() && is_at_or_below(checker.name.wire(), apex);
            });
            if !is_in_zone {
                return;
            }
            if self.name.wire() == node.name() {
                return self.found(Finding::AliasLoop { owner: owner(node) });
            }
            let found = find(self.zone, &self.name);
            if first.is_none() {
                let target = name(self.name.wire());
                let is_nothing = match &found {
                    Found::Missing => true,
                    Found::Node(node) => node.is_empty_non_terminal(),
                    Found::Delegated { .. } | Found::Redirected => false,
                };
                if is_nothing {
                    let (owner, rtype) = (owner(node), RecordType::CNAME);
                    let repeats_apex = syntax::repeats_apex(target.as_wire(), self.doubled.as_deref());
                    return self.found(if repeats_apex {
                        Finding::TargetRepeatsApex { owner, rtype, target }
                    } else {
                        Finding::AliasOfNothing { owner, target }
                    });
                }
                first = Some(target);
            }
            // What is delegated, and what a DNAME leads elsewhere, is not followed.
            if let Found::Node(node) = found {
                next = node.rrset(RecordType::CNAME);
            }
        }
        if next.is_some() {
            self.found(Finding::AliasTooLong { owner: owner(node), steps: ALIAS_STEPS_MAX });
        }
    }

    fn pointer(&mut self, node: &Node<'z>, rrset: &PackedRrset<'z>) {
        if !self.is_reverse {
            return;
        }
        self.each_rdata(rrset, |checker, rdata| {
            if is_at_or_below(rdata, checker.zone.apex().as_wire()) {
                checker.found(Finding::PointerIntoReverseZone { owner: owner(node), target: name(rdata) });
            }
        });
    }

    fn policies(&mut self, node: &Node<'z>, rrset: &PackedRrset<'z>) {
        let mut count = 0;
        self.each_rdata(rrset, |_, rdata| {
            // The version ends the record or is followed by a space (RFC 7208, section 4.5).
            let text = rdata.get(1..).unwrap_or_default();
            let version = text.get(..6).is_some_and(|version| version.eq_ignore_ascii_case(b"v=spf1"));
            count += usize::from(version && text.get(6).is_none_or(|octet| *octet == b' '));
        });
        if count > 1 {
            self.found(Finding::ManySpfPolicies { owner: owner(node), count });
        }
    }

    fn each_rdata(&mut self, rrset: &PackedRrset<'z>, mut each: impl FnMut(&mut Self, &[u8])) {
        let apex = self.zone.apex().as_wire();
        rrset.for_each_rdata(apex, |rdata| each(self, rdata));
    }
}

fn has_address(node: &Node<'_>) -> bool {
    node.rrsets().any(|rrset| matches!(rrset.rtype, RecordType::A | RecordType::AAAA))
}

fn owner(node: &Node<'_>) -> Name {
    name(node.name())
}

/// A name that is known to be valid, since it stands in a zone.
fn name(wire: &[u8]) -> Name {
    Name::from_wire(wire).unwrap_or_else(|_| Name::root())
}
