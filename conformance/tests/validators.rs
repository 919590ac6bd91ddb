//! Answers from signed zones must convince Unbound and `delv`, and the zones themselves `ldns-verify-zone`.
//!
//! Where our binary is not built, Knot stands in, so that the judges themselves are tested.

use std::process::Command;

use conformance::client::{Client, Transport};
use conformance::peer::{Kind, Server, find_program};
use conformance::scenario::Scenario;
use conformance::signing::{Denial, run, trust_anchors};
use conformance::validator::{Unbound, delv};
use dns_core::{Name, RecordType};

const TOOLS: [&str; 5] = ["unbound", "delv", "ldns-verify-zone", "dnssec-signzone", "dnssec-keygen"];

/// Below each apex: question, response code, and whether opt-out leaves it without a secure proof.
const QUESTIONS: [(&str, RecordType, &str, bool); 19] = [
    ("@", RecordType::SOA, "noerror", false),
    ("@", RecordType::DNSKEY, "noerror", false),
    ("www", RecordType::AAAA, "noerror", false),
    ("upper", RecordType::A, "noerror", false),
    ("www", RecordType::MX, "noerror", false),
    ("tree", RecordType::A, "noerror", false),
    ("missing", RecordType::A, "nxdomain", true),
    ("x.www", RecordType::A, "nxdomain", true),
    ("some.wild", RecordType::TXT, "noerror", true),
    ("some.wild", RecordType::A, "noerror", true),
    ("b.c.wild", RecordType::MX, "noerror", true),
    ("x.deeper.wild", RecordType::A, "noerror", true),
    ("x.ent.wild", RecordType::A, "nxdomain", true),
    ("alias2", RecordType::A, "noerror", false),
    ("dangling", RecordType::A, "nxdomain", true),
    ("any.walias", RecordType::A, "noerror", true),
    ("leaf.of.the.dname", RecordType::TXT, "noerror", false),
    ("secure", RecordType::DS, "noerror", false),
    ("insecure", RecordType::DS, "noerror", true),
];

fn qname(text: &str, apex: &Name) -> Name {
    Name::from_text(text.as_bytes(), Some(apex)).unwrap()
}

#[test]
fn signed_answers_convince_resolvers() {
    let missing: Vec<&str> = TOOLS.into_iter().filter(|tool| find_program(tool).is_none()).collect();
    let kind = [Kind::Subject, Kind::Knot].into_iter().find(|kind| kind.program().is_some());
    let (true, Some(kind)) = (missing.is_empty(), kind) else {
        let required = std::env::var_os("TEST_PEERS").is_some_and(|value| value == "required");
        assert!(!required, "required, but not installed: {missing:?}");
        eprintln!("skipping the validating resolvers: not installed: {missing:?}, server: {kind:?}");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let scenario = Scenario::signed(folder.path()).unwrap();
    for file in &scenario.files {
        let mut verify = Command::new(find_program("ldns-verify-zone").unwrap());
        run(verify.arg(&file.path), folder.path()).unwrap();
    }
    let anchors = trust_anchors(folder.path()).unwrap();
    assert_eq!(anchors.len(), scenario.files.len());
    let server = Server::start(kind, &scenario.files).unwrap();
    let unbound = Unbound::start(server.address, &scenario.files, &anchors).unwrap();
    let mut client = Client::recursive(unbound.address).unwrap();
    let mut wrong = Vec::new();
    for denial in Denial::ALL {
        let apex: Name = denial.apex().parse().unwrap();
        let anchor = anchors.iter().find(|anchor| anchor.starts_with(denial.apex())).unwrap();
        for (text, qtype, rcode, opted_out) in QUESTIONS {
            let qname = qname(text, &apex);
            let answer = client.ask(&qname, qtype, Transport::UdpEdns, true).unwrap();
            // RFC 5155, section 9.2: what an opt-out record covers may exist unsigned, so AD is not set.
            let secure = !(opted_out && denial == Denial::OptOut);
            if answer.rcode.label() != rcode || (secure && !answer.authentic) {
                let found = (answer.rcode.label(), answer.authentic);
                wrong.push(format!("Unbound: {qname} {qtype}: rcode and AD are {found:?}"));
            }
            if secure {
                match delv(server.address, &apex, anchor, &qname, qtype, folder.path()) {
                    Ok(said) if said.contains("fully validated") => {}
                    Ok(said) => wrong.push(format!("delv: {qname} {qtype}: {said}")),
                    Err(error) => wrong.push(format!("delv: {qname} {qtype}: {error:#}")),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} said:\n{}", server.kind.label(), wrong.join("\n"));
}
