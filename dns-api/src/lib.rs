//! Records and zones managed over HTTP, with metrics and probes.
//!
//! Meet [`Host`], which the assembly implements to say what is managed; [`api_router`], which answers `/api/v1`, `/metrics`,
//! `/health` and `/ready` from it; and [`Listener`], which serves such a router to clients that may be slow, many or hostile.
//! What travels as JSON is in [`model`].
//!
//! No records are kept here: handlers ask and change a [`Store`](dns_store::Store). What is counted comes in as a
//! [`Registry`](prometheus_client::registry::Registry) of collectors.
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

mod api;
pub mod auth;
mod body;
mod causes;
pub mod client;
mod convert;
mod doubts;
mod etag;
mod extract;
mod faults;
mod holding;
mod host;
mod known;
mod listener;
mod metrics;
pub mod model;
mod naming;
mod openapi;
mod patience;
mod problem;
mod rate;
mod router;
mod seats;
mod tls;
#[doc(hidden)]
pub mod untrusted;
mod uri;
mod v1;

pub use self::{
    api::Api,
    causes::with_causes,
    host::Host,
    listener::{BindError, Ends, Limits, Listener},
    naming::misnamed,
    openapi::openapi,
    rate::{ApiLimits, Rate},
    router::{Status, api_router, router},
    tls::{Tls, TlsError, TlsFiles, TlsWarning},
    v1::events::FeedLimits,
};
pub use axum::Router;
pub use prometheus_client;
