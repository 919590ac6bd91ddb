//! What requests may say that nobody would listen to.
//!
//! Who writes `?dry_run=true`, `If-Match` or a body counts on it: a request that says what its route does not know is refused,
//! and not done as if that had not been said. What routes know is what their description lists, so that a handler cannot forget
//! it.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::HttpBody;
use axum::extract::{MatchedPath, Query, Request, State};
use axum::http::header::{IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderName, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::{OpenApi, RefOr};

use crate::faults::Faults;
use crate::model::Problem;
use crate::uri::BASE;

/// Conditions on which a change is made. Reads are the same without them, but for octets sent in vain. Those on times are not among
/// them: nothing here has a date of its last change, and then they mean nothing
/// ([RFC 9110, section 13.1.4](https://www.rfc-editor.org/rfc/rfc9110#section-13.1.4)).
const CONDITIONS: [(HeaderName, &str); 2] = [(IF_MATCH, "If-Match"), (IF_NONE_MATCH, "If-None-Match")];

/// What each operation listens to.
pub(crate) struct Known(HashMap<(String, Method), Operands>);

#[derive(Default)]
struct Operands {
    /// Names behind `?`.
    parameters: Vec<String>,
    headers: Vec<String>,
    has_body: bool,
}

impl Known {
    /// What the operations of a description take; its paths begin behind [`BASE`].
    pub fn of(document: &OpenApi) -> Self {
        // The description itself takes nothing.
        let mut known = HashMap::from([((format!("{BASE}/openapi.json"), Method::GET), Operands::default())]);
        for (path, item) in &document.paths.paths {
            let operations = [
                (Method::GET, &item.get),
                (Method::PUT, &item.put),
                (Method::POST, &item.post),
                (Method::DELETE, &item.delete),
            ];
            for (method, operation) in operations {
                if let Some(operation) = operation {
                    known.insert((format!("{BASE}{path}"), method), Operands::of(operation));
                }
            }
        }
        Self(known)
    }

    /// Refuses what the operation knows nothing of. Where there is no such operation, others say so.
    fn check(&self, request: &Request) -> Result<(), Problem> {
        let has_conditions = || CONDITIONS.iter().any(|(header, _)| request.headers().contains_key(header));
        // A body of no octets is none, unless it comes in chunks: then only its end would tell.
        let has_body = !request.body().is_end_stream();
        if request.uri().query().is_none() && !has_body && !has_conditions() {
            return Ok(());
        }
        let Some(path) = request.extensions().get::<MatchedPath>() else { return Ok(()) };
        let method = match *request.method() {
            Method::HEAD => Method::GET,
            ref method => method.clone(),
        };
        let is_read = method == Method::GET;
        let Some(operands) = self.0.get(&(path.as_str().to_owned(), method)) else { return Ok(()) };
        let mut faults = Faults::default();
        match Query::<Vec<(String, String)>>::try_from_uri(request.uri()) {
            Ok(Query(given)) => {
                for (at, (name, _)) in given.iter().enumerate() {
                    if !operands.parameters.contains(name) {
                        faults.add(name, operands.unknown());
                    } else if given[..at].iter().any(|(other, _)| other == name) {
                        faults.add(name, "it is given more than once");
                    }
                }
            }
            Err(error) => faults.add("", error.body_text()),
        }
        for (header, name) in CONDITIONS {
            let is_known = is_read || operands.headers.iter().any(|known| known.eq_ignore_ascii_case(name));
            if !is_known && request.headers().contains_key(header) {
                faults.add(name, "this request takes no such condition, so it was not done");
            }
        }
        if has_body && !operands.has_body {
            faults.add("body", operands.no_body());
        }
        if faults.is_empty() { Ok(()) } else { Err(faults.into_malformed()) }
    }
}

impl Operands {
    fn of(operation: &Operation) -> Self {
        let named = |place: &ParameterIn| {
            let parameters = operation.parameters.iter().flatten();
            let here = parameters.filter_map(|parameter| match parameter {
                RefOr::T(parameter) if parameter.parameter_in == *place => Some(parameter.name.clone()),
                _ => None,
            });
            here.collect()
        };
        Self {
            parameters: named(&ParameterIn::Query),
            headers: named(&ParameterIn::Header),
            has_body: operation.request_body.is_some(),
        }
    }

    fn unknown(&self) -> String {
        if self.parameters.is_empty() {
            return "the parameter is unknown; this request takes none".to_owned();
        }
        format!("the parameter is unknown; this request takes {}", self.parameters.join(", "))
    }

    fn no_body(&self) -> String {
        let none = "this request takes none, so it was not done";
        match &self.parameters[..] {
            [] => format!("{none}; leave it out"),
            parameters => format!("{none}; parameters stand behind the path: ?{}=", parameters.join("=, ?")),
        }
    }
}

/// Lets a request through whose parameters, conditions and body its route knows.
pub(crate) async fn refuse_unknown(
    State(known): State<Arc<Known>>,
    request: Request,
    next: Next,
) -> Response {
    match known.check(&request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}
