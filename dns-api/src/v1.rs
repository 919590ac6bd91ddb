//! Everything under `/api/v1`.

mod backup;
pub(crate) mod changes;
pub(crate) mod cursor;
pub(crate) mod events;
mod records;
mod reload;
mod resolve;
mod status;
mod tokens;
pub(crate) mod write;
mod zones;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;

use crate::api::Api;

/// All routes with their descriptions; paths begin behind `/api/v1`.
pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .merge(records::routes())
        .merge(changes::routes())
        .merge(zones::routes())
        .merge(events::routes())
        .merge(resolve::routes())
        .merge(status::routes())
        .merge(reload::routes())
        .merge(tokens::routes())
        .merge(backup::routes())
}
