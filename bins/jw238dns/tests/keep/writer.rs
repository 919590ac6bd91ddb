//! A client that changes things, and keeps its own account of them.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dns_api::auth::{Access, GrantSpec};
use dns_api::client::{Client, ClientError, Revision};
use dns_api::model::{Change as Step, ChangeRequest, RecordSpec, TokenSpec, ZoneSpec};
use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::ledger::{Change, Key, Set};
use crate::random::Random;
use crate::site::serial;
use crate::support::{PATIENCE, query, shown};

/// Where all flat records are.
pub const FLAT: &str = "flat.test.";
/// Two names that every writer always gives the same value.
pub const PAIR: [&str; 2] = ["left.flat.test.", "right.flat.test."];

/// What goes on until the server is killed.
pub struct Round {
    pub dns: SocketAddr,
    /// So many acknowledgements end the round.
    pub goal: usize,
    pub acknowledged: AtomicUsize,
    pub reached: Notify,
    /// From now on nobody need expect an answer.
    pub is_over: AtomicBool,
    pub seen: Mutex<Seen>,
}

/// What anybody has seen over DNS.
#[derive(Clone, Default)]
pub struct Seen {
    /// The last serial of each zone.
    pub serials: HashMap<String, u32>,
    /// Values of the pair.
    pub pair: Vec<String>,
}

/// What is known of tokens that writers have made.
#[derive(Default)]
pub struct Tokens {
    /// Public parts and secrets of those that must be valid.
    pub live: Vec<(String, String)>,
    /// Of those that must not be.
    pub revoked: Vec<(String, String)>,
    /// Names of those that may or may not have been made.
    pub made_in_doubt: Vec<String>,
    /// Those that may or may not have been revoked.
    pub revoked_in_doubt: Vec<(String, String)>,
}

pub struct Writer {
    pub name: String,
    number: usize,
    random: Random,
    client: Client,
    /// With admin access.
    admin: Client,
    round: Arc<Round>,
    dns: UdpSocket,
    /// What is at its own names.
    records: BTreeMap<Key, Set>,
    has_zone: bool,
    /// Makes each value another one.
    stamp: u64,
    pub changes: BTreeMap<u64, Change>,
    pub in_doubt: Option<Change>,
    pub tokens: Tokens,
}

/// What came of a request.
enum Outcome<T> {
    Done(T),
    /// The connection broke: perhaps it was done, perhaps not.
    Unknown,
    /// There was no connection.
    NotAsked,
}

impl Round {
    pub fn new(dns: SocketAddr, goal: usize, seen: Seen) -> Self {
        Self {
            dns,
            goal,
            acknowledged: AtomicUsize::new(0),
            reached: Notify::new(),
            is_over: AtomicBool::new(false),
            seen: Mutex::new(seen),
        }
    }

    fn acknowledge(&self) {
        if self.acknowledged.fetch_add(1, SeqCst) + 1 == self.goal {
            self.reached.notify_one();
        }
    }

    /// The outcome of a request; panics if the server has said no, which it has no reason for.
    fn outcome<T>(&self, what: &dyn std::fmt::Debug, answer: Result<T, ClientError>) -> Outcome<T> {
        match answer {
            Ok(value) => {
                self.acknowledge();
                Outcome::Done(value)
            }
            Err(ClientError::Http(_) | ClientError::Interrupted(_)) if self.is_over.load(SeqCst) => {
                Outcome::Unknown
            }
            Err(ClientError::Connect { .. }) if self.is_over.load(SeqCst) => Outcome::NotAsked,
            Err(error) => panic!("{what:?}: {error:?}"),
        }
    }
}

impl Writer {
    pub async fn new(
        (number, name): (usize, String),
        random: Random,
        (client, admin): (Client, Client),
        round: Arc<Round>,
        (records, has_zone): (&BTreeMap<Key, Set>, bool),
        stamp: u64,
    ) -> Self {
        let dns = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        dns.connect(round.dns).await.unwrap();
        let names = names(number);
        let records = records.iter().filter(|((name, _), _)| names.contains(name));
        Self {
            name,
            number,
            random,
            client,
            admin,
            round,
            dns,
            records: records.map(|(key, set)| (key.clone(), set.clone())).collect(),
            has_zone,
            stamp,
            changes: BTreeMap::new(),
            in_doubt: None,
            tokens: Tokens::default(),
        }
    }

    /// Changes something again and again, until the server is gone. Returns how many requests were answered.
    pub async fn run(&mut self) {
        loop {
            let goes_on = match self.random.below(20) {
                0 => self.make_or_revoke_token().await,
                1 | 2 => self.make_or_delete_zone().await,
                3..6 => self.change_pair().await,
                6..11 => self.change_several().await,
                _ => self.change_one().await,
            };
            if !goes_on || self.round.is_over.load(SeqCst) {
                return;
            }
        }
    }

    async fn change_one(&mut self) -> bool {
        let key = self.any_key();
        let mut change = Change::default();
        if self.records.contains_key(&key) {
            if self.random.one_in(3) {
                let is_whole = self.random.one_in(2);
                for known in self.records.keys().filter(|known| known.0 == key.0) {
                    if is_whole || known.1 == key.1 {
                        change.records.insert(known.clone(), None);
                    }
                }
                let rtype = (!is_whole).then_some(key.1.as_str());
                let answer = self.client.delete_records(&key.0, rtype, Revision::Any).await;
                return self.note(change, answer.map(|deleted| deleted.version)).await;
            }
            let set = self.any_set(&key.1);
            let answer = self.client.put_record(&spec(&key, &set), Revision::Any).await;
            change.records.insert(key, Some(set));
            return self.note(change, answer.map(|written| written.version)).await;
        }
        let set = self.any_set(&key.1);
        let answer = self.client.create_record(&spec(&key, &set)).await;
        change.records.insert(key, Some(set));
        self.note(change, answer.map(|written| written.version)).await
    }

    async fn change_several(&mut self) -> bool {
        let mut change = Change::default();
        let mut steps = Vec::new();
        let mut names = names(self.number);
        for _ in 0..2 + self.random.below(4) {
            let name = names.swap_remove(self.random.below(names.len() as u64) as usize);
            let key: Key = (name, self.any_type());
            let set = self.any_set(&key.1);
            let before = self.records.get(&key);
            let (step, after) = match (self.random.below(4), before) {
                (0, Some(before)) => {
                    let mut value = before.value.clone();
                    value.extend(set.value.iter().cloned());
                    (Step::Add { record: spec(&key, &set) }, Some(Set::new(set.ttl, &value)))
                }
                (1, Some(before)) => {
                    let (gone, left) = before.value.split_at(1);
                    let record = spec(&key, &Set::new(set.ttl, gone));
                    (Step::Remove { record }, (!left.is_empty()).then(|| Set::new(before.ttl, left)))
                }
                (2, Some(_)) => (Step::Delete { name: key.0.clone(), rtype: Some(key.1.clone()) }, None),
                _ => (Step::Put { record: spec(&key, &set) }, Some(set)),
            };
            steps.push(step);
            change.records.insert(key, after);
        }
        let answer = self.client.change(&request(steps)).await;
        self.note(change, answer.map(|answer| answer.version)).await
    }

    async fn change_pair(&mut self) -> bool {
        let set = Set::new(60, &[self.any_text()]);
        let steps = PAIR.map(|name| Step::Put { record: spec(&(name.to_owned(), "TXT".to_owned()), &set) });
        let change = Change {
            records: PAIR.map(|name| ((name.to_owned(), "TXT".to_owned()), Some(set.clone()))).into(),
            ..Change::default()
        };
        let answer = self.client.change(&request(steps.into())).await;
        let goes_on = self.note(change, answer.map(|answer| answer.version)).await;
        if goes_on && let Some(reply) = self.ask(&format!("{} TXT", PAIR[0])).await {
            let value = shown(&reply).strip_prefix("NOERROR ").expect("the pair stays").to_owned();
            self.round.seen.lock().unwrap().pair.push(value);
        }
        goes_on
    }

    async fn make_or_delete_zone(&mut self) -> bool {
        let apex = zone(self.number);
        let mut change = Change { zones: [(apex.clone(), !self.has_zone)].into(), ..Change::default() };
        if self.has_zone {
            // And what is in it.
            for key in self.records.keys().filter(|key| key.0.ends_with(&apex)) {
                change.records.insert(key.clone(), None);
            }
            let answer = self.client.delete_zone(&apex).await;
            return self.note(change, answer.map(|answer| answer.version)).await;
        }
        let spec = ZoneSpec { name: apex, soa: None, ns: Vec::new(), ttl: None };
        let answer = self.client.create_zone(&spec).await;
        self.note(change, answer.map(|written| written.zone.version)).await
    }

    async fn make_or_revoke_token(&mut self) -> bool {
        if self.random.one_in(2)
            && let Some((id, secret)) = self.tokens.live.pop()
        {
            let answer = self.admin.revoke_token(&id).await;
            match self.round.outcome(&"revoke", answer) {
                Outcome::Done(()) => self.tokens.revoked.push((id, secret)),
                Outcome::Unknown => self.tokens.revoked_in_doubt.push((id, secret)),
                Outcome::NotAsked => self.tokens.live.push((id, secret)),
            }
            return true;
        }
        let stamp = self.next_stamp();
        let name = format!("made-{}-{stamp}", self.number);
        let answer = self.admin.create_token(&token(&name, Access::Read)).await;
        match self.round.outcome(&name, answer) {
            Outcome::Done(made) => self.tokens.live.push((made.token.id, made.secret)),
            Outcome::Unknown => self.tokens.made_in_doubt.push(name),
            Outcome::NotAsked => {}
        }
        true
    }

    /// Writes down what came of a change; what was acknowledged must show in DNS. Returns whether the server is there.
    async fn note(&mut self, change: Change, answer: Result<u64, ClientError>) -> bool {
        let change = Change { author: self.name.clone(), ..change };
        let version = match self.round.outcome(&change, answer) {
            Outcome::Done(version) => version,
            Outcome::Unknown => {
                self.in_doubt = Some(change);
                return false;
            }
            Outcome::NotAsked => return false,
        };
        for (key, set) in change.records.iter().filter(|(key, _)| !PAIR.contains(&key.0.as_str())) {
            match set {
                Some(set) => drop(self.records.insert(key.clone(), set.clone())),
                None => drop(self.records.remove(key)),
            }
        }
        for has_zone in change.zones.values() {
            self.has_zone = *has_zone;
        }
        let looked_at = change.records.keys().next().filter(|key| !PAIR.contains(&key.0.as_str())).cloned();
        self.changes.insert(version, change);
        if self.random.one_in(3) {
            if let Some(key) = looked_at {
                self.look_at(&key).await;
            }
            let apex = if self.has_zone { zone(self.number) } else { FLAT.to_owned() };
            self.look_at_serial(&apex).await;
        }
        true
    }

    async fn look_at(&mut self, key: &Key) {
        let question = format!("{} {}", key.0, key.1);
        let expected = expected(self.records.get(key));
        if let Some(reply) = self.ask(&question).await {
            assert!(
                is_as_expected(&shown(&reply), expected.as_deref()),
                "{question}: {} and not {expected:?}",
                shown(&reply)
            );
        }
    }

    async fn look_at_serial(&mut self, apex: &str) {
        let before = self.round.seen.lock().unwrap().serials.get(apex).copied();
        let Some(reply) = self.ask(&format!("{apex} SOA")).await else { return };
        let serial = serial(&reply).unwrap_or_else(|| panic!("{apex} has no SOA: {}", shown(&reply)));
        assert!(!before.is_some_and(|before| is_before(serial, before)), "{apex}: {serial} after {before:?}");
        let mut seen = self.round.seen.lock().unwrap();
        let newest = seen.serials.entry(apex.to_owned()).or_insert(serial);
        if is_before(*newest, serial) {
            *newest = serial;
        }
    }

    /// The reply to a question; `None` once the server is gone.
    async fn ask(&mut self, question: &str) -> Option<Vec<u8>> {
        let query = query(question);
        for _ in 0..PATIENCE.as_secs() {
            // What comes back from a port that nobody listens on is an error, too.
            let asked = async {
                self.dns.send(&query).await.ok()?;
                let mut reply = vec![0; 4096];
                loop {
                    let octets = self.dns.recv(&mut reply).await.ok()?;
                    if reply[..2] == query[..2] {
                        reply.truncate(octets);
                        return Some(reply);
                    }
                }
            };
            match timeout(Duration::from_secs(1), asked).await {
                Ok(Some(reply)) => return Some(reply),
                _ if self.round.is_over.load(SeqCst) => return None,
                _ => {}
            }
        }
        panic!("{} does not answer {question}", self.round.dns);
    }

    fn any_key(&mut self) -> Key {
        let names = names(self.number);
        (self.random.choose(&names).clone(), self.any_type())
    }

    fn any_type(&mut self) -> String {
        (*self.random.choose(&["A", "TXT"])).to_owned()
    }

    fn any_set(&mut self, rtype: &str) -> Set {
        let ttl = *self.random.choose(&[60, 300, 3600]);
        let count = 1 + self.random.below(2);
        let value: Vec<String> = (0..count).map(|_| self.any_value(rtype)).collect();
        Set::new(ttl, &value)
    }

    fn any_value(&mut self, rtype: &str) -> String {
        if rtype == "TXT" {
            return self.any_text();
        }
        let [.., b, c, d] = self.next_stamp().to_be_bytes();
        format!("{}.{b}.{c}.{d}", 10 + self.number)
    }

    fn any_text(&mut self) -> String {
        let stamp = self.next_stamp();
        format!("w{}-{stamp}", self.number)
    }

    fn next_stamp(&mut self) -> u64 {
        self.stamp += 1;
        self.stamp
    }
}

/// The names that are a writer's own.
pub fn names(number: usize) -> Vec<String> {
    let flat = (0..5).map(|name| format!("n{name}.w{number}.{FLAT}"));
    let in_zone = ["www", "mail.of"].map(|name| format!("{name}.{}", zone(number)));
    flat.chain(in_zone).collect()
}

/// The zone that is a writer's own.
pub fn zone(number: usize) -> String {
    format!("z{number}.test.")
}

/// A token for everything, up to this access.
pub fn token(name: &str, access: Access) -> TokenSpec {
    let everything = GrantSpec { access, zones: Vec::new(), names: Vec::new(), types: Vec::new() };
    TokenSpec { name: name.to_owned(), grants: vec![everything], expires: None }
}

/// What DNS should say; `None` if there should be no answer.
pub fn expected(set: Option<&Set>) -> Option<String> {
    Some(format!("NOERROR {}", set?.value.join(" ")))
}

/// Whether DNS says it.
pub fn is_as_expected(answer: &str, expected: Option<&str>) -> bool {
    // Where there is nothing, it depends on what is around it.
    expected.map_or(["NOERROR", "NXDOMAIN", "REFUSED"].contains(&answer), |expected| answer == expected)
}

/// Whether a serial is older than another ([RFC 1982, section 3.2](https://www.rfc-editor.org/rfc/rfc1982#section-3.2)).
pub fn is_before(serial: u32, other: u32) -> bool {
    serial != other && other.wrapping_sub(serial) < 1 << 31
}

fn spec(key: &Key, set: &Set) -> RecordSpec {
    RecordSpec {
        name: key.0.clone(),
        rtype: key.1.clone(),
        ttl: Some(set.ttl),
        value: set.value.clone().into(),
    }
}

fn request(changes: Vec<Step>) -> ChangeRequest {
    ChangeRequest { changes, preconditions: Vec::new(), dry_run: false, comment: None }
}
