//! Questions that are asked over DNS, and those that are not.

use std::net::SocketAddr;

use dns_api::FeedLimits;
use dns_api::model::{ProblemKind, RecordSpec};
use dns_core::wire::op::{Message, MessageType};
use dns_core::wire::rr::{RData, Record, rdata};
use dns_store::Source;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use crate::host::TestHost;
use crate::server::{Server, rrset, within};

/// Answers every question with `count` addresses; over UDP that is too much, and the answer is empty.
async fn listener(count: u8, fits: bool) -> SocketAddr {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let udp = UdpSocket::bind(address).await.unwrap();
    tokio::spawn(async move {
        let mut octets = [0; 512];
        while let Ok((received, client)) = udp.recv_from(&mut octets).await {
            // Something else comes first, which is no answer to the question.
            udp.send_to(&[0; 12], client).await.unwrap();
            udp.send_to(&answer(&octets[..received], count, !fits), client).await.unwrap();
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = tcp.accept().await {
            let mut octets = vec![0; usize::from(stream.read_u16().await.unwrap())];
            stream.read_exact(&mut octets).await.unwrap();
            let answer = answer(&octets, count, false);
            stream.write_u16(answer.len() as u16).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        }
    });
    address
}

fn answer(query: &[u8], count: u8, truncated: bool) -> Vec<u8> {
    let mut message = Message::from_vec(query).unwrap();
    assert!(message.edns.is_some());
    message.metadata.message_type = MessageType::Response;
    message.metadata.authoritative = true;
    message.metadata.truncation = truncated;
    if !truncated {
        let owner = message.queries[0].name().clone();
        for last in 0..count {
            let address = RData::A(rdata::A::new(192, 0, 2, last));
            message.add_answer(Record::from_rdata(owner.clone(), 60, address));
        }
    }
    message.to_vec().unwrap()
}

fn values(records: &[RecordSpec]) -> Vec<String> {
    records.iter().flat_map(|record| record.value.clone().into_vec()).collect()
}

fn with_dns(dns: Vec<SocketAddr>) -> Server {
    Server::with(TestHost { dns, ..TestHost::default() }, FeedLimits::default())
}

#[tokio::test]
async fn the_listener_is_asked_over_udp() {
    let address = listener(2, true).await;
    let server = with_dns(vec![address]);
    let test = within(server.admin().test_dns("www.example.org", None)).await.unwrap();
    assert_eq!((test.server, &*test.transport, &*test.rcode), (address.to_string(), "udp", "NOERROR"));
    assert_eq!(test.flags, ["aa", "rd"]);
    assert_eq!(values(&test.answer), ["192.0.2.0", "192.0.2.1"]);
    assert_eq!((&*test.answer[0].name, test.answer[0].ttl), ("www.example.org.", Some(60)));
}

#[tokio::test]
async fn what_does_not_fit_is_asked_for_over_tcp() {
    let server = with_dns(vec![listener(200, false).await]);
    let test = within(server.admin().test_dns("www.example.org.", Some("A"))).await.unwrap();
    assert_eq!((&*test.transport, values(&test.answer).len()), ("tcp", 200));
    assert!(test.octets > 3200 && !test.flags.contains(&"tc".to_owned()));
}

#[tokio::test]
async fn a_listener_that_is_not_there_is_named() {
    let server = with_dns(Vec::new());
    let error = within(server.admin().test_dns("www.example.org.", None)).await.unwrap_err();
    assert_eq!(error.kind(), Some(ProblemKind::Unavailable));
    // A port that was free a moment ago answers with an ICMP error, or not at all.
    let address = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let server = with_dns(vec![address]);
    let error = within(server.admin().test_dns("www.example.org.", None)).await.unwrap_err();
    assert_eq!(error.kind(), Some(ProblemKind::Unavailable));
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

#[tokio::test]
async fn questions_are_explained_within_the_scope() {
    let server = with_dns(vec!["192.0.2.53:53".parse().unwrap()]);
    for record in ["www.example.org. CNAME web.example.com.", "web.example.com. A 192.0.2.7"] {
        server.store.create(&Source::Api, rrset(record), None).unwrap();
    }
    let client = "2001:db8::1".parse().unwrap();
    let admin = server.admin();
    let listener = "192.0.2.53:53".parse().unwrap();
    let whole =
        within(admin.resolve("www.example.org", Some("A"), Some(client), Some(listener))).await.unwrap();
    assert_eq!(values(&whole.records), ["web.example.com.", "192.0.2.7"]);
    assert_eq!(whole.view, "of Some(2001:db8::1) at Some(192.0.2.53:53)");
    assert_eq!((&*whole.rcode, whole.source.as_deref()), ("NOERROR", Some("api")));

    let (narrow, _) = server.client(r#"[{"access":"read","zones":["example.org"]}]"#);
    let part = within(narrow.resolve("www.example.org", None, None, None)).await.unwrap();
    assert_eq!(values(&part.records), ["web.example.com."], "what lies beyond is left out");
    for error in [
        within(narrow.resolve("web.example.com", None, None, None)).await.err(),
        within(narrow.resolve("nothing.example.com", None, None, None)).await.err(),
        within(narrow.test_dns("web.example.com", None)).await.err(),
    ] {
        assert_eq!(error.unwrap().kind(), Some(ProblemKind::Forbidden));
    }
}

#[tokio::test]
async fn referrals_name_the_servers_of_the_other_zone() {
    let server = with_dns(Vec::new());
    for record in ["sub.example.org. NS ns.example.net.", "ns.sub.example.org. A 192.0.2.53"] {
        server.store.create(&Source::Api, rrset(record), None).unwrap();
    }
    let referral = within(server.admin().resolve("www.sub.example.org", None, None, None)).await.unwrap();
    assert_eq!(referral.outcome, "referral");
    assert_eq!(
        (&*referral.records[0].name, values(&referral.records)),
        ("sub.example.org.", vec!["ns.example.net.".to_owned()])
    );
    let (narrow, _) = server.client(r#"[{"access":"read","names":["www.sub.example.org"]}]"#);
    let part = within(narrow.resolve("www.sub.example.org", None, None, None)).await.unwrap();
    assert_eq!(values(&part.records), [""; 0], "they are not theirs to read");
}

#[tokio::test]
async fn questions_that_make_no_sense_are_refused_with_all_reasons() {
    let server = with_dns(Vec::new());
    let client = server.admin();
    let listener = "192.0.2.53:53".parse().unwrap();
    let error = within(client.resolve("a..b", Some("NONE"), None, Some(listener))).await.unwrap_err();
    let problem = error.problem().unwrap();
    assert_eq!((problem.status, problem.reasons.len()), (422, 3), "{problem}");
    for (reason, place) in problem.reasons.iter().zip(["name: 'a..b'", "type: 'NONE'", "listener: "]) {
        assert!(reason.starts_with(place), "{reason}");
    }
    let error = within(client.test_dns("", Some("AXFR?"))).await.unwrap_err();
    assert_eq!(error.problem().unwrap().status, 422);
}
