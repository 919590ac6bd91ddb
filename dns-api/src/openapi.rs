//! The description of the API, made of those of its handlers.

use std::sync::LazyLock;

use axum::Router;
use axum::body::Bytes;
use axum::http::header;
use axum::routing::get;
use serde_json::Value;
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, PathItem};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, LicenseBuilder, ObjectBuilder, OpenApi, OpenApiBuilder,
    Ref, RefOr, Response, ResponseBuilder, Schema, ServerBuilder, Type,
};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use crate::model::{Event, Problem};
use crate::uri::BASE;
use crate::v1;

/// Name of the one way to prove who one is.
const BEARER: &str = "token";

const DESCRIPTION: &str = "\
Records and zones of a DNS server, live within milliseconds.

Requests carry a token: `Authorization: Bearer …`. Errors are `application/problem+json` with all reasons. Unknown fields of \
bodies are refused with 422, unknown parameters and bodies of requests that take none with 400, and a method that a path \
does not have with 405. Names are absolute, the dot at their end may be missing; TTLs are in seconds. Versions count the \
changes of everything that is served; that of a name is its `ETag`.";

/// Tags of operations, and what they have in common.
const TAGS: [(&str, &str); 8] = [
    ("records", "Records, one name and type at a time"),
    ("changes", "Several changes at once, and the history of all"),
    ("zones", "Zones, as a whole and as zone files"),
    ("events", "What changes, as it happens"),
    ("answers", "What is answered, and why"),
    ("server", "The server itself"),
    ("tokens", "Who may do what"),
    ("probes", "What needs no token"),
];

/// What every operation that takes a token may answer besides its own.
const COMMON: [(&str, &str); 4] = [
    ("400", "The request cannot be read"),
    ("401", "There is no valid token"),
    ("403", "The token does not allow this"),
    ("429", "Too much is asked at once"),
];

/// What is answered to everybody may be refused to some all the same: to whoever asks far too often, and, where more is told
/// than to probes, to pages of other sites.
const REFUSED: [(&str, &str); 3] = [
    ("400", "The request cannot be read"),
    ("403", "A page of another site may have sent it"),
    ("429", "Too much is asked at once"),
];

/// What `/ready` tells whom.
const NOT_READY: &str = "\
It is not: what is missing, one reason per line; for clients on other machines, how many reasons there are";

/// The description of the API that the router serves, as OpenAPI 3.1.
pub fn openapi() -> Value {
    // Maps with text for keys, strings and numbers can always be written.
    let mut document = serde_json::to_value(document()).unwrap_or_default();
    name_formats(&mut document);
    document
}

fn document() -> OpenApi {
    let base = OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("jw238dns")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(DESCRIPTION))
                .license(Some(LicenseBuilder::new().name(env!("CARGO_PKG_LICENSE")).build()))
                .build(),
        )
        .servers(Some([ServerBuilder::new().url("/").description(Some("This server")).build()]))
        .components(Some(
            ComponentsBuilder::new()
                .schema(Problem::name(), Problem::schema())
                .schemas_from_iter(event_schemas())
                .security_scheme(BEARER, SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)))
                .build(),
        ))
        .tags(Some(TAGS.map(|(name, text)| TagBuilder::new().name(name).description(Some(text)).build())))
        .build();
    let mut document = OpenApiRouter::with_openapi(base).nest(BASE, v1::routes()).split_for_parts().1;
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        operation.security = Some(vec![SecurityRequirement::new(BEARER, [""; 0])]);
        for (status, text) in COMMON {
            let responses = &mut operation.responses.responses;
            responses.entry(status.to_owned()).or_insert_with(|| problem(text).into());
        }
    }
    for (path, item) in open_paths() {
        document.paths.paths.insert(path, item);
    }
    document
}

/// Serves the document; needs no token.
pub(crate) fn router() -> Router {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| openapi().to_string().into());
    Router::new().route(
        "/openapi.json",
        get(async || ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.clone())),
    )
}

/// Gives formats of unsigned numbers their names in the registry of OpenAPI, which utoipa writes with a hyphen.
fn name_formats(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(format)) = fields.get_mut("format")
                && let Some(bits) = format.strip_prefix("u-int")
            {
                *format = format!("uint{bits}");
            }
            fields.values_mut().for_each(name_formats);
        }
        Value::Array(values) => values.iter_mut().for_each(name_formats),
        _ => {}
    }
}

/// What the data of a server-sent event is, which no response refers to.
fn event_schemas() -> Vec<(String, RefOr<Schema>)> {
    let mut schemas = vec![(Event::name().into_owned(), Event::schema())];
    Event::schemas(&mut schemas);
    schemas
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch].into_iter().flatten()
}

fn problem(text: &str) -> Response {
    let schema = Ref::from_schema_name(Problem::name());
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(text).content("application/problem+json", content).build()
}

/// What is answered to everybody.
fn open_paths() -> Vec<(String, PathItem)> {
    let text = |description: &str, content_type: &str| {
        let schema = Schema::Object(ObjectBuilder::new().schema_type(Type::String).build());
        let content = ContentBuilder::new().schema(Some(schema)).build();
        ResponseBuilder::new().description(description).content(content_type, content).build()
    };
    let plain = "text/plain; charset=utf-8";
    let object = ContentBuilder::new().schema(Some(Schema::Object(ObjectBuilder::new().build()))).build();
    let document =
        ResponseBuilder::new().description("OpenAPI 3.1").content("application/json", object).build();
    let operation = |id: &str, summary: &str| {
        OperationBuilder::new()
            .operation_id(Some(id))
            .summary(Some(summary))
            .tag("probes")
            .security(SecurityRequirement::default())
    };
    let path = |operation: OperationBuilder| PathItem::new(HttpMethod::Get, operation.build());
    let refused = |operation: OperationBuilder| {
        REFUSED.iter().fold(operation, |operation, (status, text)| operation.response(*status, problem(text)))
    };
    vec![
        (
            format!("{BASE}/openapi.json"),
            path(refused(operation("openapi", "Describes the API").response("200", document))),
        ),
        (
            "/health".to_owned(),
            path(operation("health", "Says that the server runs").response("200", text("It does", plain))),
        ),
        (
            "/ready".to_owned(),
            path(
                operation("ready", "Says whether everything is served that should be")
                    .response("200", text("It is", plain))
                    .response("503", text(NOT_READY, plain)),
            ),
        ),
        (
            "/metrics".to_owned(),
            path(refused(operation("metrics", "Tells what the server counts").response(
                "200",
                text("OpenMetrics text", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
            ))),
        ),
    ]
}
