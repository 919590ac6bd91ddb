//! What it takes to list a million names page by page: `cargo run --release -p jw238dns-store --example paging`.

use std::time::{Duration, Instant};

use dns_core::zone::{Place, SourceTag, ZoneBuilder};
use dns_core::{Change, ChangeSet, Name, RecordType, Rrset};
use dns_store::{Filter, Source, Store, StoreOptions, ZoneOptions};

const NAMES: usize = 1_000_000;
const PAGE: usize = 1000;

fn main() {
    let names = std::env::args().nth(1).and_then(|names| names.parse().ok()).unwrap_or(NAMES);
    for (what, make) in [
        ("given by name into one zone", flat as fn(&Store, usize)),
        ("given by name, each its own derived zone", derived),
        ("of one zone that came whole", whole),
    ] {
        let (store, before) = (Store::new(StoreOptions::default()), resident_kib());
        let begin = Instant::now();
        make(&store, names);
        println!(
            "{names} names {what}: made in {:.2?}, {} MiB",
            begin.elapsed(),
            (resident_kib() - before) >> 10
        );
        measure(&store);
    }
}

fn measure(store: &Store) {
    let any = Filter::default();
    let before = resident_kib();
    let page = |filter: &Filter, from: Option<&(Name, RecordType)>| {
        let begin = Instant::now();
        let page = store.list(filter, from, PAGE);
        (page, begin.elapsed())
    };
    println!("  first page {:.2?}, then {:.2?}", page(&any, None).1, page(&any, None).1);
    println!("  listing has added {} KiB", resident_kib().saturating_sub(before));
    let rare = Filter { rtype: Some(RecordType::SRV), ..Filter::default() };
    println!("  a type that nobody has {:.2?}", page(&rare, None).1);
    let (mut from, mut found, mut times) = (None, 0, Vec::new());
    let budget = Instant::now();
    loop {
        let (page, took) = page(&any, from.as_ref());
        found += page.found.len();
        times.push(took);
        from = page.next;
        if from.is_none() || budget.elapsed() > Duration::from_secs(20) {
            break;
        }
    }
    let all: Duration = times.iter().sum();
    let (pages, is_whole) = (times.len(), from.is_none());
    times.sort();
    println!(
        "  {pages} pages ({found} RRsets, all: {is_whole}) {all:.2?}, median {:.2?}, slowest {:.2?}",
        times[pages / 2],
        times[pages - 1]
    );
}

fn flat(store: &Store, names: usize) {
    put(store, 0);
    give(store, names, |at| format!("host-{at}.example.org"));
}

fn derived(store: &Store, names: usize) {
    give(store, names, |at| format!("host-{at}.example"));
}

fn whole(store: &Store, names: usize) {
    put(store, names);
}

fn put(store: &Store, names: usize) {
    let mut builder = ZoneBuilder::new(name("example.org"));
    let mut add = |owner: &Name, rtype, rdata: &[u8]| {
        builder.add(owner.as_wire(), rtype, 300, rdata, SourceTag::default(), Place::default());
    };
    let ns = name("ns.example.org");
    let mut soa = [ns.as_wire(), ns.as_wire()].concat();
    soa.extend([1, 3600, 600, 86_400, 300u32].iter().flat_map(|number| number.to_be_bytes()));
    add(&name("example.org"), RecordType::SOA, &soa);
    add(&name("example.org"), RecordType::NS, ns.as_wire());
    for at in 0..names {
        add(&name(&format!("host-{at}.example.org")), RecordType::A, &(at as u32).to_be_bytes());
    }
    let built = builder.finish().expect("the zone has all that it needs");
    store.put_zone(&Source::File("zone".into()), built, ZoneOptions::default()).expect("nobody else has it");
}

fn give(store: &Store, names: usize, owner: impl Fn(usize) -> String) {
    for chunk in (0..names).collect::<Vec<_>>().chunks(10_000) {
        let changes = chunk.iter().map(|&at| {
            let rdata = (at as u32).to_be_bytes();
            Change::Put(Rrset::new(name(&owner(at)), RecordType::A, 300, [rdata]).expect("one address fits"))
        });
        store.partial_reload(&Source::Api, &changes.collect::<ChangeSet>()).expect("the records are valid");
    }
}

fn name(text: &str) -> Name {
    text.parse().expect("a valid name")
}

/// Memory of this process.
fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}
