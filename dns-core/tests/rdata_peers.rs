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

/// What the peers refuse although the RFCs allow it: type, a part of what they say, and why it is fine.
const REFUSALS: &[(&str, &str, &str)] = &[
    ("NSEC", "expected Rtype", "domain does not know the mnemonic NSAP-PTR"),
    ("NSEC3", "expected Rtype", "domain does not know the mnemonic NSAP-PTR"),
    (
        "RRSIG",
        "expected SecurityAlgorithm",
        "domain reads no mnemonics of algorithms; RFC 4034, section 3.2 allows them",
    ),
    ("DS", "expected SecurityAlgorithm", "the same"),
    (
        "HTTPS",
        "does not allow escape sequences in alpn",
        "domain; RFC 9460, section 7.1.1 leaves it to the implementation",
    ),
    ("HTTPS", "contains duplicate values", "domain checks TLS groups more closely than their wire format"),
    ("HTTPS", "invalid SvcParamKey", "domain does not take every generic key"),
    ("HTTPS", "incorrect rdata length read", "hickory wants protocol names in UTF-8"),
    ("NAPTR", "incorrect rdata length read", "hickory wants letters and digits as flags"),
    (
        "CSYNC",
        "csync flags should be",
        "hickory refuses flags that are not assigned; RFC 7477, section 2.1.1.2",
    ),
    ("CSYNC", "incorrect rdata length read", "the same"),
];

/// The peers may refuse what is listed; everything else they must take, and then make the same octets of it.
#[track_caller]
fn check(rtype: RecordType, text: &str, theirs: Result<Vec<u8>, String>, ours: &[u8]) -> bool {
    match theirs {
        Ok(theirs) => {
            assert_eq!(theirs, ours, "{rtype} {text}");
            true
        }
        Err(error) => {
            let mnemonic = rtype.to_string();
            let listed = REFUSALS.iter().any(|(rtype, part, _)| *rtype == mnemonic && error.contains(part));
            assert!(listed, "{rtype} {text}: {error}");
            false
        }
    }
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
    let total = corpus.len();
    let mut read = 0;
    for (rtype, wire) in corpus {
        let text = write(rtype, &wire);
        read += usize::from(check(rtype, &text, domain_wire(rtype, &text), &wire));
    }
    assert!(read > 5_000 && read + 20 > total, "{read} of {total}");
}

#[test]
fn domain_makes_the_same_octets_of_other_peoples_text() {
    let types = of_types(DOMAIN_TYPES);
    for example in examples().into_iter().filter(|example| types.contains(&example.rtype)) {
        check(example.rtype, example.text, domain_wire(example.rtype, example.text), &example.wire);
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

/// The octets that `hickory-proto` writes after it has read ours.
fn hickory_wire(rtype: RecordType, wire: &[u8]) -> Result<Vec<u8>, String> {
    const RDATA_AT: usize = 23;
    let parsed = Message::from_vec(&message(rtype, wire)).map_err(|error| error.to_string())?;
    let octets = parsed.to_vec().map_err(|error| error.to_string())?;
    let mut back = Vec::new();
    rdata::decompress(rtype, &octets, RDATA_AT..octets.len(), &mut back)
        .map_err(|error| error.to_string())?;
    Ok(back)
}

#[test]
fn hickory_takes_our_octets_apart_and_puts_them_together() {
    let corpus = corpus(HICKORY_TYPES);
    let total = corpus.len();
    let mut read = 0;
    for (rtype, wire) in corpus {
        let text = write(rtype, &wire);
        read += usize::from(check(rtype, &text, hickory_wire(rtype, &wire), &wire));
    }
    assert!(read > 2_000 && read + 30 > total, "{read} of {total}");
}
