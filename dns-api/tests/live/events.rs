//! Streams of events.

use dns_api::FeedLimits;
use dns_api::client::{Client, ClientError, Events, Received};
use dns_api::model::{EventKind, ProblemKind, RecordSpec};
use dns_core::ViewSpec;
use dns_store::{Source, Store, ZoneOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::host::TestHost;
use crate::server::{Server, rrset, within};

fn create(store: &Store, record: &str) -> u64 {
    store.create(&Source::Api, rrset(record), None).unwrap()
}

async fn follow(client: &Client, since: Option<&str>) -> Events {
    within(client.events(since)).await.unwrap()
}

async fn next(events: &mut Events) -> Received {
    within(events.next()).await.unwrap()
}

/// `name type value` of each record.
fn text(records: &[RecordSpec]) -> Vec<String> {
    let one = |record: &RecordSpec| {
        format!("{} {} {}", record.name, record.rtype, record.value.clone().into_vec().join(","))
    };
    records.iter().map(one).collect()
}

#[tokio::test]
async fn changes_are_told_as_they_happen() {
    let server = Server::start();
    let mut events = follow(&server.admin(), None).await;
    let version = create(&server.store, "www.example.org. A 192.0.2.1");
    let Received { id, kind, event } = next(&mut events).await;
    assert_eq!((kind, event.version), (EventKind::Changed, version));
    assert!(id.starts_with(&format!("{version}-0-")), "{id}");
    assert_eq!(events.id(), Some(&*id));
    assert_eq!(text(&event.added), ["www.example.org. A 192.0.2.1"]);
    assert_eq!((event.source.as_deref(), event.view.as_deref()), (Some("api"), Some("default")));

    server.store.update(&Source::Api, rrset("www.example.org. A 192.0.2.2"), None).unwrap();
    let event = next(&mut events).await.event;
    assert_eq!(event.zones, ["www.example.org."]);
    let [updated] = event.updated.as_slice() else { panic!("{event:?}") };
    assert_eq!(
        text(&[updated.before.clone(), updated.after.clone()]).concat(),
        "www.example.org. A 192.0.2.1www.example.org. A 192.0.2.2"
    );

    server.store.delete(&Source::Api, &"www.example.org.".parse().unwrap(), None, None).unwrap();
    let event = next(&mut events).await.event;
    assert_eq!(text(&event.deleted), ["www.example.org. A 192.0.2.2"]);
    assert!(event.added.is_empty() && event.updated.is_empty());
}

#[tokio::test]
async fn a_client_goes_on_where_its_connection_broke() {
    let server = Server::start();
    let client = server.admin();
    let mut events = follow(&client, None).await;
    let first = create(&server.store, "a.example.org. A 192.0.2.1");
    let id = next(&mut events).await.id;
    drop(events);
    let second = create(&server.store, "b.example.org. A 192.0.2.1");
    let third = create(&server.store, "c.example.org. A 192.0.2.1");
    for since in [id, first.to_string()] {
        let mut events = follow(&client, Some(&since)).await;
        for version in [second, third] {
            let received = next(&mut events).await;
            assert_eq!(
                (received.kind, received.event.version),
                (EventKind::Changed, version),
                "since {since}"
            );
        }
    }
}

#[tokio::test]
async fn a_client_with_an_open_stream_finds_its_way_back_by_itself() {
    let host = TestHost::default();
    let store = host.store.clone();
    // Between the two stands somebody who cuts the first connection after the first event.
    let server = Server::with(host, FeedLimits::default());
    let proxy = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (cut, mut to_cut) = tokio::sync::mpsc::channel::<()>(1);
    let address = proxy.local_addr().unwrap();
    let upstream = server.address;
    tokio::spawn(async move {
        while let Ok((mut client, _)) = proxy.accept().await {
            let mut server = TcpStream::connect(upstream).await.unwrap();
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                _ = to_cut.recv() => {}
            }
        }
    });
    let (_, secret) = server
        .authenticator
        .create("test", serde_json::from_str(r#"[{"access":"read"}]"#).unwrap(), None)
        .unwrap();
    let client = Client::new(&format!("http://{address}"), secret.reveal()).unwrap();
    let mut events = follow(&client, None).await;
    let first = create(&store, "a.example.org. A 192.0.2.1");
    assert_eq!(next(&mut events).await.event.version, first);
    cut.send(()).await.unwrap();
    let second = create(&store, "b.example.org. A 192.0.2.1");
    let third = create(&store, "c.example.org. A 192.0.2.1");
    assert_eq!(next(&mut events).await.event.version, second);
    assert_eq!(next(&mut events).await.event.version, third);
}

#[tokio::test]
async fn who_has_missed_too_much_is_told_to_read_anew() {
    let limits = FeedLimits { events_max: 4, ..FeedLimits::default() };
    let server = Server::with(TestHost::default(), limits);
    let client = server.admin();
    let mut events = follow(&client, None).await;
    create(&server.store, "first.example.org. A 192.0.2.1");
    let id = next(&mut events).await.id;
    drop(events);
    // Somebody else reads them all, so that they are known to have passed through.
    let mut witness = follow(&client, None).await;
    let mut last = 0;
    for number in 0..10 {
        last = create(&server.store, &format!("n{number}.example.org. A 192.0.2.1"));
        assert_eq!(next(&mut witness).await.event.version, last);
    }
    let mut events = follow(&client, Some(&id)).await;
    let reset = next(&mut events).await;
    assert_eq!((reset.kind, reset.event.version), (EventKind::Reset, last));
    // From there on nothing is missing.
    let version = create(&server.store, "after.example.org. A 192.0.2.1");
    assert_eq!(next(&mut events).await.event.version, version);
    // The id of a reset is one to go on from.
    let mut events = follow(&client, Some(&reset.id)).await;
    assert_eq!(next(&mut events).await.event.version, version);
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_up_nobody_and_is_told_to_read_anew() {
    let limits = FeedLimits { events_max: 4, ..FeedLimits::default() };
    let server = Server::with(TestHost::default(), limits);
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = within(socket.connect(server.address)).await.unwrap();
    let grants = serde_json::from_str(r#"[{"access":"read"}]"#).unwrap();
    let (_, secret) = server.authenticator.create("test", grants, None).unwrap();
    let secret = secret.reveal();
    let request =
        format!("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut octets = Vec::new();
    while !String::from_utf8_lossy(&octets).contains("id: ") {
        assert!(within(stream.read_buf(&mut octets)).await.unwrap() > 0);
    }
    // More than all buffers on the way hold; somebody who reads gets each of them meanwhile.
    let mut reader = follow(&server.admin(), None).await;
    let text = format!("\"{}\" ", "x".repeat(250)).repeat(150);
    for number in 0..250 {
        let version = create(&server.store, &format!("n{number}.example.org. TXT {text}"));
        assert_eq!(next(&mut reader).await.event.version, version);
    }
    let mut told = String::new();
    let mut read_until = async |words: &[String]| loop {
        if let Some(word) = words.iter().find(|word| told.contains(*word)) {
            told.clear();
            return word.clone();
        }
        // What a word may begin in stays.
        let done = told.floor_char_boundary(told.len().saturating_sub(64));
        told.drain(..done);
        let mut octets = Vec::new();
        assert!(within(stream.read_buf(&mut octets)).await.unwrap() > 0);
        told.push_str(&String::from_utf8_lossy(&octets));
    };
    let reset = "event: reset".to_owned();
    read_until(std::slice::from_ref(&reset)).await;
    // It may have been behind more than once before it got that far.
    for number in 0..400 {
        create(&server.store, &format!("last{number}.example.org. A 192.0.2.1"));
        let last = format!("last{number}.example.org.");
        if read_until(&[last.clone(), reset.clone()]).await == last {
            return;
        }
    }
    panic!("what comes after a reset is not told");
}

#[tokio::test]
async fn ids_of_another_run_and_of_the_future_mean_nothing() {
    let server = Server::start();
    let client = server.admin();
    create(&server.store, "www.example.org. A 192.0.2.1");
    for since in ["1-0-00000000", "99999"] {
        let mut events = follow(&client, Some(since)).await;
        assert_eq!(next(&mut events).await.kind, EventKind::Reset, "since {since}");
    }
    for wrong in ["yesterday", "1-2", "-1"] {
        let refused = within(client.events(Some(wrong))).await.err().unwrap();
        assert_eq!(refused.kind(), Some(ProblemKind::Malformed), "{wrong}");
    }
}

#[tokio::test]
async fn a_token_gets_to_see_what_it_may_read() {
    let server = Server::start();
    let (narrow, _) = server.client(r#"[{"access":"read","zones":["example.org"],"types":["A","SOA"]}]"#);
    let (wide, _) = server.client(r#"[{"access":"read"}]"#);
    let (mut narrow, mut wide) = (follow(&narrow, None).await, follow(&wide, None).await);
    create(&server.store, "www.example.com. A 192.0.2.1");
    create(&server.store, "www.example.org. TXT hidden");
    create(&server.store, "www.example.net. A 192.0.2.1");
    let seen = create(&server.store, "mail.example.org. A 192.0.2.1");
    for _ in 0..3 {
        let event = next(&mut wide).await.event;
        assert!(event.version < seen && event.added.len() == 1);
    }
    assert_eq!(next(&mut wide).await.event.version, seen);
    // The second of them still shows that the zone has another serial.
    let received = next(&mut narrow).await;
    assert_eq!(received.event.zones, ["www.example.org."]);
    assert!(received.event.added.is_empty(), "{received:?}");
    let received = next(&mut narrow).await;
    assert_eq!(
        (received.event.version, text(&received.event.added)),
        (seen, vec!["mail.example.org. A 192.0.2.1".to_owned()])
    );
    assert_eq!(received.event.zones, ["mail.example.org."]);
}

#[tokio::test]
async fn other_views_are_told_of_no_more_than_they_are_listed() {
    let server = Server::start();
    let mut events = follow(&server.admin(), None).await;
    let (name, clients) = ("inside".into(), vec!["192.0.2.0/24".parse().unwrap()]);
    let spec = ViewSpec { name, clients, listeners: Vec::new(), shared: false };
    let views = server.store.set_views(&[spec]);
    let inside = server.store.view("inside").unwrap();
    create(&inside, "secret.example.org. A 192.0.2.1");
    let zone = "broken.example.org".parse().unwrap();
    inside.fail_zone(&Source::Config, &zone, "it is empty".to_owned(), ZoneOptions::default()).unwrap();
    let version = create(&server.store, "www.example.org. A 192.0.2.1");
    let received = next(&mut events).await;
    assert_eq!((received.kind, received.event.version), (EventKind::Views, views));
    let Received { id, event, .. } = next(&mut events).await;
    assert_eq!((event.version, event.view.as_deref()), (version, Some("default")));
    assert_eq!(text(&event.added), ["www.example.org. A 192.0.2.1"]);

    // Versions in between are known to be no loss, for those who go on from an event or from what they have read.
    let elsewhere = create(&inside, "last.example.org. A 192.0.2.1");
    let mut streams = Vec::new();
    for since in [id, elsewhere.to_string(), (elsewhere - 1).to_string()] {
        streams.push(follow(&server.admin(), Some(&since)).await);
    }
    let version = create(&server.store, "mail.example.org. A 192.0.2.1");
    for events in &mut streams {
        let received = next(events).await;
        assert_eq!((received.kind, received.event.version), (EventKind::Changed, version));
    }
}

#[tokio::test]
async fn streams_are_counted() {
    let limits = FeedLimits { streams_max: 3, streams_per_token_max: 2, ..FeedLimits::default() };
    let server = Server::with(TestHost::default(), limits);
    let (one, two) = (server.admin(), server.admin());
    let (first, second) = (follow(&one, None).await, follow(&one, None).await);
    let refused = |refused: Result<Events, ClientError>| {
        let problem = refused.err().unwrap();
        assert_eq!(problem.kind(), Some(ProblemKind::TooManyRequests), "{problem}");
        assert!(problem.problem().unwrap().retry_after.is_some());
    };
    refused(within(one.events(None::<&str>)).await);
    let mut third = follow(&two, None).await;
    refused(within(server.admin().events(None::<&str>)).await);
    // The server finds out that a client is gone when it has something to tell.
    drop((first, second));
    let mut number = 0;
    loop {
        number += 1;
        create(&server.store, &format!("n{number}.example.org. A 192.0.2.1"));
        next(&mut third).await;
        match within(one.events(None::<&str>)).await {
            Ok(_) => break,
            Err(error) => assert_eq!(error.kind(), Some(ProblemKind::TooManyRequests)),
        }
    }
}

#[tokio::test]
async fn a_revoked_token_loses_its_stream() {
    let server = Server::start();
    let (client, token) = server.client(r#"[{"access":"read"}]"#);
    let mut events = follow(&client, None).await;
    create(&server.store, "a.example.org. A 192.0.2.1");
    next(&mut events).await;
    assert!(server.authenticator.revoke(token).unwrap());
    let refused = within(events.next()).await.unwrap_err();
    assert_eq!(refused.kind(), Some(ProblemKind::Unauthorized), "{refused}");
}

#[tokio::test]
async fn streams_end_with_the_server() {
    let server = Server::start();
    let mut events = follow(&server.admin(), None).await;
    create(&server.store, "a.example.org. A 192.0.2.1");
    next(&mut events).await;
    // Long before those would be cut off that do not end by themselves.
    server.stop().await;
    let gone = within(events.next()).await.unwrap_err();
    assert!(matches!(gone, ClientError::Connect { .. }), "{gone}");
}

#[tokio::test]
async fn streams_need_a_token_and_read_like_server_sent_events() {
    let server = Server::start();
    let strange = Client::new(&server.url(), "").unwrap();
    let refused = within(strange.events(None::<&str>)).await.err().unwrap();
    assert_eq!(refused.kind(), Some(ProblemKind::Unauthorized));

    let (_, secret) = server
        .authenticator
        .create("test", serde_json::from_str(r#"[{"access":"read"}]"#).unwrap(), None)
        .unwrap();
    let version = create(&server.store, "www.example.org. A 192.0.2.1");
    let request = format!(
        "GET /api/v1/events?since={} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
        version - 1,
        secret.reveal()
    );
    let mut stream = within(TcpStream::connect(server.address)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut octets = Vec::new();
    while !String::from_utf8_lossy(&octets).contains("\"zones\"") {
        assert!(within(stream.read_buf(&mut octets)).await.unwrap() > 0);
    }
    let text = String::from_utf8(octets).unwrap();
    assert!(text.contains("content-type: text/event-stream\r\n"), "{text}");
    assert!(text.contains(&format!("id: {version}-0-")), "{text}");
    assert!(text.contains("event: changed\n") && text.contains("data: {\"version\":"), "{text}");
}
