//! The examples do what they say.

#[allow(dead_code, reason = "its main runs for ever")]
#[path = "../examples/own_loop.rs"]
mod own_loop;

use std::net::UdpSocket;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use dns_backend::{Authoritative, Respond, Transport};
use dns_core::wire::op::{Message, Query, ResponseCode};
use dns_core::wire::rr::RecordType;

#[test]
fn packets_are_answered_in_a_loop_of_ones_own() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let server = socket.local_addr().unwrap();
    let asked =
        [("www.example.org.", ResponseCode::NoError, 1), ("none.example.org.", ResponseCode::NXDomain, 0)];
    let serving = thread::spawn(move || {
        let authoritative = Authoritative::new(Arc::new(own_loop::catalog().unwrap()));
        let mut responder = authoritative.responder(Transport::Udp);
        // What is no query at all gets no answer.
        for _ in 0..=asked.len() {
            own_loop::exchange(&socket, &mut responder).unwrap();
        }
    });
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    client.send_to(b"hello", server).unwrap();
    for (qname, rcode, answers) in asked {
        let mut query = Message::query();
        query.add_query(Query::query(qname.parse().unwrap(), RecordType::A));
        client.send_to(&query.to_vec().unwrap(), server).unwrap();
        let mut reply = [0; 4096];
        let octets = client.recv(&mut reply).unwrap();
        let reply = Message::from_vec(&reply[..octets]).unwrap();
        assert_eq!((reply.metadata.response_code, reply.answers.len()), (rcode, answers), "{qname}");
        assert_eq!(reply.metadata.id, query.metadata.id);
    }
    serving.join().unwrap();
}

#[allow(dead_code, reason = "its main takes its time")]
#[path = "../examples/thousand_rules.rs"]
mod thousand_rules;

#[test]
fn rules_that_are_measured_are_for_no_question() {
    use thousand_rules::{clients, compile, expressions, mixed, names, nanoseconds, questions};
    let questions = questions().unwrap();
    for rules in [mixed(100).unwrap(), names(100).unwrap(), clients(100), expressions(100)] {
        let set = compile(&rules).unwrap();
        assert_eq!(set.len(), 100);
        assert!(nanoseconds(&set, &questions, questions.len()).unwrap() > 0.0);
    }
}
