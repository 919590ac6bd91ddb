//! Metrics and probes over HTTP.
//!
//! Meet [`Status`], which the assembly implements to say whether it is ready; [`router`], which answers `/metrics`, `/health` and
//! `/ready` from it; and [`Listener`], which serves such a router to clients that may be slow, many or hostile.
//!
//! No records and no zones: what is counted comes in as a [`Registry`](prometheus_client::registry::Registry) of collectors.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use dns_api::{Limits, Listener, prometheus_client::registry::Registry, router};
//!
//! struct Always;
//! impl dns_api::Status for Always {
//!     fn ready(&self) -> Result<(), Vec<String>> {
//!         Ok(())
//!     }
//! }
//! let listener = Listener::bind("127.0.0.1:8080".parse()?)?;
//! let stop = std::future::pending();
//! listener.serve(router(Always, Registry::default()), Limits::default(), stop).await;
//! # Ok(())
//! # }
//! ```

mod listener;
mod metrics;
mod naming;
mod patience;
mod router;

pub use self::{
    listener::{BindError, Limits, Listener},
    naming::misnamed,
    router::{Status, router},
};
pub use axum::Router;
pub use prometheus_client;
