//! What each route answers to whom.

use crate::server::{ADMIN, READ, WRITE};

/// Who asks, in the order of the columns below: nobody; who may read everything; who may write everything; who may write in
/// another zone only; at another name only; records of another type only; an admin.
pub const CALLERS: [Option<&str>; 7] = [
    None,
    Some(READ),
    Some(WRITE),
    Some(r#"[{"access":"write","zones":["example.com"]}]"#),
    Some(r#"[{"access":"write","names":["www.example.org"]}]"#),
    Some(r#"[{"access":"write","types":["TXT"]}]"#),
    Some(ADMIN),
];

/// What stands at `hidden.example.org`, of type A.
pub const HIDDEN: &str = "192.0.2.66";
/// Which of the callers may get to know.
pub const MAY_READ_HIDDEN: [bool; 7] = [false, true, true, false, false, false, true];

/// A request, and what each caller gets for it.
pub struct Route {
    pub method: &'static str,
    /// The path as the description of the API has it.
    pub template: &'static str,
    /// The path that is asked: `{change}` is the version in which the hidden record was made, `{token}` somebody's token.
    pub path: &'static str,
    pub body: &'static str,
    pub expected: [u16; 7],
}

impl Route {
    /// The server is another one once this was done.
    pub fn is_change(&self) -> bool {
        // Trying events makes some happen.
        self.method != "GET" || self.template.ends_with("/events")
    }
}

/// Open to everybody.
const OPEN: [u16; 7] = [200; 7];
/// For every token; how much is told depends on it.
const SHOWN: [u16; 7] = [401, 200, 200, 200, 200, 200, 200];
/// For those who may read the hidden record; nobody else is told whether there is one.
const READABLE: [u16; 7] = [401, 200, 200, 403, 403, 403, 200];
/// For those who may read anything in `example.org`.
const READABLE_ZONE: [u16; 7] = [401, 200, 200, 403, 200, 200, 200];
/// For those who may write the hidden record, or all of the zone.
const WRITABLE: [u16; 7] = [401, 403, 200, 403, 403, 403, 200];
const CREATABLE: [u16; 7] = [401, 403, 201, 403, 403, 403, 201];
const ADMINS: [u16; 7] = [401, 403, 403, 403, 403, 403, 200];

pub const ROUTES: &[Route] = &[
    get("/health", "/health", OPEN),
    get("/ready", "/ready", OPEN),
    get("/metrics", "/metrics", OPEN),
    get("/api/v1/openapi.json", "/api/v1/openapi.json", OPEN),
    get("/api/v1/records", "/api/v1/records", SHOWN),
    get("/api/v1/records", "/api/v1/records?zone=example.org&prefix=hid", SHOWN),
    route(
        "POST",
        "/api/v1/records",
        r#"{"name":"new.example.org","type":"A","value":["192.0.2.2"]}"#,
        CREATABLE,
    ),
    // That something is there already is told to those only who may write it.
    route(
        "POST",
        "/api/v1/records",
        r#"{"name":"hidden.example.org","type":"A","value":["192.0.2.2"]}"#,
        [401, 403, 409, 403, 403, 403, 409],
    ),
    // What is wrong with records that are not theirs is not told either.
    route(
        "POST",
        "/api/v1/records",
        r#"{"name":"new.example.org","type":"A","value":["nonsense"]}"#,
        [401, 403, 422, 403, 403, 403, 422],
    ),
    // Who may read other types of the name is told that there are none.
    get("/api/v1/records/{name}", "/api/v1/records/hidden.example.org", [401, 200, 200, 403, 403, 404, 200]),
    get("/api/v1/records/{name}", "/api/v1/records/absent.example.org", [401, 404, 404, 403, 403, 404, 404]),
    get("/api/v1/records/{name}", "/api/v1/records/hidden.example.org?type=A", READABLE),
    Route {
        path: "/api/v1/records/hidden.example.org?type=A",
        ..route("PUT", "/api/v1/records/{name}", r#"{"value":["192.0.2.2"]}"#, WRITABLE)
    },
    Route {
        path: "/api/v1/records/hidden.example.org?type=A",
        ..route("DELETE", "/api/v1/records/{name}", "", WRITABLE)
    },
    Route {
        path: "/api/v1/records/hidden.example.org",
        ..route("DELETE", "/api/v1/records/{name}", "", WRITABLE)
    },
    route(
        "POST",
        "/api/v1/changes",
        r#"{"changes":[{"op":"delete","name":"hidden.example.org","type":"A"}]}"#,
        WRITABLE,
    ),
    // One change beyond the scope is too much, wherever it stands; so is finding out by a plan, or by a precondition.
    route(
        "POST",
        "/api/v1/changes",
        r#"{"changes":[
            {"op":"put","record":{"name":"www.example.org","type":"TXT","value":["a"]}},
            {"op":"put","record":{"name":"www.example.com","type":"TXT","value":["a"]}},
            {"op":"put","record":{"name":"hidden.example.org","type":"A","value":["192.0.2.2"]}}]}"#,
        WRITABLE,
    ),
    route(
        "POST",
        "/api/v1/changes",
        r#"{"changes":[{"op":"delete","name":"hidden.example.org"}],"dry_run":true}"#,
        WRITABLE,
    ),
    route(
        "POST",
        "/api/v1/changes",
        r#"{"changes":[],"preconditions":[{"exists":{"name":"hidden.example.org","type":"A"}}]}"#,
        WRITABLE,
    ),
    get("/api/v1/changes", "/api/v1/changes", SHOWN),
    get("/api/v1/changes/{version}", "/api/v1/changes/{change}", READABLE),
    Route {
        path: "/api/v1/changes/{change}/revert",
        ..route("POST", "/api/v1/changes/{version}/revert", "", WRITABLE)
    },
    get("/api/v1/zones", "/api/v1/zones", SHOWN),
    route("POST", "/api/v1/zones", r#"{"name":"example.net"}"#, CREATABLE),
    route("POST", "/api/v1/zones", r#"{"name":"a.example.org"}"#, CREATABLE),
    get("/api/v1/zones/{zone}", "/api/v1/zones/example.org", READABLE_ZONE),
    Route { path: "/api/v1/zones/example.org", ..route("DELETE", "/api/v1/zones/{zone}", "", WRITABLE) },
    get("/api/v1/zones/{zone}/export", "/api/v1/zones/example.org/export", READABLE_ZONE),
    Route {
        path: "/api/v1/zones/example.org/import",
        ..route("PUT", "/api/v1/zones/{zone}/import", "www A 192.0.2.2\n", WRITABLE)
    },
    get("/api/v1/zones/{zone}/check", "/api/v1/zones/example.org/check", READABLE_ZONE),
    get("/api/v1/events", "/api/v1/events?since=0", SHOWN),
    get(
        "/api/v1/resolve",
        "/api/v1/resolve?name=hidden.example.org&type=A",
        [401, 200, 200, 403, 403, 403, 200],
    ),
    // DNS is answered nowhere here.
    get(
        "/api/v1/test-dns",
        "/api/v1/test-dns?hostname=hidden.example.org&type=A",
        [401, 503, 503, 403, 403, 403, 503],
    ),
    get("/api/v1/status", "/api/v1/status", SHOWN),
    route("POST", "/api/v1/reload", "", ADMINS),
    get("/api/v1/tokens", "/api/v1/tokens", ADMINS),
    route(
        "POST",
        "/api/v1/tokens",
        r#"{"name":"mine","grants":[{"access":"read"}]}"#,
        [401, 403, 403, 403, 403, 403, 201],
    ),
    get("/api/v1/tokens/self", "/api/v1/tokens/self", SHOWN),
    get("/api/v1/tokens/{id}", "/api/v1/tokens/{token}", ADMINS),
    Route {
        path: "/api/v1/tokens/{token}",
        ..route("DELETE", "/api/v1/tokens/{id}", "", [401, 403, 403, 403, 403, 403, 204])
    },
    get("/api/v1/backup", "/api/v1/backup", ADMINS),
];

/// A request to the path as it is described.
const fn route(
    method: &'static str,
    template: &'static str,
    body: &'static str,
    expected: [u16; 7],
) -> Route {
    Route { method, template, path: template, body, expected }
}

const fn get(template: &'static str, path: &'static str, expected: [u16; 7]) -> Route {
    Route { method: "GET", template, path, body: "", expected }
}
