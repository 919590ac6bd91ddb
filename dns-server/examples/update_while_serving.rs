//! Changes records while they are served, and follows the changes.
//!
//! `cargo run -p jw238dns-server --example update_while_serving`

use std::error::Error;

use dns_server::Server;
use dns_server::dns_core::{Change, ChangeSet, RecordType, Rrset};
use dns_server::store::{Event, Source, Store, Watch};

/// Starts a server, changes its records, and stops.
#[tokio::main(flavor = "current_thread")]
pub async fn main() -> Result<(), Box<dyn Error>> {
    // Without a zone, records make up one by themselves: `example.org.` here.
    let server = Server::builder().listen("127.0.0.1:0".parse()?).build().await?;
    let running = server.start()?;
    println!("answering on {}", running.dns_addresses()[0]);
    change(running.store(), |line| println!("{line}")).await?;
    running.shutdown().await;
    Ok(())
}

/// Makes some changes and says what has come of them.
///
/// The store is a handle: cheap to clone, for as many threads as you like. Queries never wait for it.
pub async fn change(store: &Store, mut say: impl FnMut(String)) -> Result<(), Box<dyn Error>> {
    let mut events = store.watch();
    // Every write names its source, and no source touches what another one has written.
    let source = Source::Api;

    let version = store.create(&source, address("www.example.org", [192, 0, 2, 1])?, None)?;
    say(next(&mut events).await);

    // From the next query on there is the new address. With a version, the change fails if somebody else's came first.
    store.update(&source, address("www.example.org", [192, 0, 2, 2])?, Some(version))?;
    say(next(&mut events).await);
    if let Err(error) = store.update(&source, address("www.example.org", [192, 0, 2, 3])?, Some(version)) {
        say(format!("refused: {error}"));
    }

    // Several changes at once: all or none, and no query sees a part of them.
    let changes = ChangeSet {
        changes: vec![
            Change::Put(address("a.example.org", [192, 0, 2, 10])?),
            Change::Put(address("b.example.org", [192, 0, 2, 11])?),
            Change::Delete { owner: "www.example.org".parse()?, rtype: None },
        ],
        ..ChangeSet::default()
    };
    store.partial_reload(&source, &changes)?;
    say(next(&mut events).await);
    Ok(())
}

/// The next event, in words.
async fn next(events: &mut Watch) -> String {
    match events.next().await {
        Some(Event::Changed(changed)) => {
            let added = changed.added.iter().map(|rrset| ("added", rrset));
            let updated = changed.updated.iter().map(|(_, rrset)| ("updated", rrset));
            let deleted = changed.deleted.iter().map(|rrset| ("deleted", rrset));
            let all = added.chain(updated).chain(deleted);
            // The SOA record changes with every change.
            let all = all.filter(|(_, rrset)| rrset.rtype() == RecordType::A);
            let words: Vec<String> = all.map(|(what, rrset)| format!("{what} {}", rrset.owner())).collect();
            words.join(", ")
        }
        Some(Event::Reloaded { zone, .. }) => format!("loaded {zone}"),
        Some(Event::Views { .. }) => "other views".to_owned(),
        Some(Event::Lagged(missed)) => format!("missed {missed} events"),
        None => "the store is gone".to_owned(),
    }
}

/// An A record with a TTL of 300 seconds.
fn address(owner: &str, octets: [u8; 4]) -> Result<Rrset, Box<dyn Error>> {
    Ok(Rrset::new(owner.parse()?, RecordType::A, 300, [octets])?)
}
