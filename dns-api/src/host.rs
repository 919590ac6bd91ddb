//! What the API asks of the server around it.

use std::fs::File;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;

use dns_store::Store;

use crate::model::{Ask, Reloaded, Resolution, ServerStatus};

/// The server that is managed. The assembly implements it; tests implement it small.
pub trait Host: Send + Sync + 'static {
    /// Everything that should be served is served.
    ///
    /// # Errors
    /// Says what is missing, one sentence each: every zone that failed to load, by name.
    fn ready(&self) -> Result<(), Vec<String>>;

    /// The records of the default view.
    fn store(&self) -> &Store;

    /// TTL of records that are given without one, in seconds.
    fn default_ttl(&self) -> u32;

    /// Where DNS is answered right now.
    fn dns_addresses(&self) -> Vec<SocketAddr>;

    /// What would be answered to a question, and why. Takes as long as answering does.
    fn explain(&self, question: &Ask) -> Resolution;

    /// What runs, since when, and how it is doing.
    fn status(&self) -> ServerStatus;

    /// Reads configuration and files anew.
    fn reload(&self) -> Pin<Box<dyn Future<Output = Reloaded> + Send + '_>>;

    /// A consistent copy of all that is kept, open at its beginning. May take long, so it is called where waiting is allowed.
    ///
    /// # Errors
    /// Says why there is none: nothing is kept, or the disk is full.
    fn backup(&self) -> Result<File, String>;
}
