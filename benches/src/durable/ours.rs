//! A store over a journal in a folder, as a server has it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use dns_core::zonefile::{self, Options};
use dns_core::{Name, RecordType, Rrset};
use dns_journal::{Folder, codec};
use dns_store::{
    Batch, Entry, Journal, JournalError, Kept, KeptZone, Marks, Source, Store, StoreOptions, Write,
};

use super::{Durable, Keeper, Syncs};
use crate::changes::Hosts;
use crate::zone::{APEX, ZonePlan};

/// Numbers of hosts that each writer has to itself; there are never more writers.
const WRITERS_MAX: usize = 64;

/// A store with the zone, and what is changed in it.
pub struct Ours {
    store: Store,
    journal: Arc<Counted>,
    hosts: Hosts,
    keeper: Keeper,
}

impl Ours {
    /// Makes the journal in an empty folder, and the zone in the store.
    pub fn open(folder: &Path, zone: ZonePlan, keeper: Keeper) -> Result<Self> {
        let ours = Self::reopen(folder, zone, keeper)?;
        let records = rrsets(zone)?;
        let apex: Name = APEX.parse()?;
        let is_shell = |rrset: &Rrset| {
            *rrset.owner() == apex && matches!(rrset.rtype(), RecordType::SOA | RecordType::NS)
        };
        let (shell, records) = records.into_iter().partition(is_shell);
        let zone = KeptZone { rrsets: shell };
        let write = Write::PutZone { apex, zone, records: Some(records), is_new: true };
        ours.store.stage(&Source::Api, &write, &[])?.wait()?;
        Ok(ours)
    }

    fn reopen(folder: &Path, zone: ZonePlan, keeper: Keeper) -> Result<Self> {
        let journal = Arc::new(Counted::over(Folder::open(folder)?));
        let store = Store::open(StoreOptions::default(), journal.clone())?;
        Ok(Self { store, journal, hosts: Hosts::new(zone), keeper })
    }

    /// How often the journal was given something so far.
    pub fn syncs(&self) -> Syncs {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let time = Duration::from_nanos(read(&self.journal.nanos));
        Syncs { count: read(&self.journal.batches), time }
    }

    /// Octets of the last change in the journal.
    pub fn entry_octets(&self) -> Result<usize> {
        let entry =
            self.store.entry(self.store.version())?.context("the last change is not in the history")?;
        Ok(codec::encode(&entry)?.len())
    }
}

impl Durable for Ours {
    fn change(&self, writer: u16, number: u64) -> Result<()> {
        let (owner, address) = change(&self.hosts, self.keeper, writer, number)?;
        let rrset = Rrset::new(owner.clone(), RecordType::A, 300, [address])?;
        let done = match self.keeper {
            Keeper::Create => self.store.create(&Source::Api, rrset, None),
            _ => self.store.update(&Source::Api, rrset, None),
        };
        done.with_context(|| format!("changing {owner}"))?;
        Ok(())
    }
}

/// Finds the last change of every name of every writer in the journal, as the next process will.
pub fn check(folder: &Path, zone: ZonePlan, keeper: Keeper, made: &[u64]) -> Result<()> {
    let ours = Ours::reopen(folder, zone, keeper)?;
    let catalog = ours.store.snapshot();
    let view = catalog.default_view().context("there is no view")?;
    for (writer, &made) in made.iter().enumerate() {
        // Of a name that was changed again and again, the last change counts.
        let first = if keeper == Keeper::Create {
            0
        } else {
            made.saturating_sub(own_hosts(&ours.hosts, writer as u16))
        };
        for number in first..made {
            let (owner, address) = change(&ours.hosts, keeper, writer as u16, number)?;
            let zone = view.zone_of(&owner).and_then(|entry| entry.zone());
            let rrset = zone.and_then(|zone| zone.node_of(&owner)?.rrset(RecordType::A));
            let is_there = rrset.is_some_and(|rrset| rrset.records.ends_with(&address));
            ensure!(is_there, "the change of {owner} was acknowledged, and is not there");
        }
    }
    Ok(())
}

/// The name and address of a writer's change. Names are the writer's own, so that its last change of one is the last of all.
fn change(hosts: &Hosts, keeper: Keeper, writer: u16, number: u64) -> Result<(Name, [u8; 4])> {
    let owner = if keeper == Keeper::Create {
        format!("n{number}-{writer}.{APEX}").parse()?
    } else {
        let place = number % own_hosts(hosts, writer);
        hosts.owner(place as usize * WRITERS_MAX + usize::from(writer))?
    };
    // Never the one that the file has, whose first octet is 10.
    Ok((owner, (number as u32 & 0x00FF_FFFF | 0x0B00_0000).to_be_bytes()))
}

/// How many of the hosts are a writer's own; with fewer than writers, they share.
fn own_hosts(hosts: &Hosts, writer: u16) -> u64 {
    (hosts.len().saturating_sub(usize::from(writer)).div_ceil(WRITERS_MAX)).max(1) as u64
}

/// The RRsets of the zone's file, in which those of a name stand together.
fn rrsets(zone: ZonePlan) -> Result<Vec<Rrset>> {
    let mut text = Vec::new();
    zone.write(&mut text)?;
    let mut groups: Vec<(Name, RecordType, u32, Vec<Vec<u8>>)> = Vec::new();
    let report = zonefile::read("", &text, &Options::default(), &mut zonefile::no_includes, |record| {
        let Ok(owner) = Name::from_wire(record.owner) else { return };
        match groups.last_mut() {
            Some((last, rtype, _, rdatas)) if *last == owner && *rtype == record.rtype => {
                rdatas.push(record.rdata.to_vec());
            }
            _ => groups.push((owner, record.rtype, record.ttl, vec![record.rdata.to_vec()])),
        }
    });
    ensure!(report.is_ok(), "the generated zone has mistakes");
    let rrset = |(owner, rtype, ttl, rdatas)| Ok(Rrset::new(owner, rtype, ttl, rdatas)?);
    groups.into_iter().map(rrset).collect()
}

/// A journal, and how often and for how long it was given something.
struct Counted {
    folder: Folder,
    batches: AtomicU64,
    nanos: AtomicU64,
}

impl Counted {
    fn over(folder: Folder) -> Self {
        Self { folder, batches: AtomicU64::new(0), nanos: AtomicU64::new(0) }
    }
}

impl Journal for Counted {
    fn is_durable(&self) -> bool {
        self.folder.is_durable()
    }

    fn append(&self, batch: &Batch) -> Result<(), JournalError> {
        let begin = Instant::now();
        let result = self.folder.append(batch);
        self.nanos.fetch_add(begin.elapsed().as_nanos() as u64, Ordering::Relaxed);
        self.batches.fetch_add(1, Ordering::Relaxed);
        result
    }

    fn restore(&self, view: Option<&str>, take: &mut dyn FnMut(Kept)) -> Result<Marks, JournalError> {
        self.folder.restore(view, take)
    }

    fn history(&self, before: Option<u64>, limit: usize) -> Result<Vec<Arc<Entry>>, JournalError> {
        self.folder.history(before, limit)
    }

    fn entry(&self, version: u64) -> Result<Option<Arc<Entry>>, JournalError> {
        self.folder.entry(version)
    }
}
