//! What this crate counts.

use axum::http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Labels {
    path: String,
    code: u16,
}

/// Requests by path and status code.
#[derive(Clone, Default)]
pub(crate) struct Requests(Family<Labels, Counter>);

impl Requests {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let requests = Self::default();
        registry.register("dns_api_requests", "HTTP requests by path and status code", requests.0.clone());
        requests
    }

    /// Counts a request to a route, told by its template.
    pub(crate) fn count(&self, path: &str, status: StatusCode) {
        let labels = Labels { path: path.to_owned(), code: status.as_u16() };
        self.0.get_or_create(&labels).inc();
    }
}
