//! A copy of everything.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderName, header};
use futures_util::stream::{StreamExt, unfold};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::auth::Caller;
use crate::model::{Problem, ProblemKind};

/// Octets that are read and sent at once.
const CHUNK_OCTETS: u64 = 256 * 1024;

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(backup))
}

/// Download a backup
///
/// A consistent copy of everything that is kept: zones and records made by the API, their history, and what is needed to know the
/// tokens. Changes go on meanwhile. Needs admin access.
#[utoipa::path(
    get,
    path = "/backup",
    tag = "server",
    operation_id = "backup",
    responses(
        (status = 200, description = "The copy", content_type = "application/octet-stream", body = Vec<u8>),
        (status = 503, description = "Nothing is kept, or the copy cannot be made", body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn backup(
    State(api): State<Arc<Api>>,
    caller: Caller,
) -> Result<([(HeaderName, String); 3], Body), Problem> {
    if !caller.is_admin() {
        return Err(Problem::new(ProblemKind::Forbidden, "backups are made for tokens with admin access"));
    }
    tracing::info!(target: "audit", author = %caller.author(), "backup");
    let made = tokio::task::spawn_blocking(move || {
        let file = api.host().backup()?;
        let octets = file.metadata().map_err(|error| error.to_string())?.len();
        Ok::<_, String>((file, octets))
    });
    let unavailable =
        |reason: String| Problem::new(ProblemKind::Unavailable, format!("there is no backup: {reason}"));
    let (file, octets) = made.await.map_err(|error| unavailable(error.to_string()))?.map_err(unavailable)?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, octets.to_string()),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"jw238dns.backup\"".to_owned()),
    ];
    // A body that ends before its length is an error to the client, so a copy that was cut off is never taken for a whole one.
    let ended = async move { caller.ended().await };
    let chunks = unfold((file, octets), chunk).take_until(Box::pin(ended));
    Ok((headers, Body::from_stream(chunks)))
}

/// The next part of a file of which so many octets are left.
async fn chunk((file, left): (File, u64)) -> Option<(io::Result<Bytes>, (File, u64))> {
    if left == 0 {
        return None;
    }
    let read = tokio::task::spawn_blocking(move || {
        let mut octets = Vec::new();
        let read = (&file).take(left.min(CHUNK_OCTETS)).read_to_end(&mut octets);
        let octets = match read {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(Bytes::from(octets)),
            Err(error) => Err(error),
        };
        (octets, file)
    });
    let (octets, file) = read.await.ok()?;
    // Nothing follows an error.
    let left = octets.as_ref().map_or(0, |octets| left - octets.len() as u64);
    Some((octets, (file, left)))
}
