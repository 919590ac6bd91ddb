//! `encode/*`: records, messages and zone files as they are written away from the hot path.

use benches::fixture;
use benches::zone::{APEX, ZonePlan};
use criterion::{Criterion, Throughput};
use dns_core::record::Record;
use dns_core::wire::op::{Message, Query, ResponseCode};
use dns_core::wire::rr::{self, RData, rdata};
use dns_core::zonefile::{self, Options};
use dns_core::{Name, RecordType, Rrset};

const PLAN: ZonePlan = ZonePlan { names: 10_000 };

pub fn bench(criterion: &mut Criterion) {
    message(criterion);
    record(criterion);
    zone_file(criterion);
}

/// A typed message with a question and four answers.
fn message(criterion: &mut Criterion) {
    let mut message = Message::query();
    let name: rr::Name = "www.example.org.".parse().expect("it is a name");
    message.add_query(Query::query(name.clone(), rr::RecordType::A));
    message.metadata.response_code = ResponseCode::NoError;
    for host in 1..=4 {
        let address = RData::A(rdata::A::new(192, 0, 2, host));
        message.add_answer(rr::Record::from_rdata(name.clone(), 300, address));
    }
    let octets = message.to_vec().expect("it fits");
    assert_eq!(Message::from_vec(&octets).expect("what was written can be read"), message);
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Elements(1));
    group.bench_function("message", |bencher| bencher.iter(|| message.to_vec()));
    group.finish();
}

/// An RRset as people write it.
fn record(criterion: &mut Criterion) {
    let owner: Name = "www.example.org.".parse().expect("it is a name");
    let addresses = (1..=4).map(|host| [192, 0, 2, host]);
    let rrset = Rrset::new(owner, RecordType::A, 300, addresses).expect("these are addresses");
    assert_eq!(Record::from_rrset(&rrset).into_rrset(0), Ok(rrset.clone()));
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Elements(rrset.len() as u64));
    group.bench_function("record", |bencher| bencher.iter(|| Record::from_rrset(&rrset)));
    group.finish();
}

/// A zone as its file.
fn zone_file(criterion: &mut Criterion) {
    let apex: Name = APEX.parse().expect("it is a name");
    let records = records(&apex, &fixture::zone_text(PLAN));
    let write = || {
        let mut out = String::new();
        let rows = records.iter().map(|(owner, ttl, rtype, rdata)| zonefile::Record {
            owner,
            ttl: *ttl,
            rtype: *rtype,
            rdata,
        });
        // A string takes everything.
        let _ = zonefile::write(&apex, rows, &mut out);
        out
    };
    assert_eq!(self::records(&apex, &write()).len(), records.len());
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Elements(records.len() as u64));
    group.bench_function("zone_file", |bencher| bencher.iter(write));
    group.finish();
}

/// Owner, TTL, type and RDATA of every record in a zone file.
type Row = (Vec<u8>, u32, RecordType, Vec<u8>);

fn records(apex: &Name, text: &str) -> Vec<Row> {
    let options = Options { origin: Some(apex.clone()), ..Options::default() };
    let mut records = Vec::new();
    let report = zonefile::read("made up", text.as_bytes(), &options, &mut zonefile::no_includes, |record| {
        records.push((record.owner.to_vec(), record.ttl, record.rtype, record.rdata.to_vec()));
    });
    assert!(report.is_ok(), "{report}");
    records
}
