//! Zones are reloaded hundreds of times while they are asked for: nobody ever notices.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use dns_server::config::{Config, Listen, Listener, Zone, ZoneContent};
use dns_server::dns_core::wire::op::{Message, Query, ResponseCode};
use dns_server::dns_core::wire::rr::{RData, RecordType};
use dns_server::{Running, Server};

/// How many times the zones are replaced.
fn reloads() -> u32 {
    if std::env::var_os("TEST_HEAVY").is_some() { 3000 } else { 200 }
}

/// Version of the zones: `alias` leads to `www`, and `www` has two addresses, all of them with the version. So a chain
/// that was made of two versions shows, and so does an RRset.
fn zone(version: u32) -> String {
    let [.., high, low] = version.to_be_bytes();
    let mut lines = vec![
        "$TTL 300".to_owned(),
        format!("@ SOA ns hostmaster {version} 1h 10m 1w 5m"),
        "@ NS ns".to_owned(),
        "ns A 192.0.2.53".to_owned(),
        format!("www A {}", Ipv4Addr::new(10, 0, high, low)),
        format!("www A {}", Ipv4Addr::new(11, 0, high, low)),
        format!("alias CNAME v{version}.www"),
        format!("v{version}.www CNAME www"),
        format!("other TXT v{version} v{version}"),
    ];
    // Some more names, so that loading takes a while.
    lines.extend((0..200).map(|number| format!("host{number} A 192.0.2.{number}")));
    lines.join("\n") + "\n"
}

/// The version that a reply is of; what is wrong with it otherwise.
fn version(reply: &[u8], qtype: RecordType) -> Result<u32, String> {
    let reply = Message::from_vec(reply).map_err(|error| error.to_string())?;
    if reply.metadata.response_code != ResponseCode::NoError || !reply.metadata.authoritative {
        return Err(format!("wrong: {}", reply.metadata.response_code));
    }
    let mut versions = Vec::new();
    for record in &reply.answers {
        match &record.data {
            RData::A(address) => {
                let [_, _, high, low] = address.0.octets();
                versions.push(u32::from(high) << 8 | u32::from(low));
            }
            RData::SOA(soa) => versions.push(soa.serial),
            RData::CNAME(target) => {
                // `v7.www.example.org.` is of version 7; `www.example.org.` says nothing.
                if let Some(number) = target.0.to_string().strip_prefix('v') {
                    let number = number.split('.').next().and_then(|number| number.parse().ok());
                    versions.push(number.ok_or("wrong: a strange alias")?);
                }
            }
            RData::TXT(text) => {
                for number in text.to_string().split('v').filter(|number| !number.is_empty()) {
                    versions
                        .push(number.trim().trim_matches('"').parse().map_err(|_| format!("wrong: {text}"))?);
                }
            }
            other => return Err(format!("wrong: {other}")),
        }
    }
    let expected = match qtype {
        RecordType::A => 3,
        RecordType::TXT => 2,
        _ => 1,
    };
    match versions.first() {
        Some(first) if versions.len() == expected && versions.iter().all(|other| other == first) => {
            Ok(*first)
        }
        Some(_) if versions.len() == expected => Err(format!("mixed: {versions:?}")),
        _ => Err(format!("missing: {versions:?}")),
    }
}

/// What one client has seen.
#[derive(Default)]
struct Seen {
    answers: u64,
    faults: BTreeMap<String, u64>,
    versions: u32,
}

trait Client {
    fn ask(&mut self, query: &[u8]) -> Vec<u8>;
}

impl Client for UdpSocket {
    fn ask(&mut self, query: &[u8]) -> Vec<u8> {
        self.send(query).unwrap();
        let mut reply = vec![0; 4096];
        let octets = self.recv(&mut reply).expect("an answer");
        reply.truncate(octets);
        reply
    }
}

impl Client for TcpStream {
    fn ask(&mut self, query: &[u8]) -> Vec<u8> {
        let length = u16::try_from(query.len()).unwrap().to_be_bytes();
        self.write_all(&[&length, query].concat()).unwrap();
        let mut length = [0; 2];
        self.read_exact(&mut length).expect("an answer");
        let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
        self.read_exact(&mut reply).expect("a whole answer");
        reply
    }
}

/// Asks until told to stop. Versions never go back, and none older than the last one that was reloaded is seen.
fn ask_on(mut client: impl Client, apexes: &[String], current: &AtomicU32, stop: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    let mut last = BTreeMap::new();
    let questions = [("alias", RecordType::A), ("other", RecordType::TXT), ("@", RecordType::SOA)];
    let mut queries = Vec::new();
    for (zone, apex) in apexes.iter().enumerate() {
        for (owner, qtype) in questions {
            let qname = if owner == "@" { apex.clone() } else { format!("{owner}.{apex}") };
            let mut query = Message::query();
            query.add_query(Query::query(qname.parse().unwrap(), qtype));
            queries.push((zone, qtype, query.to_vec().unwrap()));
        }
    }
    while !stop.load(SeqCst) {
        for (zone, qtype, query) in &queries {
            let at_least = current.load(SeqCst);
            let reply = client.ask(query);
            seen.answers += 1;
            let known = last.entry(*zone).or_insert(at_least);
            match version(&reply, *qtype) {
                Ok(version) if version >= at_least && version >= *known => {
                    seen.versions += u32::from(version > *known);
                    *known = version;
                }
                Ok(_) => *seen.faults.entry("stale".to_owned()).or_default() += 1,
                Err(fault) => *seen.faults.entry(fault).or_default() += 1,
            }
        }
    }
    seen
}

/// Replaces a file as careful programs do.
fn replace(path: &Path, content: &str) {
    let new = path.with_extension("new");
    fs::write(&new, content).unwrap();
    fs::rename(new, path).unwrap();
}

async fn start(config: &Config) -> (Running, SocketAddr) {
    let running = Server::build(config.clone()).await.unwrap().start().unwrap();
    let address = running.dns_addresses()[0];
    (running, address)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_is_wrong_mixed_missing_or_refused_while_zones_are_reloaded() {
    let folder = tempfile::tempdir().unwrap();
    let apexes: Vec<String> = ["example.org.", "example.net.", "sub.example.net."].map(str::to_owned).into();
    let paths: Vec<PathBuf> = apexes.iter().map(|apex| folder.path().join(format!("{apex}zone"))).collect();
    let rewrite = |version| paths.iter().for_each(|path| replace(path, &zone(version)));
    rewrite(1);
    let zones = apexes
        .iter()
        .zip(&paths)
        .map(|(apex, path)| Zone::new(apex.parse().unwrap(), ZoneContent::File(path.clone())));
    let config = Config {
        listen: Listen { dns: vec![Listener::required(([127, 0, 0, 1], 0).into())], ..Listen::default() },
        zones: zones.collect(),
        ..Config::default()
    };
    let (running, address) = start(&config).await;
    let current = Arc::new(AtomicU32::new(1));
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = Vec::new();
    for number in 0..4 {
        let (apexes, current, stop) = (apexes.clone(), current.clone(), stop.clone());
        clients.push(thread::spawn(move || {
            let patience = Some(Duration::from_mins(1));
            if number % 2 == 0 {
                let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                socket.connect(address).unwrap();
                socket.set_read_timeout(patience).unwrap();
                ask_on(socket, &apexes, &current, &stop)
            } else {
                let stream = TcpStream::connect(address).unwrap();
                stream.set_nodelay(true).unwrap();
                stream.set_read_timeout(patience).unwrap();
                ask_on(stream, &apexes, &current, &stop)
            }
        }));
    }
    let mut problems = Vec::new();
    for version in 2..=reloads() {
        rewrite(version);
        let update = running.reload(config.clone()).await;
        problems.extend(update.problems);
        if update.loaded.len() != apexes.len() {
            problems.push(format!("version {version}: only {:?} were loaded", update.loaded));
        }
        // From here on nobody may see an older one.
        current.store(version, SeqCst);
    }
    stop.store(true, SeqCst);
    let seen: Vec<Seen> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    assert_eq!(problems, Vec::<String>::new());
    for seen in &seen {
        assert_eq!(seen.faults, BTreeMap::new(), "of {} answers", seen.answers);
        assert!(seen.versions > 10 && seen.answers > 100, "{} answers", seen.answers);
    }
    let answers: u64 = seen.iter().map(|seen| seen.answers).sum();
    println!("{answers} answers during {} reloads, none of them wrong", reloads());
    running.shutdown().await;
}
