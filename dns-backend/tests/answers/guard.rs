//! Access, cookies, limits, and what the server tells of itself.

use std::time::Duration;

use dns_backend::Transport;
use dns_backend::guard::{CookieSpec, GuardSpec, Identity, ListenerSpec, RateLimitSpec};
use dns_core::ResponseCode;

use crate::server::{Server, opt, request};

const ZONE: &str = "@ SOA ns hostmaster 1 2h 1h 2w 5m\n@ NS ns\nns A 192.0.2.1\nwww A 192.0.2.2\nsub NS ns.sub\nns.sub A 192.0.2.3\n";

fn server(change: impl FnOnce(&mut GuardSpec)) -> Server {
    let mut spec = GuardSpec { rate_limit: None, ..GuardSpec::default() };
    change(&mut spec);
    Server::new(&[("example.org.", ZONE)]).with_failed("failed.test.").guarded(&spec)
}

/// A question with these EDNS options.
fn with_options(question: &str, options: &[u8]) -> Vec<u8> {
    let (_, mut message) = request(question);
    message[11] = 1;
    message.extend_from_slice(&opt(1232, 0, options));
    message
}

fn option(code: u16, value: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes()[..], &(value.len() as u16).to_be_bytes(), value].concat()
}

/// Code and value of the options of a reply whose last record is its OPT record.
fn options(reply: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let at = (12..reply.len()).find(|&at| reply[at..].starts_with(&[0, 0, 41]) && ends_here(&reply[at..]));
    let mut rest = &reply[at.expect("an OPT record") + 11..];
    let mut options = Vec::new();
    while let Some((head, after)) = rest.split_first_chunk::<4>() {
        let (value, after) = after.split_at(usize::from(u16::from_be_bytes([head[2], head[3]])));
        options.push((u16::from_be_bytes([head[0], head[1]]), value.to_vec()));
        rest = after;
    }
    options
}

fn ends_here(opt: &[u8]) -> bool {
    opt.len() >= 11 && opt.len() == 11 + usize::from(u16::from_be_bytes([opt[9], opt[10]]))
}

fn rcode(reply: &[u8]) -> ResponseCode {
    ResponseCode(u16::from(reply[3] & 15))
}

#[test]
fn listeners_let_in_whom_they_want() {
    let networks = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let server = server(|spec| {
        let inside = ListenerSpec { allow: networks(&["10.0.0.0/8"]), deny: networks(&["10.0.0.66"]) };
        spec.listeners = vec![ListenerSpec::default(), inside];
        spec.identity.nsid = Some(b"here".to_vec());
        with_cookies(spec);
    });
    let asks = |listener, client: &str| {
        server.listener.set(listener);
        server.from(client).ask("www.example.org. A")
    };
    let answer = "NOERROR aa; answer: www A 192.0.2.2";
    assert_eq!(asks(0, "192.0.2.1"), answer);
    assert_eq!(asks(1, "10.0.0.1"), answer);
    assert_eq!(asks(1, "10.0.0.66"), "REFUSED");
    assert_eq!(asks(1, "192.0.2.1"), "REFUSED");
    assert_eq!(asks(7, "192.0.2.1"), answer);
    let reply = server.exchange(Transport::Udp, &with_options("www.example.org. A", &[])).unwrap();
    assert_eq!(options(&reply), []);
    server.listener.set(1);
    // Nothing else is told: no cookie, no NSID, not what is wrong with a request.
    let every_option = [option(3, b""), option(10, b"12345678")].concat();
    let reply = server.exchange(Transport::Udp, &with_options("www.example.org. A", &every_option)).unwrap();
    assert_eq!(options(&reply), [(15, vec![0, 18])], "prohibited");
    let mut malformed = request("www.example.org. A").1;
    malformed[7] = 1;
    let reply = server.exchange(Transport::Udp, &malformed).unwrap();
    assert_eq!(rcode(&reply), ResponseCode::REFUSED);
}

#[test]
fn refusals_say_why() {
    let server = server(|_| {});
    let why = |question| {
        let reply = server.exchange(Transport::Udp, &with_options(question, &[])).unwrap();
        (rcode(&reply), options(&reply))
    };
    assert_eq!(why("www.example.net. A"), (ResponseCode::REFUSED, vec![(15, vec![0, 20])]));
    assert_eq!(why("www.failed.test. A"), (ResponseCode::SERVFAIL, vec![(15, vec![0, 24])]));
    assert_eq!(why("example.org. AXFR"), (ResponseCode::REFUSED, vec![(15, vec![0, 21])]));
    assert_eq!(why("nothing.example.org. A"), (ResponseCode::NXDOMAIN, vec![]));
}

#[test]
fn the_server_tells_of_itself_only_what_it_was_told_to() {
    let ask = |server: &Server, name: &str, class: u8| {
        let (_, mut message) = request(&format!("{name} TXT"));
        let end = message.len();
        message[end - 1] = class;
        server.exchange(Transport::Udp, &message).unwrap()
    };
    let silent = server(|_| {});
    for name in ["version.bind.", "version.server.", "hostname.bind.", "id.server."] {
        assert_eq!(rcode(&ask(&silent, name, 3)), ResponseCode::REFUSED, "{name}");
    }
    assert_eq!(
        options(
            &silent.exchange(Transport::Udp, &with_options("www.example.org. A", &option(3, b""))).unwrap()
        ),
        []
    );

    let open = server(|spec| {
        spec.identity = Identity {
            nsid: Some(b"here".to_vec()),
            version: Some("one".to_owned()),
            hostname: None,
            id: Some("two".to_owned()),
        };
    });
    for (name, text) in [("version.bind.", "one"), ("VERSION.Server.", "one"), ("id.server.", "two")] {
        let reply = ask(&open, name, 3);
        assert_eq!((rcode(&reply), reply[2] & 4), (ResponseCode::NOERROR, 0), "{name}");
        assert!(reply.ends_with(&[&[0, 16, 0, 3, 0, 0, 0, 0, 0, 4, 3], text.as_bytes()].concat()), "{name}");
    }
    assert_eq!(rcode(&ask(&open, "hostname.bind.", 3)), ResponseCode::REFUSED);
    assert_eq!(rcode(&ask(&open, "version.bind.", 1)), ResponseCode::REFUSED, "of class IN");
    let reply = open.exchange(Transport::Udp, &with_options("www.example.org. A", &option(3, b""))).unwrap();
    assert_eq!(options(&reply), [(3, b"here".to_vec())]);
    assert_eq!(
        options(&open.exchange(Transport::Udp, &with_options("www.example.org. A", &[])).unwrap()),
        []
    );
}

fn with_cookies(spec: &mut GuardSpec) {
    spec.cookies = Some(CookieSpec { secrets: vec![[7; 16]] });
}

#[test]
fn a_cookie_that_was_given_is_good_for_its_client_alone() {
    let server = server(with_cookies);
    server.now.set(Duration::from_secs(1_700_000_000));
    let ask = |cookie: &[u8]| {
        let reply = server
            .exchange(Transport::Udp, &with_options("www.example.org. A", &option(10, cookie)))
            .unwrap();
        (rcode(&reply), options(&reply).into_iter().find(|(code, _)| *code == 10).map(|(_, cookie)| cookie))
    };
    let (code, cookie) = ask(b"12345678");
    let cookie = cookie.unwrap();
    assert_eq!((code, cookie.len(), &cookie[..8]), (ResponseCode::NOERROR, 24, &b"12345678"[..]));
    assert_eq!(ask(&cookie), (ResponseCode::NOERROR, Some(cookie.clone())), "as it was given");
    server.now.set(Duration::from_secs(1_700_002_000));
    let renewed = ask(&cookie).1.unwrap();
    assert_ne!(renewed, cookie);
    for malformed in [&b""[..], b"1234567", b"123456789", &[1; 41]] {
        assert_eq!(ask(malformed), (ResponseCode::FORMERR, None));
    }
    let counts = || {
        let mut counts = Vec::new();
        server.authoritative.for_each_counters(|transport, counters| {
            if transport == Transport::Udp {
                counts = counters.cookies().collect();
            }
        });
        counts
    };
    assert_eq!(counts(), [("malformed", 4), ("new", 1), ("valid", 2), ("invalid", 0)]);
    server.from("192.0.2.77");
    assert_ne!(ask(&cookie).1.unwrap(), cookie);
    assert_eq!(counts()[3], ("invalid", 1));
}

#[test]
fn a_cookie_can_be_had_without_a_question() {
    let server = server(with_cookies);
    let message =
        |options: &[u8]| [&[9, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1][..], &opt(1232, 0, options)].concat();
    let reply = server.exchange(Transport::Udp, &message(&option(10, b"12345678"))).unwrap();
    assert_eq!((rcode(&reply), reply[4..12].to_vec()), (ResponseCode::NOERROR, vec![0, 0, 0, 0, 0, 0, 0, 1]));
    assert_eq!(options(&reply)[0].1.len(), 24);
    let reply = server.exchange(Transport::Udp, &message(&[])).unwrap();
    assert_eq!(rcode(&reply), ResponseCode::FORMERR);
    // RFC 7873, section 5.4: BADCOOKIE is 23, so 1 in the OPT record and 7 in the header.
    let reply = server.exchange(Transport::Udp, &message(&option(10, &[1; 24]))).unwrap();
    assert_eq!((rcode(&reply), reply[17]), (ResponseCode(7), 1));
    assert_eq!(options(&reply)[0].1.len(), 24);
    let reply = server.exchange(Transport::Udp, &message(&option(10, b"123"))).unwrap();
    assert_eq!((rcode(&reply), options(&reply)), (ResponseCode::FORMERR, vec![]));

    let without = self::server(|_| {});
    let reply = without.exchange(Transport::Udp, &message(&option(10, b"12345678"))).unwrap();
    assert_eq!((rcode(&reply), options(&reply)), (ResponseCode::FORMERR, vec![]));
}

fn limited(change: impl FnOnce(&mut RateLimitSpec)) -> Server {
    server(|spec| {
        with_cookies(spec);
        let mut limit = RateLimitSpec {
            answers: 10,
            nxdomains: 5,
            referrals: 3,
            errors: 2,
            burst: 1,
            slip: 2,
            ..RateLimitSpec::default()
        };
        change(&mut limit);
        spec.identity.nsid = Some(vec![b'x'; 200]);
        spec.rate_limit = Some(limit);
    })
}

/// How many of 100 questions are answered, answered with TC, and not answered.
fn share(server: &Server, transport: Transport, message: &[u8]) -> [usize; 3] {
    let mut share = [0; 3];
    for reply in server
        .exchange_all(transport, &vec![message.to_vec(); 50])
        .into_iter()
        .chain(server.exchange_all(transport, &vec![message.to_vec(); 50]))
    {
        share[reply.map_or(2, |reply| usize::from(reply[2] & 2 != 0))] += 1;
    }
    share
}

#[test]
fn each_kind_of_response_has_its_limit_and_tcp_has_none() {
    let server = limited(|_| {});
    server.now.set(Duration::from_secs(1_700_000_000));
    let share = |transport, question| share(&server, transport, &request(question).1);
    assert_eq!(share(Transport::Udp, "www.example.org. A"), [10, 45, 45]);
    assert_eq!(share(Transport::Udp, "no.example.org. A"), [5, 47, 48]);
    assert_eq!(share(Transport::Udp, "www.sub.example.org. A"), [3, 48, 49]);
    assert_eq!(share(Transport::Udp, "www.example.net. A"), [2, 49, 49]);
    assert_eq!(share(Transport::Tcp, "www.example.org. A"), [100, 0, 0]);
    // Others of the network share its fate, those of other networks do not.
    server.from("192.0.2.200");
    assert_eq!(share(Transport::Udp, "www.example.org. A")[0], 0);
    server.from("192.0.3.1");
    assert_eq!(share(Transport::Udp, "www.example.org. A")[0], 10);
    server.from("127.0.0.1");
    assert_eq!(share(Transport::Udp, "www.example.org. A"), [100, 0, 0], "exempt");
    server.from("192.0.2.1").now.set(Duration::from_secs(1_700_000_001));
    assert_eq!(share(Transport::Udp, "www.example.org. A")[0], 10, "a second later");
    let mut limited = Vec::new();
    server.authoritative.for_each_counters(|transport, counters| {
        if transport == Transport::Udp {
            limited = counters.limited().collect();
        }
    });
    assert_eq!(limited[1], ("nxdomain", 47, 48));
    assert_eq!(limited[2], ("referral", 48, 49));
}

#[test]
fn what_slips_has_no_records_and_is_no_longer_than_the_question() {
    let server = limited(|limit| limit.slip = 1);
    let (_, message) = request("no.example.org. A");
    share(&server, Transport::Udp, &message);
    let reply = server.exchange(Transport::Udp, &message).unwrap();
    assert_eq!((reply.len(), rcode(&reply), reply[2] & 2), (message.len(), ResponseCode::NOERROR, 2));
    assert_eq!(reply[6..12], [0; 6]);
    // Nor do options make it longer.
    let asking = with_options("no.example.org. A", &option(3, b""));
    let reply = server.exchange(Transport::Udp, &asking).unwrap();
    assert_eq!((reply[2] & 2, options(&reply)), (2, vec![]));
}

#[test]
fn a_valid_cookie_is_never_limited() {
    let server = limited(|_| {});
    server.now.set(Duration::from_secs(1_700_000_000));
    let ask = |cookie: &[u8]| with_options("www.example.org. A", &option(10, cookie));
    let reply = server.exchange(Transport::Udp, &ask(b"12345678")).unwrap();
    let cookie = options(&reply).remove(0).1;
    assert_eq!(share(&server, Transport::Udp, &ask(&cookie)), [100, 0, 0]);
    assert_eq!(share(&server, Transport::Udp, &ask(b"12345678"))[0], 9);
    let mut forged = cookie;
    forged[23] ^= 1;
    assert_eq!(share(&server, Transport::Udp, &ask(&forged))[0], 0);
}

#[test]
fn limits_change_while_serving_and_other_changes_leave_them_alone() {
    let server = limited(|_| {});
    server.now.set(Duration::from_secs(1_700_000_000));
    let message = request("www.example.org. A").1;
    assert_eq!(share(&server, Transport::Udp, &message)[0], 10);
    let mut spec = GuardSpec { rate_limit: None, ..GuardSpec::default() };
    let server = server.guarded(&spec);
    assert_eq!(share(&server, Transport::Udp, &message)[0], 100);
    spec.rate_limit = Some(RateLimitSpec { answers: 20, burst: 1, ..RateLimitSpec::default() });
    let server = server.guarded(&spec);
    assert_eq!(share(&server, Transport::Udp, &message)[0], 20);
    spec.identity.version = Some("1".to_owned());
    let server = server.guarded(&spec);
    assert_eq!(share(&server, Transport::Udp, &message)[0], 0);
}
