//! Records by source, published as immutable catalogs: the only writer of zones.
//!
//! Meet [`Store`], a handle that is cheap to clone; [`Source`], which every write names; and [`Event`], which tells what
//! has changed. Readers take a [`Catalog`](dns_core::Catalog) and never wait: a change makes the next catalog and swaps
//! it in. What one source writes never deletes what another has written: the one with the higher precedence is served,
//! the other is kept, and served as soon as the first withdraws.
//!
//! ```
//! use dns_core::{RecordType, Rrset};
//! use dns_store::{Source, Store, StoreOptions};
//!
//! let store = Store::new(StoreOptions::default());
//! let www = Rrset::new("www.example.org".parse()?, RecordType::A, 300, [[192, 0, 2, 1]])?;
//! store.create(&Source::Api, www, None)?;
//! let found = store.get(&"www.example.org".parse()?, RecordType::A);
//! assert_eq!(found.map(|found| found.source), Some(Source::Api));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! No sockets, no packets, no files.

mod commit;
mod derived;
mod error;
mod event;
mod fold;
mod journal;
mod keeper;
mod layers;
mod marked;
mod names;
mod options;
mod pending;
mod query;
mod restore;
mod source;
mod state;
mod store;
mod sync;
mod turn;
mod write;
mod zones;

pub use self::{
    error::{Reason, StoreError},
    event::{Changed, Event, Watch},
    journal::{Batch, Entry, Journal, JournalError, Kept, KeptZone, Marks, RecordChange, ZoneRecord},
    options::{DerivedAuthority, StoreOptions},
    pending::Pending,
    query::{Filter, Found, Page, Shadowed, ZoneInfo},
    source::{Source, SourceKind},
    store::{ExpectedZone, Reader, Store},
    write::{Planned, Write},
    zones::ZoneOptions,
};
