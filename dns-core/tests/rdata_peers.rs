//! Second opinions: `domain` reads the same texts, `hickory-proto` the same octets.

mod rdata_support;

use dns_core::{RecordType, rdata, wire::op::Message};
use domain::{
    base::rdata::ComposeRecordData,
    zonefile::inplace::{Entry, Zonefile},
};

use rdata_support::{examples, rtype, write};

/// Types that `domain` reads in their own format.
const DOMAIN_TYPES: &str = "A NS MD MF CNAME SOA MB MG MR PTR HINFO MINFO MX TXT RP AAAA SRV NAPTR DNAME DS SSHFP \
    IPSECKEY RRSIG NSEC DNSKEY NSEC3 NSEC3PARAM TLSA CDS CDNSKEY OPENPGPKEY ZONEMD SVCB HTTPS CAA";

/// Types that `hickory-proto` takes apart.
const HICKORY_TYPES: &str = "A NS CNAME SOA PTR HINFO MX TXT AAAA SRV NAPTR CERT SSHFP TLSA SMIMEA OPENPGPKEY CSYNC \
    SVCB HTTPS CAA";

fn of_types(list: &str) -> Vec<RecordType> {
    list.split_whitespace().map(rtype).collect()
}

/// The octets that `domain` makes of a text.
fn domain_wire(rtype: RecordType, text: &str) -> Result<Vec<u8>, String> {
    let line = format!("owner.example. 60 IN {rtype} {text}\n");
    let mut file = Zonefile::from(line.as_bytes());
    let entry = file.next_entry().map_err(|error| error.to_string())?;
    let Some(Entry::Record(record)) = entry else {
        return Err("no record".into());
    };
    let mut wire = Vec::new();
    record.data().compose_rdata(&mut wire).map_err(|error| error.to_string())?;
    Ok(wire)
}

/// Each example, and each of its variations in which one number or word is another.
fn corpus(types: &str) -> Vec<(RecordType, Vec<u8>)> {
    let types = of_types(types);
    let mut corpus = Vec::new();
    for example in examples().into_iter().filter(|example| types.contains(&example.rtype)) {
        corpus.push((example.rtype, example.wire.clone()));
        for at in 0..example.wire.len() {
            for octet in [0, 1, 9, b'"', b'\\', b'a', 0xff] {
                let mut wire = example.wire.clone();
                wire[at] = octet;
                if rdata::validate(example.rtype, &wire).is_ok() {
                    corpus.push((example.rtype, wire));
                }
            }
        }
    }
    corpus
}

#[test]
fn domain_makes_the_same_octets_of_our_text() {
    let corpus = corpus(DOMAIN_TYPES);
    assert!(corpus.len() > 5_000, "{}", corpus.len());
    for (rtype, wire) in corpus {
        let text = write(rtype, &wire);
        assert_eq!(domain_wire(rtype, &text), Ok(wire), "{rtype} {text}");
    }
}

#[test]
fn domain_makes_the_same_octets_of_other_peoples_text() {
    let types = of_types(DOMAIN_TYPES);
    for example in examples().into_iter().filter(|example| types.contains(&example.rtype)) {
        assert_eq!(
            domain_wire(example.rtype, example.text),
            Ok(example.wire),
            "{} {}",
            example.rtype,
            example.text
        );
    }
}

/// A message with one record at the root.
fn message(rtype: RecordType, wire: &[u8]) -> Vec<u8> {
    let mut message = vec![0, 1, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0];
    message.extend_from_slice(&rtype.0.to_be_bytes());
    message.extend_from_slice(&[0, 1, 0, 0, 0, 60]);
    message.extend_from_slice(&(wire.len() as u16).to_be_bytes());
    message.extend_from_slice(wire);
    message
}

#[test]
fn hickory_takes_our_octets_apart_and_puts_them_together() {
    const RDATA_AT: usize = 23;
    for (rtype, wire) in corpus(HICKORY_TYPES) {
        let text = write(rtype, &wire);
        let parsed = Message::from_vec(&message(rtype, &wire))
            .unwrap_or_else(|error| panic!("{rtype} {text}: {error}"));
        let octets = parsed.to_vec().unwrap();
        let mut back = Vec::new();
        rdata::decompress(rtype, &octets, RDATA_AT..octets.len(), &mut back).unwrap();
        assert_eq!(back, wire, "{rtype} {text}");
    }
}
