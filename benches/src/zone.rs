//! Made-up zones of any size, the same on every machine.

use std::io::{self, Write};

use dns_core::RecordType;

/// Name of the zone.
pub const APEX: &str = "bench.test.";
/// Owner of the wildcard; everything below `wild` that is asked for is synthesised from it.
pub const WILDCARD_PARENT: &str = "wild.bench.test.";
/// The delegation; everything below it is a referral.
pub const ZONE_CUT: &str = "sub.bench.test.";

/// Odd, so that multiplying by it gives every number another one: neighbours in the file are none in the zone.
const SCRAMBLE: u32 = 0x9E37_79B1;
/// The pattern of kinds repeats after so many names.
const PERIOD: u32 = 20;

/// A zone with `names` generated owners, and an apex, a wildcard and a delegation besides.
///
/// Of twenty names ten have one address, four have two, two have an IPv4 and an IPv6 address, and one each has a TXT,
/// MX, CNAME or SRV record: 1.3 records per name.
#[derive(Clone, Copy, Debug)]
pub struct ZonePlan {
    /// How many generated owners there are; at least 1.
    pub names: u32,
}

/// What records a generated name has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// One A record.
    Host,
    /// Two A records.
    Pair,
    /// An A and an AAAA record.
    Dual,
    /// A TXT record.
    Text,
    /// An MX record to a host.
    Mail,
    /// A CNAME record to a host.
    Alias,
    /// An SRV record to a host, at `_sip._tcp` below the name.
    Service,
}

impl Kind {
    /// The kind of the name `index`.
    pub fn of(index: u32) -> Self {
        match index % PERIOD {
            0..=9 => Self::Host,
            10..=13 => Self::Pair,
            14..=15 => Self::Dual,
            16 => Self::Text,
            17 => Self::Mail,
            18 => Self::Alias,
            _ => Self::Service,
        }
    }
}

impl ZonePlan {
    /// The owner of the records of name `index`, absolute.
    pub fn owner(self, index: u32) -> String {
        let prefix = if Kind::of(index) == Kind::Service { "_sip._tcp." } else { "" };
        format!("{prefix}{}.{APEX}", label(index))
    }

    /// A type that name `index` has, and how many records of it; some names have another one as well.
    pub fn rrset(self, index: u32) -> (RecordType, u16) {
        match Kind::of(index) {
            Kind::Host => (RecordType::A, 1),
            Kind::Pair => (RecordType::A, 2),
            Kind::Dual => (RecordType::AAAA, 1),
            Kind::Text => (RecordType::TXT, 1),
            Kind::Mail => (RecordType::MX, 1),
            Kind::Alias => (RecordType::CNAME, 1),
            Kind::Service => (RecordType::SRV, 1),
        }
    }

    /// The host that a name of kind MX, CNAME or SRV points to: the nearest name before it with one address.
    pub fn target(self, index: u32) -> u32 {
        index - index % PERIOD
    }

    /// Writes the zone as a zone file.
    pub fn write(self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "$ORIGIN {APEX}\n$TTL 300")?;
        writeln!(out, "@ IN SOA ns1 hostmaster 1 7200 3600 1209600 300")?;
        writeln!(out, "@ IN NS ns1\n@ IN NS ns2\nns1 IN A 192.0.2.1\nns2 IN A 192.0.2.2")?;
        writeln!(out, "*.wild IN A 192.0.2.3\nsub IN NS ns1.sub\nns1.sub IN A 192.0.2.4")?;
        for index in 0..self.names {
            self.write_name(index, out)?;
        }
        Ok(())
    }

    fn write_name(self, index: u32, out: &mut impl Write) -> io::Result<()> {
        let owner = label(index);
        let target = label(self.target(index));
        let [_, b, c, d] = index.to_be_bytes();
        match Kind::of(index) {
            Kind::Host => writeln!(out, "{owner} IN A 10.{b}.{c}.{d}"),
            Kind::Pair => writeln!(out, "{owner} IN A 10.{b}.{c}.{d}\n{owner} IN A 172.16.{c}.{d}"),
            Kind::Dual => {
                writeln!(out, "{owner} IN A 10.{b}.{c}.{d}\n{owner} IN AAAA 2001:db8::{b:x}:{c:x}:{d:x}")
            }
            Kind::Text => writeln!(out, "{owner} IN TXT \"v=spf1 ip4:10.{b}.{c}.{d} -all\""),
            Kind::Mail => writeln!(out, "{owner} IN MX 10 {target}"),
            Kind::Alias => writeln!(out, "{owner} IN CNAME {target}"),
            Kind::Service => writeln!(out, "_sip._tcp.{owner} IN SRV 10 60 5060 {target}"),
        }
    }
}

/// First label of the name `index`; names at or above the plan's count do not exist.
pub(crate) fn label(index: u32) -> String {
    format!("h{:08x}", index.wrapping_mul(SCRAMBLE))
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    #[test]
    fn the_file_holds_what_the_plan_says() {
        let plan = ZonePlan { names: 1000 };
        let mut file = Vec::new();
        plan.write(&mut file).unwrap();
        let file = String::from_utf8(file).unwrap();
        let mut records: HashMap<(String, &str), u16> = HashMap::new();
        let mut targets = HashSet::new();
        for line in file.lines().filter(|line| !line.starts_with('$')) {
            let words: Vec<_> = line.split(' ').collect();
            *records.entry((format!("{}.{APEX}", words[0]), words[2])).or_default() += 1;
            if words[0].len() > 5 && ["MX", "CNAME", "SRV"].contains(&words[2]) {
                targets.insert(format!("{}.{APEX}", words[words.len() - 1]));
            }
        }
        for index in 0..plan.names {
            let (rtype, count) = plan.rrset(index);
            let key = (plan.owner(index), rtype.mnemonic().unwrap());
            assert_eq!(records.get(&key), Some(&count), "{key:?}");
        }
        assert_eq!(targets.len(), 50);
        for target in targets {
            assert_eq!(records.get(&(target.clone(), "A")), Some(&1), "{target}");
        }
        assert!(file.contains("*.wild IN A") && file.contains("sub IN NS"));
    }

    #[test]
    fn files_are_the_same_every_time_and_owners_differ() {
        let write = || {
            let mut file = Vec::new();
            ZonePlan { names: 500 }.write(&mut file).unwrap();
            file
        };
        assert_eq!(write(), write());
        let owners: HashSet<_> = (0..100_000).map(label).collect();
        assert_eq!(owners.len(), 100_000);
    }
}
