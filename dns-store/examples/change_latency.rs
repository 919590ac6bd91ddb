//! Measures how long a change of one record takes until it can be seen, in zones of several sizes.
//!
//! `cargo run --release -p jw238dns-store --example change_latency [names ...]`; 10,000 and 1,000,000 names by default.

use std::error::Error;
use std::time::{Duration, Instant};

use dns_core::zone::{Place, SourceTag, ZoneBuilder};
use dns_core::{Name, RecordType, Rrset};
use dns_store::{Source, Store, StoreOptions, ZoneOptions};

const CHANGES: u32 = 20_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut sizes = std::env::args().skip(1).map(|size| size.parse()).collect::<Result<Vec<u32>, _>>()?;
    if sizes.is_empty() {
        sizes = vec![10_000, 1_000_000];
    }
    for names in sizes {
        measure(names)?;
    }
    Ok(())
}

fn measure(names: u32) -> Result<(), Box<dyn Error>> {
    let store = Store::new(StoreOptions::default());
    store.put_zone(&Source::File("measure".into()), zone(names)?, ZoneOptions::default())?;
    measure_changes(&store, names, "in a zone from a file")?;

    // The same without a zone: all names in one derived zone, then each in one of its own.
    for (apex, what) in [(true, "in one derived zone"), (false, "in a derived zone each")] {
        let store = Store::new(StoreOptions::default());
        let mut records = Vec::new();
        if apex {
            records.push(Rrset::new("example.org".parse()?, RecordType::A, 300, [[192, 0, 2, 1]])?);
        }
        for host in 0..names {
            let owner = format!("host{host}.example.org").parse()?;
            records.push(Rrset::new(owner, RecordType::A, 300, [host.to_be_bytes()])?);
        }
        let begin = Instant::now();
        store.hot_reload(&Source::Config, &records)?;
        println!("{names} names {what}: loaded in {:?}", begin.elapsed());
        measure_changes(&store, names, what)?;
    }
    Ok(())
}

fn measure_changes(store: &Store, names: u32, what: &str) -> Result<(), Box<dyn Error>> {
    let mut durations = Vec::new();
    for change in 0..CHANGES {
        // Spread over the zone, so that nothing is still in the cache by chance.
        let owner: Name =
            format!("host{}.example.org", change.wrapping_mul(2_654_435_761) % names).parse()?;
        let rrset = Rrset::new(owner.clone(), RecordType::A, 300, [change.to_be_bytes()])?;
        let begin = Instant::now();
        store.update(&Source::Api, rrset, None)?;
        let catalog = store.snapshot();
        durations.push(begin.elapsed());
        let zone = catalog.default_view().and_then(|view| view.zone_of(&owner)?.zone()).ok_or("no zone")?;
        let rrset = zone.node_of(&owner).and_then(|node| node.rrset(RecordType::A)).ok_or("no record")?;
        assert!(rrset.records.ends_with(&change.to_be_bytes()), "the change can be seen");
    }
    durations.sort_unstable();
    let at = |part: usize| durations.get(durations.len() * part / 1000).copied().unwrap_or(Duration::ZERO);
    println!("{names} names {what}: median {:?}, 99 % {:?}, 99.9 % {:?}", at(500), at(990), at(999));
    Ok(())
}

fn zone(names: u32) -> Result<dns_core::zone::Built, Box<dyn Error>> {
    let apex: Name = "example.org".parse()?;
    let mut builder = ZoneBuilder::new(apex.clone());
    let mut add = |owner: &Name, rtype, rdata: &[u8]| {
        builder.add(owner.as_wire(), rtype, 3600, rdata, SourceTag::default(), Place::default());
    };
    let ns: Name = "ns.example.org".parse()?;
    let soa = [ns.as_wire(), ns.as_wire(), &[0, 0, 0, 1], &[0; 16]].concat();
    add(&apex, RecordType::SOA, &soa);
    add(&apex, RecordType::NS, ns.as_wire());
    for host in 0..names {
        add(&format!("host{host}.example.org").parse()?, RecordType::A, &host.to_be_bytes());
    }
    builder.finish().map_err(|faults| format!("{faults:?}").into())
}
