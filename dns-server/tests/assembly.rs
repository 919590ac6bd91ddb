//! The server as a program that embeds it sees it.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use dns_server::config::{Config, Listen, Listener, SourceKind, View};
use dns_server::dns_core::zone::rrsets_of;
use dns_server::dns_core::{Change, ChangeSet, Name, RecordType, Rrset};
use dns_server::store::{Source, Store, ZoneOptions};
use dns_server::{BuildError, Server, ServerBuilder};

const ZONE: &str =
    "$TTL 300\n@ SOA ns hostmaster 1 1h 10m 1w 5m\n@ NS ns\nns A 192.0.2.53\nwww A 192.0.2.1\n";

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn address(owner: &str, octets: [u8; 4]) -> Rrset {
    Rrset::new(name(owner), RecordType::A, 300, [octets]).unwrap()
}

fn local() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

fn builder() -> ServerBuilder {
    Server::builder().listen(local())
}

/// A configuration that listens on a free port.
fn config() -> Config {
    let listen = Listen { dns: vec![Listener::required(local())], ..Listen::default() };
    Config { listen, ..Config::default() }
}

/// The addresses that are served at a name.
fn addresses(store: &Store, owner: &str) -> Vec<Vec<u8>> {
    let found = store.get(&name(owner), RecordType::A);
    found.map(|found| found.rrset.rdatas().map(<[u8]>::to_vec).collect()).unwrap_or_default()
}

#[tokio::test]
async fn an_address_that_may_be_missing_is_left_out() {
    // Reserved for documentation: no machine has it.
    let missing: SocketAddr = "[2001:db8::1]:0".parse().unwrap();
    let optional = Listener { optional: true, ..Listener::required(missing) };
    let mut with_missing = config();
    with_missing.listen.dns.push(optional);
    let server = Server::build(with_missing.clone()).await.unwrap();
    assert_eq!(server.dns_addresses().len(), 1);

    with_missing.listen.dns[1].optional = false;
    let error = Server::build(with_missing.clone()).await.err().unwrap().to_string();
    assert!(error.starts_with("cannot listen on [2001:db8::1]:0 over UDP"), "{error}");

    with_missing.listen.dns = vec![optional];
    let error = Server::build(with_missing).await.err().unwrap().to_string();
    assert_eq!(error, "no address to listen on");
    let error = Server::builder().build().await.err().unwrap().to_string();
    assert_eq!(error, "no address to listen on");
}

#[tokio::test]
async fn a_zone_with_mistakes_fails_alone_unless_all_have_to_be_right() {
    let zones = || builder().zone_text(name("example.org"), ZONE).zone_text(name("example.net"), "www A x\n");
    let running = zones().build().await.unwrap().start().unwrap();
    assert_eq!(addresses(running.store(), "www.example.org"), [[192, 0, 2, 1]]);
    let reasons = running.ready().unwrap_err();
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    assert!(reasons[0].starts_with("zone example.net.: zone example.net.:1:"), "{reasons:?}");
    running.shutdown().await;

    match zones().strict().build().await.err().unwrap() {
        BuildError::Content(problems) => assert_eq!(problems.len(), 1, "{problems:?}"),
        other => panic!("{other}"),
    }
    let path = Path::new("absent.zone");
    let error = builder().zone_file(name("example.org"), path).strict().build().await.err().unwrap();
    assert!(error.to_string().contains("absent.zone: cannot be read"), "{error}");
}

#[tokio::test]
async fn a_text_that_still_fails_is_told_at_every_reload() {
    let mut wanted = config();
    wanted.zones = text_zones();
    let good = wanted.clone();
    let running = Server::build(wanted.clone()).await.unwrap().start().unwrap();
    wanted.zones[0].content = dns_server::config::ZoneContent::Text("www A x\n".into());
    for failures in 1..3 {
        let update = running.reload(wanted.clone()).await;
        assert_eq!((update.problems.len(), update.unchanged), (1, 0), "{update:?}");
        let figure = format!("dns_server_reloads_total{{outcome=\"failure\"}} {failures}");
        assert!(running.metrics().contains(&figure), "{}", running.metrics());
        assert_eq!(addresses(running.store(), "www.example.org"), [[192, 0, 2, 1]]);
    }
    assert_eq!(running.reload(good.clone()).await.loaded, [name("example.org")]);
    assert_eq!(running.reload(good).await.unchanged, 1);
    running.shutdown().await;
}

#[tokio::test]
async fn a_reload_touches_what_the_configuration_has_and_nothing_else() {
    let mut wanted = config();
    wanted.records = vec![address("a.example.net", [192, 0, 2, 10])];
    let running = Server::build(wanted.clone()).await.unwrap().start().unwrap();
    let store = running.store().clone();
    store.create(&Source::Api, address("b.example.net", [192, 0, 2, 11]), None).unwrap();

    let version = store.version();
    assert_eq!(running.reload(wanted.clone()).await.problems, Vec::<String>::new());
    assert_eq!(store.version(), version, "what has not changed makes no new version");

    wanted.records = vec![address("c.example.net", [192, 0, 2, 12])];
    running.reload(wanted).await;
    assert_eq!(addresses(&store, "a.example.net"), Vec::<Vec<u8>>::new());
    assert_eq!(addresses(&store, "b.example.net"), [[192, 0, 2, 11]]);
    assert_eq!(addresses(&store, "c.example.net"), [[192, 0, 2, 12]]);
    running.shutdown().await;
}

#[tokio::test]
async fn clients_are_told_the_time_out_that_connections_have() {
    let mut wanted = config();
    wanted.tcp.idle_timeout = Duration::from_secs(7);
    let running = Server::build(wanted.clone()).await.unwrap().start().unwrap();
    let policy = || running.store().snapshot().policy().clone();
    assert_eq!(policy().tcp_keepalive, 70);

    wanted.tcp.idle_timeout = Duration::from_secs(3);
    wanted.backend.answers.max_cname_depth = 5;
    for _ in 0..2 {
        let update = running.reload(wanted.clone()).await;
        assert_eq!(update.restart_keys, ["tcp"]);
        assert_eq!((policy().tcp_keepalive, policy().max_cname_depth), (70, 5));
    }
    running.shutdown().await;
}

#[tokio::test]
async fn records_join_the_zone_that_came_as_text() {
    let with_records = |config: &mut Config| config.records = vec![address("a.example.org", [192, 0, 2, 10])];
    let server =
        builder().zone_text(name("example.org"), ZONE).configure(with_records).build().await.unwrap();
    assert!(server.loaded().problems.is_empty(), "{:?}", server.loaded());
    assert_eq!(addresses(server.store(), "a.example.org"), [[192, 0, 2, 10]]);
    assert_eq!(addresses(server.store(), "www.example.org"), [[192, 0, 2, 1]]);
    assert_eq!(server.store().snapshot().default_view().unwrap().len(), 1);
}

#[tokio::test]
async fn records_that_others_hide_are_told_and_counted() {
    let mut wanted = config();
    wanted.zones = text_zones();
    wanted.records =
        (0..25).map(|host| address(&format!("h{host:02}.example.org"), [192, 0, 2, 9])).collect();
    wanted.records.push(address("www.example.org", [192, 0, 2, 9]));
    let count = |running: &dns_server::Running| {
        let metrics = running.metrics();
        let figure = "dns_store_shadowed_rrsets{source=\"config\"} ";
        metrics.lines().find_map(|line| line.strip_prefix(figure)).unwrap().parse::<u32>().unwrap()
    };
    let told = |update: &dns_server::Update| -> Vec<String> {
        update.warnings.iter().filter(|warning| warning.starts_with("records: ")).cloned().collect()
    };
    let hidden = wanted.clone();
    wanted.precedence.retain(|kind| *kind != SourceKind::Config);
    wanted.precedence.insert(0, SourceKind::Config);
    let running = Server::build(wanted).await.unwrap().start().unwrap();
    assert_eq!(count(&running), 0);

    let update = running.reload(hidden.clone()).await;
    assert_eq!(
        told(&update),
        [
            "records: www.example.org. A is not served: file:text of example.org. has such records, and comes first"
        ]
    );
    assert_eq!(count(&running), 1);
    // The zone has an alias where the records are: they are all hidden.
    let mut aliases = hidden.clone();
    let text = (0..25).fold(ZONE.to_owned(), |text, host| format!("{text}h{host:02} CNAME www\n"));
    aliases.zones[0].content = dns_server::config::ZoneContent::Text(text.into());
    let told_now = told(&running.reload(aliases.clone()).await);
    assert_eq!(told_now.len(), 21, "{told_now:?}");
    assert!(told_now[0].starts_with("records: h00.example.org. A is not served: "), "{told_now:?}");
    assert_eq!(told_now[20], "records: 6 more are not served, as others come first");
    assert_eq!(count(&running), 26);
    assert!(
        dns_server::check(&aliases).warnings.iter().filter(|line| line.contains("is not served")).count()
            == 26
    );
    running.shutdown().await;
}

#[tokio::test]
async fn records_that_are_refused_at_the_start_are_missing_until_they_are_right() {
    let mut wanted = config();
    // No TTL of such records may be that short.
    wanted.records = vec![Rrset::new(name("a.example.net"), RecordType::A, 1, [[192, 0, 2, 10]]).unwrap()];
    let running = Server::build(wanted.clone()).await.unwrap().start().unwrap();
    let reasons = running.ready().unwrap_err();
    assert!(reasons.len() == 1 && reasons[0].starts_with("records: "), "{reasons:?}");
    wanted.records = vec![address("a.example.net", [192, 0, 2, 10])];
    assert_eq!(running.reload(wanted.clone()).await.problems, Vec::<String>::new());
    assert_eq!(running.ready(), Ok(()));

    // From now on there is a version that can be kept.
    wanted.records = vec![Rrset::new(name("a.example.net"), RecordType::A, 1, [[192, 0, 2, 11]]).unwrap()];
    assert_eq!(running.reload(wanted).await.problems.len(), 1);
    assert_eq!(running.ready(), Ok(()));
    assert_eq!(addresses(running.store(), "a.example.net"), [[192, 0, 2, 10]]);
    running.shutdown().await;
}

/// Otherwise the next start would drop what a reload has found right.
#[tokio::test]
async fn bounds_that_leave_records_out_are_told_by_a_reload_as_by_a_start() {
    let mut wanted = config();
    wanted.zones = text_zones();
    wanted.records = vec![address("a.example.net", [192, 0, 2, 10])];
    wanted.views = vec![View {
        name: "inside".to_owned(),
        clients: Vec::new(),
        listeners: Vec::new(),
        shared: false,
        zones: Vec::new(),
        zones_dir: None,
        records: vec![address("b.example.net", [192, 0, 2, 11])],
    }];
    let running = Server::build(wanted.clone()).await.unwrap().start().unwrap();
    let store = running.store().clone();
    let inside = store.view("inside").unwrap();

    let mut narrow = wanted.clone();
    narrow.records_ttl.min = 1200;
    // All or nothing: what else changes waits, too.
    let fitting = Rrset::new(name("c.example.net"), RecordType::A, 1200, [[192, 0, 2, 12]]).unwrap();
    narrow.records.push(fitting);
    let told = [
        "records: a.example.net. A: TTL 300 must be between 1200 and 86400 (records_ttl)",
        "view inside: records: b.example.net. A: TTL 300 must be between 1200 and 86400 (records_ttl)",
    ];
    let started = Server::build(narrow.clone()).await.unwrap();
    assert_eq!(started.loaded().problems, told);
    for failures in 1..3 {
        let update = running.reload(narrow.clone()).await;
        // The zone's TTLs are its own affair.
        assert_eq!(update.problems, told);
        assert_eq!(update.unchanged, 1);
        let figure = format!("dns_server_reloads_total{{outcome=\"failure\"}} {failures}");
        assert!(running.metrics().contains(&figure), "{}", running.metrics());
        assert_eq!(running.ready(), Ok(()), "there is a version that can be kept");
        assert_eq!(store.get(&name("a.example.net"), RecordType::A).unwrap().rrset.ttl(), 300);
        assert_eq!(addresses(&inside, "b.example.net"), [[192, 0, 2, 11]]);
        assert_eq!(addresses(&store, "c.example.net"), Vec::<Vec<u8>>::new());
        assert_eq!(addresses(&store, "www.example.org"), [[192, 0, 2, 1]]);
    }

    narrow.records_ttl.min = 300;
    assert_eq!(running.reload(narrow).await.problems, Vec::<String>::new());
    assert_eq!(addresses(&store, "c.example.net"), [[192, 0, 2, 12]]);
    running.shutdown().await;
}

#[tokio::test]
async fn choices_take_effect_without_a_restart() {
    let mut wanted = config();
    wanted.records = vec![address("www.example.net", [192, 0, 2, 1])];
    let running = Server::build(wanted.clone()).await.unwrap().start().unwrap();
    let store = running.store();
    let owner = name("www.example.net");
    store.partial_reload(&Source::Api, &put(address("www.example.net", [192, 0, 2, 2]))).unwrap();
    assert_eq!(
        addresses(store, "www.example.net"),
        [[192, 0, 2, 2]],
        "the API comes before the configuration"
    );

    wanted.precedence.retain(|kind| *kind != SourceKind::Config);
    wanted.precedence.insert(0, SourceKind::Config);
    wanted.records_ttl.min = 1;
    wanted.records.push(Rrset::new(name("short.example.net"), RecordType::A, 1, [[192, 0, 2, 3]]).unwrap());
    wanted.backend.ns = vec![name("ns1.example.org")];
    let update = running.reload(wanted).await;
    assert_eq!((update.problems, update.restart_keys), (Vec::new(), Vec::new()));
    assert_eq!(addresses(store, "www.example.net"), [[192, 0, 2, 1]]);
    assert_eq!(addresses(store, "short.example.net"), [[192, 0, 2, 3]]);
    let catalog = store.snapshot();
    let entry = catalog.default_view().unwrap().zone_of(&owner).unwrap();
    let zone = entry.zone().unwrap();
    let at_apex = rrsets_of(zone, &zone.apex_node());
    let (ns, _) = at_apex.iter().find(|(rrset, _)| rrset.rtype() == RecordType::NS).unwrap();
    assert_eq!(ns.rdatas().collect::<Vec<_>>(), [name("ns1.example.org").as_wire()]);
    running.shutdown().await;
}

fn put(rrset: Rrset) -> ChangeSet {
    ChangeSet { changes: vec![Change::Put(rrset)], ..ChangeSet::default() }
}

#[tokio::test]
async fn a_zone_may_move_between_text_and_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("example.org.zone");
    std::fs::write(&path, ZONE.replace("192.0.2.1\n", "192.0.2.2\n")).unwrap();
    let text = builder().zone_text(name("example.org"), ZONE);
    let mut as_text = config();
    as_text.zones = text_zones();
    let mut as_file = config();
    as_file.zones_dir = Some(folder.path().to_owned());
    let running = text.build().await.unwrap().start().unwrap();
    for (config, octets) in
        [(&as_file, [192, 0, 2, 2]), (&as_text, [192, 0, 2, 1]), (&as_file, [192, 0, 2, 2])]
    {
        let update = running.reload(config.clone()).await;
        assert!(update.problems.is_empty(), "{update:?}");
        assert_eq!(addresses(running.store(), "www.example.org"), [octets], "{update:?}");
    }
    running.shutdown().await;
}

/// What the configuration asks for is not served, so it is missing, however well the name is answered.
#[tokio::test]
async fn a_zone_that_the_api_has_made_is_not_taken_over_by_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("example.org.zone");
    std::fs::write(&path, ZONE).unwrap();
    let mut as_file = config();
    as_file.zones_dir = Some(folder.path().to_owned());
    let mut as_text = config();
    as_text.zones = text_zones();
    for (wanted, place) in
        [(as_file, path.display().to_string()), (as_text, "the one in the configuration".to_owned())]
    {
        let running = builder().build().await.unwrap().start().unwrap();
        let apex = name("example.org");
        let made = dns_server::files::load_text("made", &ZONE.replace("192.0.2.1\n", "192.0.2.7\n"), &apex);
        running.store().put_zone(&Source::Api, made.unwrap().built, ZoneOptions::default()).unwrap();
        let told = format!(
            "zone example.org.: {place} is not served, as the API has made a zone of this name: delete that (DELETE \
             /api/v1/zones/example.org.) and reload, or take this one out of the configuration"
        );
        for _ in 0..2 {
            assert_eq!(running.reload(wanted.clone()).await.problems, [told.as_str()]);
            assert_eq!(running.ready(), Ok(()), "what is asked is answered");
            assert_eq!(addresses(running.store(), "www.example.org"), [[192, 0, 2, 7]]);
            if place == path.display().to_string() {
                assert_eq!(
                    running.reload_files([path.clone()].into()).await.unwrap().problems,
                    [told.as_str()]
                );
            }
        }
        running.store().drop_zone(&Source::Api, &apex).unwrap();
        assert_eq!(running.reload(wanted).await.loaded, [apex]);
        assert_eq!(running.ready(), Ok(()));
        assert_eq!(addresses(running.store(), "www.example.org"), [[192, 0, 2, 1]]);
        running.shutdown().await;
    }
}

fn text_zones() -> Vec<dns_server::config::Zone> {
    let content = dns_server::config::ZoneContent::Text(ZONE.into());
    vec![dns_server::config::Zone::new(name("example.org"), content)]
}
