//! Views, access, rules, limits and cookies as a configuration has them, over real sockets: clients are told apart by their
//! addresses, of which loopback has many.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use conformance::message::{Response, query};
use dns_server::backend::{ExplainedVerdict, Question};
use dns_server::dns_core::{Name, RecordType, ResponseCode};
use dns_server::store::{Event, Source};
use dns_server::{Config, Running, Server};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn config(text: &str) -> Config {
    let text = format!("listen: {{dns: [\"127.0.0.1:0\"]}}\n{text}");
    Config::parse("test.yaml", &text, []).unwrap_or_else(|errors| panic!("{errors}")).config
}

async fn start(config: Config) -> Running {
    let server = Server::build(config).await.unwrap();
    assert_eq!(server.loaded().problems, Vec::<String>::new());
    server.start().unwrap()
}

/// Asks from an address; `None` if nothing comes back.
fn exchange(server: SocketAddr, client: &str, message: &[u8]) -> Option<Vec<u8>> {
    let socket = UdpSocket::bind((client.parse::<IpAddr>().unwrap(), 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket.connect(server).unwrap();
    socket.send(message).unwrap();
    let mut reply = vec![0; 4096];
    let octets = socket.recv(&mut reply).ok()?;
    reply.truncate(octets);
    Some(reply)
}

/// The response code, and the last octet of each address in the answer.
fn ask(running: &Running, client: &str, qname: &str) -> (ResponseCode, Vec<u8>) {
    let message = query(7, &name(qname), RecordType::A, None);
    let reply = exchange(running.dns_addresses()[0], client, &message).expect("a reply");
    let response = Response::parse(&reply).unwrap();
    let addresses = response.answer.iter().filter(|record| record.rtype == RecordType::A);
    (response.rcode, addresses.map(|record| record.rdata[3]).collect())
}

const VIEWS: &str = r"
rate_limit: {exempt: []}
records:
  - {name: www.example.org., type: A, value: 192.0.2.1}
  - {name: mail.example.org., type: A, value: 192.0.2.2}
views:
  - name: inside
    clients: [127.10.0.0/16]
    shared: true
    records:
      - {name: www.example.org., type: A, value: 10.0.0.3}
  - name: lab
    clients: [127.10.9.0/24]
    records:
      - {name: www.example.org., type: A, value: 10.0.0.4}
access:
  - deny: [127.66.0.0/16]
rules:
  - {name: blocked, match: {names: [bad.example.org.]}, action: nxdomain}
  - {name: moved, match: {names: [.old.example.]}, action: rewrite, rewrite: {from: old.example., to: example.org.}}
";

#[tokio::test]
async fn clients_see_their_view_and_an_explanation_agrees() {
    use ResponseCode as R;
    let running = start(config(VIEWS)).await;
    for (client, qname, expected) in [
        ("127.0.0.1", "www.example.org.", (R::NOERROR, vec![1])),
        ("127.10.0.1", "www.example.org.", (R::NOERROR, vec![3])),
        ("127.10.0.1", "mail.example.org.", (R::NOERROR, vec![2])),
        ("127.10.9.1", "www.example.org.", (R::NOERROR, vec![4])),
        ("127.10.9.1", "mail.example.org.", (R::REFUSED, vec![])),
        ("127.66.0.1", "www.example.org.", (R::REFUSED, vec![])),
        ("127.0.0.1", "bad.example.org.", (R::NXDOMAIN, vec![])),
        ("127.10.0.1", "www.old.example.", (R::NOERROR, vec![3])),
    ] {
        assert_eq!(ask(&running, client, qname), expected, "{qname} from {client}");
    }

    let explain = |client: &str, qname: &str| {
        let (name, client) = (name(qname), client.parse().unwrap());
        running.explain(&Question { name, rtype: RecordType::A, client, listener: 0 })
    };
    let found = explain("127.10.0.1", "www.example.org.");
    assert_eq!((found.explanation.view.as_str(), found.source), ("inside", Some(Source::Config)));
    let zone = found.explanation.zone.unwrap();
    assert_eq!((zone.apex, zone.view.as_str(), zone.derived), (name("www.example.org."), "inside", true));
    let found = explain("127.10.0.1", "mail.example.org.");
    assert_eq!((found.explanation.view.as_str(), found.source), ("inside", Some(Source::Config)));
    assert_eq!(found.explanation.zone.unwrap().view, "default");
    assert_eq!(
        explain("127.66.0.1", "www.example.org.").explanation.verdict,
        ExplainedVerdict::ListenerRefuses
    );
    assert_eq!(explain("127.10.9.1", "mail.example.org.").explanation.verdict, ExplainedVerdict::NoZone);
    let found = explain("127.0.0.1", "bad.example.org.").explanation;
    assert_eq!(found.verdict, ExplainedVerdict::Rule);
    assert_eq!((found.rules[0].name.as_str(), found.rules[0].decides), ("blocked", Some("nxdomain")));
    let found = explain("127.10.0.1", "www.old.example.").explanation;
    assert!(
        matches!(found.verdict, ExplainedVerdict::Records { owner, .. } if owner == name("www.example.org."))
    );
    assert_eq!(found.rules[0].decides, Some("rewrite"));

    let metrics = running.metrics();
    assert!(metrics.contains("dns_backend_rule_matches_total{rule=\"blocked\"} 1"), "{metrics}");
    assert!(metrics.contains("dns_backend_prohibited_total{transport=\"udp\"} 1"), "{metrics}");
    running.shutdown().await;
}

#[tokio::test]
async fn views_access_rules_and_limits_follow_a_reload() {
    use ResponseCode as R;
    let running = start(config(VIEWS)).await;
    let changed = VIEWS
        .replace("127.10.9.0/24", "127.20.0.0/16")
        .replace("127.66.0.0/16", "127.67.0.0/16")
        .replace("bad.example.org.", "worse.example.org.")
        .replace("{exempt: []}", "{exempt: [], answers: 3, burst: 1, slip: 0}");
    let mut next = config(&changed);
    next.listen = config("").listen;
    let update = running.reload(next).await;
    assert_eq!((update.problems, update.restart_keys), (vec![], vec![]));
    for (client, qname, expected) in [
        ("127.20.0.1", "www.example.org.", (R::NOERROR, vec![4])),
        ("127.10.9.1", "www.example.org.", (R::NOERROR, vec![3])),
        ("127.66.0.1", "www.example.org.", (R::NOERROR, vec![1])),
        ("127.67.0.1", "www.example.org.", (R::REFUSED, vec![])),
        ("127.0.0.1", "worse.example.org.", (R::NXDOMAIN, vec![])),
    ] {
        assert_eq!(ask(&running, client, qname), expected, "{qname} from {client}");
    }
    // One socket, so that one worker counts.
    let socket = UdpSocket::bind("127.30.0.1:0").unwrap();
    socket.connect(running.dns_addresses()[0]).unwrap();
    let message = query(7, &name("www.example.org."), RecordType::A, None);
    for _ in 0..20 {
        socket.send(&message).unwrap();
    }
    // A question of another kind, which is answered after those.
    socket.send(&query(8, &name("worse.example.org."), RecordType::A, None)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut reply = [0; 512];
    let mut answers = 0;
    loop {
        let octets = socket.recv(&mut reply).unwrap();
        match Response::parse(&reply[..octets]).unwrap().id {
            7 => answers += 1,
            _ => break,
        }
    }
    // Some refill while they are asked, if that takes long.
    assert!((3..20).contains(&answers), "{answers} answers");
    assert!(running.metrics().contains("dns_backend_limited_total{kind=\"answer\",action=\"drop\"}"));
    running.shutdown().await;
}

const RECORD: &str = "records: [{name: www.example.org., type: A, value: 192.0.2.1}]\n";

#[tokio::test]
async fn a_reload_whose_rules_cannot_be_used_changes_nothing() {
    let running = start(config(VIEWS)).await;
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("places.mmdb");
    std::fs::write(&database, "no database").unwrap();
    let place = format!("order: {{by: place, database: {}}}", database.display());
    let broken = VIEWS.replace("192.0.2.2", "192.0.2.9")
        + &format!("  - {{name: near, match: {{types: [A]}}, action: order_addresses, {place}}}\n");
    let update = running.reload(config(&broken)).await;
    assert_eq!(update.problems.len(), 1, "{:?}", update.problems);
    assert!(update.problems[0].starts_with("rule 'near': "), "{}", update.problems[0]);
    assert_eq!(ask(&running, "127.0.0.1", "mail.example.org.").1, [2]);
    running.shutdown().await;
}

#[tokio::test]
async fn a_view_that_comes_is_seen_once_it_is_filled() {
    let running = start(config(VIEWS)).await;
    let mut events = running.store().watch();
    let more = VIEWS.replace("127.10.9.0/24", "127.30.0.0/16").replace("lab", "second");
    running.reload(config(&more)).await;
    // The view is made, filled, and shown, in this order: at the last step nobody has seen it without its records.
    let mut steps = Vec::new();
    while let Some(event) = events.try_next() {
        match event {
            Event::Changed(changed) if &*changed.view == "second" => steps.push("filled"),
            Event::Views { .. } => steps.push("views"),
            _ => {}
        }
    }
    assert_eq!(steps, ["views", "filled", "views"]);
    assert_eq!(ask(&running, "127.30.0.1", "www.example.org.").1, [4]);
    running.shutdown().await;
}

/// A question with a COOKIE option.
fn with_cookie(cookie: &[u8]) -> Vec<u8> {
    let mut message = query(7, &name("www.example.org."), RecordType::A, None);
    message[11] = 1;
    let (option, opt) = (4 + cookie.len() as u16, 0u8);
    message.extend_from_slice(&[opt, 0, 41, 4, 208, 0, 0, 0, 0]);
    message.extend_from_slice(&option.to_be_bytes());
    message.extend_from_slice(&[0, 10]);
    message.extend_from_slice(&(cookie.len() as u16).to_be_bytes());
    message.extend_from_slice(cookie);
    message
}

/// The cookie at the end of the reply.
fn cookie(running: &Running, sent: &[u8]) -> Vec<u8> {
    let reply = exchange(running.dns_addresses()[0], "127.0.0.1", &with_cookie(sent)).unwrap();
    assert_eq!(reply[reply.len() - 28..][..4], [0, 10, 0, 24]);
    reply[reply.len() - 24..].to_vec()
}

#[tokio::test]
async fn cookies_of_another_server_with_the_same_secret_are_good_and_secrets_roll_over() {
    let shared = config(&format!("{RECORD}cookies: {{secrets: [\"00112233445566778899aabbccddeeff\"]}}"));
    let (one, other) = (start(shared.clone()).await, start(shared).await);
    let given = cookie(&one, b"12345678");
    assert_eq!(cookie(&other, &given), given);
    let valid = "dns_backend_cookies_total{state=\"valid\"} 1";
    assert!(other.metrics().contains(valid));

    let own = start(config(RECORD)).await;
    let given = cookie(&own, b"12345678");
    own.roll_over_cookie_secret();
    let renewed = cookie(&own, &given);
    assert!(own.metrics().contains(valid), "the secret before still verifies");
    assert_ne!(renewed, given);
    own.roll_over_cookie_secret();
    cookie(&own, &given);
    assert!(own.metrics().contains("dns_backend_cookies_total{state=\"invalid\"} 1"));
    for running in [one, other, own] {
        running.shutdown().await;
    }
}

#[tokio::test]
async fn a_query_log_has_every_query_and_its_rule() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("queries.json");
    let log = format!("{VIEWS}\nquery_log: {{enabled: true, file: {}}}", path.display());
    let running = start(config(&log)).await;
    for qname in ["www.example.org.", "bad.example.org.", "mail.example.org."] {
        ask(&running, "127.10.0.1", qname);
    }
    running.shutdown().await;
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3, "{text}");
    let of = |qname: &str| lines.iter().find(|line| line["name"] == qname).unwrap();
    assert_eq!(of("bad.example.org.")["rule"], "blocked");
    assert_eq!(of("mail.example.org.")["view"], "inside");
    assert_eq!(of("mail.example.org.")["client"], "127.10.0.1");
}
