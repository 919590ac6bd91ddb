//! What costs an authoritative server most: names as deep as they go, RRsets that fill messages, chains, very many
//! delegations and zones.

use std::io::{self, Write};

use crate::zone::{APEX, ZonePlan, label};

/// Owner of very many A records.
pub const BIG: &str = "big.bench.test.";
/// How many: 16 KB in a message.
pub const BIG_RECORDS: u16 = 1000;
/// A delegation with as many name servers as the root has, each with an address in the zone.
pub const WIDE_CUT: &str = "wide.bench.test.";
/// How many.
pub const WIDE_CUT_SERVERS: u16 = 13;
/// Aliases in a row before an address comes.
pub const CHAIN_ALIASES: u16 = 10;
/// Name servers of each of very many delegations.
pub const CUT_SERVERS: u16 = 2;
/// Labels of the deepest name below `bench.test.`: with one octet each, and their lengths, a name has no room for more
/// (255 octets, RFC 1035, section 3.1). One is left for names beside it with a longer label.
pub const DEEP_LABELS: u16 = (255 - 12 - 10) / 2;

/// The name at which a chain of aliases begins.
pub fn chain_start() -> String {
    format!("chain0.{APEX}")
}

/// A name that does not exist, and whose closest encloser is `depth` labels below the apex, with as many labels as fit.
pub fn beside_deep(depth: u16, index: u32) -> String {
    let below = "x.".repeat(usize::from(DEEP_LABELS - depth));
    format!("{below}{}.{}{APEX}", label(index), "d.".repeat(usize::from(depth)))
}

/// Name of one of many zones.
pub fn small_apex(index: u32) -> String {
    format!("{}.small.test.", label(index))
}

/// Writes a zone of the plan with the extremes in it.
pub fn write(plan: ZonePlan, out: &mut impl Write) -> io::Result<()> {
    plan.write(out)?;
    writeln!(out, "{}{APEX} IN A 192.0.2.5", "d.".repeat(usize::from(DEEP_LABELS)))?;
    for number in 0..BIG_RECORDS {
        let [high, low] = number.to_be_bytes();
        writeln!(out, "{BIG} IN A 10.200.{high}.{low}")?;
    }
    for number in 0..WIDE_CUT_SERVERS {
        let server = char::from(b'a' + number as u8);
        writeln!(
            out,
            "{WIDE_CUT} IN NS {server}.{WIDE_CUT}\n{server}.{WIDE_CUT} IN A 192.0.2.{}",
            100 + number
        )?;
    }
    for number in 0..CHAIN_ALIASES {
        writeln!(out, "chain{number} IN CNAME chain{}", number + 1)?;
    }
    writeln!(out, "chain{CHAIN_ALIASES} IN A 192.0.2.6")
}

/// Writes a zone that has little else than so many delegations, as a top-level domain has them.
pub fn write_delegations(names: u32, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "$ORIGIN {APEX}\n$TTL 300")?;
    writeln!(out, "@ IN SOA ns1 hostmaster 1 7200 3600 1209600 300")?;
    writeln!(out, "@ IN NS ns1\nns1 IN A 192.0.2.1")?;
    for index in 0..names {
        // One server of each is its own and needs its address, the other one is a provider's.
        let [_, b, c, d] = index.to_be_bytes();
        let (cut, provider) = (label(index), index % 1000);
        writeln!(out, "{cut} IN NS ns1.{cut}\n{cut} IN NS ns{provider}.provider.example.")?;
        writeln!(out, "ns1.{cut} IN A 10.{b}.{c}.{d}")?;
    }
    Ok(())
}

/// Writes a zone of five records with relative names, for as many zones as one likes.
pub fn write_small(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "$TTL 300\n@ IN SOA ns1 hostmaster 1 7200 3600 1209600 300\n@ IN NS ns1")?;
    writeln!(out, "ns1 IN A 192.0.2.1\nwww IN A 192.0.2.2\n@ IN MX 10 www")
}

#[cfg(test)]
mod tests {
    use dns_core::Name;

    use super::*;

    #[test]
    fn deep_names_are_names_and_reach_the_limit() {
        for depth in [0, 1, DEEP_LABELS / 2, DEEP_LABELS - 1] {
            let name = Name::from_text(beside_deep(depth, u32::MAX).as_bytes(), None).unwrap();
            assert_eq!(name.as_wire().len(), 12 + 10 + 2 * usize::from(DEEP_LABELS));
        }
        assert_eq!(12 + 10 + 2 * DEEP_LABELS, 254);
        assert!(beside_deep(2, 7).ends_with(".d.d.bench.test."));
    }

    #[test]
    fn files_have_what_is_asked_for() {
        let mut file = Vec::new();
        write(ZonePlan { names: 20 }, &mut file).unwrap();
        let file = String::from_utf8(file).unwrap();
        let count = |start: &str| file.lines().filter(|line| line.starts_with(start)).count();
        assert_eq!(count("big.bench.test. IN A "), usize::from(BIG_RECORDS));
        assert_eq!(count("wide.bench.test. IN NS "), usize::from(WIDE_CUT_SERVERS));
        assert_eq!(count("chain"), usize::from(CHAIN_ALIASES) + 1);
        assert_eq!(count("d.d.d."), 1);

        let mut file = Vec::new();
        write_delegations(50, &mut file).unwrap();
        let file = String::from_utf8(file).unwrap();
        assert_eq!(file.matches(" IN NS ").count(), 1 + 50 * usize::from(CUT_SERVERS));

        let mut file = Vec::new();
        write_small(&mut file).unwrap();
        assert_eq!(String::from_utf8(file).unwrap().matches(" IN ").count(), 5);
        assert_ne!(small_apex(1), small_apex(2));
    }
}
