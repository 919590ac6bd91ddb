//! Killed while many write: what was acknowledged is there, what was not is there as a whole or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use dns_api::auth::Access;
use dns_api::client::{Client, ClientError, Revision};
use dns_api::model::{Change as Step, ChangeRequest};
use tokio::task::JoinSet;

use crate::ledger::{Change, Ledger, Set};
use crate::random::{Random, play};
use crate::site::{Site, client, record, runtime, serial};
use crate::support::{Process, ask, ask_wire};
use crate::writer::{
    FLAT, PAIR, Round, Seen, Tokens, Writer, expected, is_as_expected, is_before, names, token, zone,
};

const WRITERS: usize = 8;
/// How often a server is killed on one folder.
const ROUNDS: usize = 5;
/// The most that may be acknowledged in a round.
const ACKNOWLEDGED_MAX: u64 = 300;
/// How long a server lives on at most once so much was acknowledged.
const GRACE: Duration = Duration::from_millis(3);

#[test]
fn whatever_was_acknowledged_survives_a_kill() {
    play(1, 60, |seed| {
        println!("TEST_SEED={seed}");
        runtime().block_on(game(seed));
    });
}

/// Everything that is known about one folder.
struct Game {
    site: Site,
    random: Random,
    ledger: Ledger,
    seen: Seen,
    tokens: Vec<Tokens>,
    /// Names and secrets of the tokens that writers use.
    writers: Vec<(String, String)>,
    stamp: u64,
}

async fn game(seed: u64) {
    let site = Site::new("", "");
    let mut game = Game {
        site,
        random: Random::new(seed),
        ledger: Ledger::default(),
        seen: Seen::default(),
        tokens: (0..WRITERS).map(|_| Tokens::default()).collect(),
        writers: Vec::new(),
        stamp: 0,
    };
    let mut server = game.site.start();
    game.prepare(&server).await;
    for round in 0..ROUNDS {
        println!("round {round}");
        let (acknowledged, mut in_doubt) = game.round(server).await;
        server = game.start_again();
        game.check(&server, &acknowledged, &mut in_doubt).await;
    }
    // In good order for once.
    server.stop();
    let server = game.site.start();
    game.check(&server, &BTreeMap::new(), &mut Vec::new()).await;
}

impl Game {
    /// Makes the tokens of writers, and what is always there.
    async fn prepare(&mut self, server: &Process) {
        let admin = self.site.admin(server);
        for number in 0..WRITERS {
            let made = admin.create_token(&token(&format!("writer-{number}"), Access::Write)).await.unwrap();
            self.writers.push((made.token.name, made.secret));
        }
        let apex = record(&format!("{FLAT} TXT apex"));
        let apex = admin.put_record(&apex, Revision::Absent).await.unwrap().version;
        let pair = PAIR.map(|name| record(&format!("{name} TXT both")));
        let changes = pair.map(|record| Step::Put { record }).into();
        let request = ChangeRequest { changes, preconditions: Vec::new(), dry_run: false, comment: None };
        let pair = admin.change(&request).await.unwrap().version;
        let change = |names: &[&str], value: &str| Change {
            author: "admin".to_owned(),
            records: names
                .iter()
                .map(|name| {
                    (((*name).to_owned(), "TXT".to_owned()), Some(Set::new(300, &[value.to_owned()])))
                })
                .collect(),
            ..Change::default()
        };
        let done = BTreeMap::from([(apex, change(&[FLAT], "apex")), (pair, change(&PAIR, "both"))]);
        self.ledger.check(&admin, &done, &mut Vec::new()).await;
    }

    /// Lets all write until so much is acknowledged, then kills the server. Returns what was acknowledged, and what may or may
    /// not have been done.
    async fn round(&mut self, server: Process) -> (BTreeMap<u64, Change>, Vec<Change>) {
        let goal = 1 + self.random.below(ACKNOWLEDGED_MAX) as usize;
        let round = Arc::new(Round::new(server.dns(), goal, self.seen.clone()));
        let admin = self.site.admin(&server);
        let mut running = JoinSet::new();
        for (number, (name, secret)) in self.writers.iter().enumerate() {
            let has_zone = self.ledger.has_zone(&zone(number));
            let mut writer = Writer::new(
                (number, name.clone()),
                Random::new(self.random.next()),
                (client(&server, secret), admin.clone()),
                round.clone(),
                (&self.ledger.records, has_zone),
                self.stamp,
            )
            .await;
            writer.tokens = std::mem::take(&mut self.tokens[number]);
            running.spawn(async move {
                writer.run().await;
                (number, writer)
            });
        }
        self.stamp += 1 << 20;
        tokio::select! {
            () = round.reached.notified() => {}
            ended = running.join_next() => panic!("a writer has ended: {:?}", ended.map(|ended| ended.map(drop))),
        }
        // Between any two operations of the disk, and not just behind an acknowledgement.
        tokio::time::sleep(GRACE.mul_f64(self.random.below(1000) as f64 / 1000.0)).await;
        round.is_over.store(true, SeqCst);
        drop(server);
        let (mut acknowledged, mut in_doubt) = (BTreeMap::new(), Vec::new());
        while let Some(ended) = running.join_next().await {
            let (number, writer) =
                ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
            for (version, change) in writer.changes {
                let twice = acknowledged.insert(version, change);
                assert!(twice.is_none(), "version {version} was acknowledged twice");
            }
            in_doubt.extend(writer.in_doubt);
            self.tokens[number] = writer.tokens;
        }
        self.seen = round.seen.lock().unwrap().clone();
        (acknowledged, in_doubt)
    }

    /// Starts a server on what the last one has left, and now and then kills that one, too, while it starts.
    fn start_again(&mut self) -> Process {
        while self.random.one_in(3) {
            let server = self.site.spawn();
            server.wait_for("loading");
            // Chooses the moment of the kill; nothing counts on how long it takes.
            std::thread::sleep(Duration::from_millis(self.random.below(60)));
        }
        self.site.start()
    }

    async fn check(
        &mut self,
        server: &Process,
        acknowledged: &BTreeMap<u64, Change>,
        in_doubt: &mut Vec<Change>,
    ) {
        let admin = self.site.admin(server);
        self.ledger.check(&admin, acknowledged, in_doubt).await;
        self.check_dns(server);
        self.check_tokens(server, &admin).await;
    }

    fn check_dns(&mut self, server: &Process) {
        let dns = server.dns();
        for name in (0..WRITERS).flat_map(names) {
            for rtype in ["A", "TXT"] {
                let question = format!("{name} {rtype}");
                let answer = ask(dns, &question);
                let expected = expected(self.ledger.records.get(&(name.clone(), rtype.to_owned())));
                assert!(
                    is_as_expected(&answer, expected.as_deref()),
                    "{question}: {answer} and not {expected:?}"
                );
            }
        }
        let [left, right] = PAIR.map(|name| ask(dns, &format!("{name} TXT")));
        assert_eq!(left, right, "half a set of changes");
        // What was seen was on disk.
        for value in std::mem::take(&mut self.seen.pair) {
            let key = (PAIR[0].to_owned(), "TXT".to_owned());
            let set = Set::new(60, std::slice::from_ref(&value));
            assert!(value == "both" || self.ledger.has_seen(&key, &set), "{value} was seen, and is lost");
        }
        for (apex, seen) in &mut self.seen.serials {
            // A zone may have gone since.
            if let Some(serial) = serial(&ask_wire(dns, &format!("{apex} SOA"))) {
                assert!(!is_before(serial, *seen), "{apex}: serial {serial} after {seen}");
                *seen = serial;
            }
        }
    }

    async fn check_tokens(&mut self, server: &Process, admin: &Client) {
        let mut there: BTreeMap<String, String> = BTreeMap::new();
        for token in admin.tokens().await.unwrap().tokens {
            there.insert(token.id, token.name);
        }
        for tokens in &mut self.tokens {
            for (id, secret) in std::mem::take(&mut tokens.revoked_in_doubt) {
                let list = if there.contains_key(&id) { &mut tokens.live } else { &mut tokens.revoked };
                list.push((id, secret));
            }
            for (id, _) in &tokens.live {
                assert!(there.remove(id).is_some(), "token {id} is lost");
            }
            for (id, _) in &tokens.revoked {
                assert!(!there.contains_key(id), "token {id} is valid again");
            }
            there.retain(|_, name| !tokens.made_in_doubt.contains(name));
        }
        let unknown =
            |name: &String| *name != "admin" && !self.writers.iter().any(|(writer, _)| writer == name);
        let unknown: Vec<&String> = there.values().filter(|name| unknown(name)).collect();
        assert!(unknown.is_empty(), "nobody has made {unknown:?}");
        // One of each by its secret; whoever shows too many wrong ones is kept waiting.
        let live = self.tokens.iter().flat_map(|tokens| &tokens.live).last();
        if let Some((id, secret)) = live {
            assert_eq!(client(server, secret).own_token().await.unwrap().id, *id);
        }
        if let Some((id, secret)) = self.tokens.iter().flat_map(|tokens| &tokens.revoked).last() {
            let error = client(server, secret).own_token().await.unwrap_err();
            assert_eq!(status(&error), 401, "token {id}: {error}");
        }
    }
}

fn status(error: &ClientError) -> u16 {
    error.status().unwrap_or_else(|| panic!("{error}")).as_u16()
}
