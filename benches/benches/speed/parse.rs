//! `parse/*`: from the octets of a request to its question.

use benches::questions::{Mixture, Questions};
use benches::zone::ZonePlan;
use criterion::{Criterion, Throughput};
use dns_backend::Query;
use dns_core::RecordType;

/// Questions that take turns, so that the branch predictor cannot learn one by heart.
const PLAN: ZonePlan = ZonePlan { names: 1024 };
/// An OPT record with a cookie of 24 octets, as resolvers send it.
const OPT: &[u8] = b"\0\0\x29\x04\xd0\0\0\0\0\0\x1c\0\x0a\0\x18abcdefgh\x01\0\0\0\x6b\x49\xd2\0ijklmnop";

pub fn bench(criterion: &mut Criterion) {
    let questions = Questions::new(PLAN, Mixture::Hits);
    let plain: Vec<Vec<u8>> = (0..questions.len()).map(|index| questions.packet(index).to_vec()).collect();
    let with_opt = |packet: &Vec<u8>| {
        let mut packet = [packet, OPT].concat();
        packet[11] = 1; // ARCOUNT
        packet
    };
    let with_cookie = plain.iter().map(with_opt).collect();

    let mut group = criterion.benchmark_group("parse");
    for (name, packets) in [("query", plain), ("query_cookie", with_cookie)] {
        group.throughput(Throughput::Elements(packets.len() as u64));
        let mut query = Query::default();
        for packet in &packets {
            assert_eq!(query.read(packet), Ok(()));
            assert_ne!(query.qtype(), RecordType(0));
            assert_eq!(query.edns.and_then(|edns| edns.cookie).is_some(), name == "query_cookie");
        }
        group.bench_function(name, |bencher| {
            bencher.iter(|| packets.iter().filter(|packet| query.read(packet).is_ok()).count());
        });
    }
    group.finish();
}
