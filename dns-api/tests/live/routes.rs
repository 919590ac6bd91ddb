//! Every route, asked by the client.

use std::net::SocketAddr;
use std::time::Duration;

use dns_api::auth::{Access, GrantSpec};
use dns_api::client::{Client, ClientError, HistoryFilter, RecordFilter, Revision};
use dns_api::model::{
    Change, ChangeRequest, OneOrMany, ProblemKind, RecordSpec, Reloaded, TokenSpec, ZoneSpec,
};
use dns_store::Source;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::host::BACKUP;
use crate::server::{Server, rrset, within};

fn record(name: &str, rtype: &str, value: &str) -> RecordSpec {
    let value = OneOrMany::Many(vec![value.to_owned()]);
    RecordSpec { name: name.to_owned(), rtype: rtype.to_owned(), ttl: Some(300), value }
}

#[tokio::test]
async fn records_are_made_changed_listed_and_deleted() {
    let server = Server::start();
    let client = server.admin();
    let made = client.create_record(&record("www.example.org", "A", "192.0.2.1")).await.unwrap();
    assert_eq!((&*made.record.name, made.record.ttl, made.durable), ("www.example.org.", 300, false));
    let exists = client.create_record(&record("www.example.org", "A", "192.0.2.2")).await.unwrap_err();
    assert_eq!(exists.kind(), Some(ProblemKind::Exists));

    let changed = record("www.example.org", "A", "192.0.2.2");
    let changed = client.put_record(&changed, Revision::At(made.version)).await.unwrap();
    let stale = record("www.example.org", "A", "192.0.2.3");
    let stale = client.put_record(&stale, Revision::At(made.version)).await.unwrap_err();
    assert_eq!(stale.kind(), Some(ProblemKind::PreconditionFailed));
    // Names that mean something in URLs stand for themselves.
    let odd = record(r"a/b\.c?d%e.example.org", "TXT", "odd & more");
    client.put_record(&odd, Revision::Absent).await.unwrap();
    let found = client.records_at(r"a/b\.c?d%e.example.org", Some("TXT")).await.unwrap();
    assert_eq!(found[0].value, ["odd & more"]);

    let filter =
        RecordFilter { limit: Some(1), name: Some("example.org".to_owned()), ..RecordFilter::default() };
    let first = client.records(&filter, None).await.unwrap();
    let second = client.records(&filter, first.next.as_deref()).await.unwrap();
    let names: Vec<_> = first.records.iter().chain(&second.records).map(|record| &*record.name).collect();
    assert_eq!(names, [r"a/b\.c?d%e.example.org.", "www.example.org."]);
    assert_eq!(second.next, None);

    let deleted =
        client.delete_records("www.example.org", None, Revision::At(changed.version)).await.unwrap();
    assert_eq!(deleted.deleted[0].value, ["192.0.2.2"]);
    let gone = client.records_at("www.example.org", None).await.unwrap_err();
    assert_eq!((gone.kind(), gone.status().unwrap().as_u16()), (Some(ProblemKind::NotFound), 404));
}

#[tokio::test]
async fn changes_are_made_remembered_and_undone() {
    let server = Server::start();
    let client = server.admin();
    let change = |record| Change::Put { record };
    let mut request = ChangeRequest {
        changes: vec![
            change(record("a.example.org", "A", "192.0.2.1")),
            change(record("b.example.org", "A", "192.0.2.1")),
        ],
        dry_run: true,
        ..ChangeRequest::default()
    };
    let plan = client.change(&request).await.unwrap();
    assert!(plan.dry_run && plan.records.len() == 2);
    request.dry_run = false;
    let made = client.change(&request).await.unwrap();
    assert_eq!(made.served.added.len(), 2);

    let history = client.history(&HistoryFilter::default(), None).await.unwrap();
    assert_eq!(history.changes.iter().map(|change| change.version).collect::<Vec<_>>(), [made.version]);
    assert!(history.changes[0].author.starts_with("token test ("), "{history:?}");
    let nobody = HistoryFilter { author: Some("somebody else".to_owned()), ..HistoryFilter::default() };
    assert!(client.history(&nobody, None).await.unwrap().changes.is_empty());
    assert_eq!(client.change_at(made.version).await.unwrap().records.len(), 2);

    assert!(client.revert(made.version, true).await.unwrap().dry_run);
    let undone = client.revert(made.version, false).await.unwrap();
    assert_eq!(undone.served.deleted.len(), 2);
    let twice = client.revert(made.version, false).await.unwrap_err();
    assert_eq!(twice.kind(), Some(ProblemKind::ChangedSince));
}

#[tokio::test]
async fn zones_are_made_exported_imported_checked_and_deleted() {
    let server = Server::start();
    let client = server.admin();
    let zone = ZoneSpec { name: "example.org".to_owned(), ..ZoneSpec::default() };
    let made = client.create_zone(&zone).await.unwrap();
    assert_eq!((&*made.zone.name, made.zone.source.as_deref()), ("example.org.", Some("api")));
    client.create_record(&record("www.example.org", "A", "192.0.2.1")).await.unwrap();
    let file = client.export_zone("example.org").await.unwrap();
    assert!(file.contains("192.0.2.1"), "{file}");
    let file = file.replace("192.0.2.1", "192.0.2.9");
    assert!(client.import_zone("example.org", &*file, true).await.unwrap().changes.dry_run);
    client.import_zone("example.org", file, false).await.unwrap();
    assert_eq!(client.records_at("www.example.org", Some("A")).await.unwrap()[0].value, ["192.0.2.9"]);
    assert_eq!(client.zone("example.org").await.unwrap().name, "example.org.");
    assert_eq!(client.zones().await.unwrap().zones.len(), 1);
    // Its name server has no address.
    assert!(!client.check_zone("example.org").await.unwrap().findings.is_empty());
    client.delete_zone("example.org").await.unwrap();
    assert_eq!(client.zone("example.org").await.unwrap_err().kind(), Some(ProblemKind::NotFound));
}

#[tokio::test]
async fn zones_come_in_pages_and_all_of_them_when_asked_for() {
    // More than the largest page has.
    const ZONES: usize = 10_001;
    let server = Server::start();
    let client = server.admin();
    let record = |at| dns_core::Change::Put(rrset(&format!("n{at:05}.test. A 192.0.2.1")));
    let changes: dns_core::ChangeSet = (0..ZONES).map(record).collect();
    server.store.partial_reload(&Source::Config, &changes).unwrap();
    let first = client.zones_page(Some(2), None).await.unwrap();
    let second = client.zones_page(Some(2), first.next.as_deref()).await.unwrap();
    let names: Vec<_> = first.zones.iter().chain(&second.zones).map(|zone| &*zone.name).collect();
    assert_eq!(names, ["n00000.test.", "n00001.test.", "n00002.test.", "n00003.test."]);
    assert_eq!(client.zones_page(None, None).await.unwrap().zones.len(), 100);
    let all = client.zones().await.unwrap();
    assert_eq!((all.zones.len(), all.next), (ZONES, None));
    assert!(all.zones.is_sorted_by(|left, right| left.name < right.name));
}

#[tokio::test]
async fn tokens_are_made_used_and_revoked() {
    let server = Server::start();
    let admin = server.admin();
    let grant = GrantSpec { access: Access::Read, zones: Vec::new(), names: Vec::new(), types: Vec::new() };
    let spec = TokenSpec { name: "reader".to_owned(), grants: vec![grant], expires: None };
    let made = admin.create_token(&spec).await.unwrap();
    let reader = Client::new(&server.url(), &made.secret).unwrap();
    let own = reader.own_token().await.unwrap();
    assert_eq!((&own.id, &*own.name), (&made.token.id, "reader"));
    assert_eq!(admin.token(&own.id).await.unwrap().id, own.id);
    assert_eq!(admin.tokens().await.unwrap().tokens.len(), 2);
    for refused in [
        reader.tokens().await.err(),
        reader.reload().await.err(),
        reader.backup(&mut Vec::new()).await.err(),
        reader.create_record(&record("www.example.org", "A", "192.0.2.1")).await.err(),
    ] {
        assert_eq!(refused.unwrap().kind(), Some(ProblemKind::Forbidden));
    }
    assert_eq!(reader.status().await.unwrap().contents, None);
    admin.revoke_token(&own.id).await.unwrap();
    assert_eq!(reader.status().await.unwrap_err().kind(), Some(ProblemKind::Unauthorized));
}

#[tokio::test]
async fn the_server_tells_of_itself() {
    let server = Server::start();
    let client = server.admin();
    assert_eq!(client.ready().await.unwrap(), Ok(()));
    let version = client.create_record(&record("www.example.org", "A", "192.0.2.1")).await.unwrap().version;
    let status = client.status().await.unwrap();
    let contents = status.contents.unwrap();
    assert_eq!((status.version, status.durable, status.ready), (version, false, true));
    // What was made up for the zone is there to be asked for, too.
    assert_eq!((contents.zones, contents.records), (1, 3));
    assert_eq!(client.openapi().await.unwrap()["openapi"], "3.1.0");
    let metrics = client.metrics().await.unwrap();
    assert!(metrics.contains("path=\"/api/v1/status\",code=\"200\"} 1\n"), "{metrics}");

    let mut copy = Vec::new();
    assert_eq!(client.backup(&mut copy).await.unwrap(), BACKUP.len() as u64);
    assert!(copy == BACKUP);

    let loaded = Reloaded { loaded: vec!["example.net.".to_owned()], ..Reloaded::default() };
    *server.host.reloaded.lock().unwrap() = loaded.clone();
    assert_eq!(client.reload().await.unwrap(), loaded);
    let failed = Reloaded {
        problems: vec!["zone file x: line 1".to_owned()],
        warnings: vec!["listen.dns has changed".to_owned()],
        ..loaded
    };
    *server.host.reloaded.lock().unwrap() = failed.clone();
    let refused = client.reload().await.unwrap_err();
    let problem = refused.problem().unwrap();
    assert_eq!(problem.known_kind(), Some(ProblemKind::Invalid));
    assert_eq!((&problem.reasons[..], &problem.warnings[..]), (&failed.problems[..], &failed.warnings[..]));
}

#[tokio::test]
async fn connections_are_used_again_and_replaced_when_they_are_gone() {
    // Answers twice per connection, and closes it then without a word.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = tokio::spawn(async move {
        let mut count = 0;
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().await.unwrap();
            count += 1;
            for _ in 0..2 {
                let mut octets = Vec::new();
                while !octets.ends_with(b"\r\n\r\n") {
                    assert!(stream.read_buf(&mut octets).await.unwrap() > 0);
                }
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfine\n").await.unwrap();
            }
        }
        count
    });
    let client = client_of(address);
    for _ in 0..4 {
        assert_eq!(within(client.metrics()).await.unwrap(), "fine\n");
    }
    assert_eq!(connections.await.unwrap(), 2);
}

#[tokio::test]
async fn who_is_no_server_of_ours_is_told_from_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answers = [
        &b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 12\r\n\r\n<p>\x1bno</p>\nx"[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n<>",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
        b"SSH-2.0-OpenSSH\r\n",
    ];
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut octets = Vec::new();
            while !octets.ends_with(b"\r\n\r\n") {
                assert!(stream.read_buf(&mut octets).await.unwrap() > 0);
            }
            stream.write_all(answer).await.unwrap();
        }
        // The last one is never answered.
        let _silent = listener.accept().await.unwrap();
        std::future::pending::<()>().await;
    });
    let client = client_of(address);
    let error = within(client.status()).await.unwrap_err();
    assert_eq!(error.to_string(), "502 Bad Gateway: <p>no</p>");
    assert!(matches!(within(client.status()).await, Err(ClientError::Answer(_))));
    assert!(matches!(within(client.status()).await, Err(ClientError::Interrupted(_))));
    assert!(matches!(within(client.status()).await, Err(ClientError::Http(_))));
    let hasty = client.patience(Duration::from_millis(50));
    assert!(matches!(within(hasty.status()).await, Err(ClientError::Silence(_))));
}

#[test]
fn urls_and_tokens_that_are_none_are_refused() {
    for (url, why) in [
        ("127.0.0.1:8080", "it must begin with http:// or https://"),
        ("ftp://example.org", "it must begin with http:// or https://"),
        ("https://example.org", "https needs the certificates to trust"),
        ("http://me:secret@example.org", "passwords are not used: give a token"),
        ("http://example.org/?a=b", "it must have no parameters"),
        ("/api", "it names no host"),
    ] {
        let error = Client::new(url, "").unwrap_err().to_string();
        assert!(error.ends_with(why), "{error}");
    }
    assert!(matches!(Client::new("http://example.org", "a\nb"), Err(ClientError::Token)));
    assert!(matches!(Client::with_ca("https://example.org", "", b"none"), Err(ClientError::Ca(_))));
    let client = Client::new("http://example.org/dns/", "secret").unwrap();
    assert!(!format!("{client:?}").contains("secret"));
}

fn client_of(address: SocketAddr) -> Client {
    Client::new(&format!("http://{address}"), "").unwrap()
}
