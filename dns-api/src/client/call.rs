//! One request and its answer.

use std::time::Duration;

use axum::body::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::connection::Connection;
use super::{Client, ClientError};
use crate::model::Problem;
use crate::uri::{BASE, segment};

/// Most octets of an answer that is read as a whole: far more than a zone of a million records takes.
const ANSWER_OCTETS_MAX: usize = 512 << 20;

/// A request that is put together and then sent in one of several ways.
#[must_use]
pub(super) struct Call<'c> {
    client: &'c Client,
    method: Method,
    target: String,
    /// The next parameter is the first.
    is_bare: bool,
    headers: HeaderMap,
    body: Result<Bytes, ClientError>,
}

/// An answer whose body has not been read.
pub(super) struct Answer {
    pub response: Response<Incoming>,
    connection: Connection,
}

impl<'c> Call<'c> {
    /// A request for a path under `/api/v1`, given by its segments as they are meant.
    pub fn new(client: &'c Client, method: Method, path: &[&str]) -> Self {
        let mut target = format!("{}{BASE}", client.prefix);
        for part in path {
            target.push('/');
            target.push_str(&segment(part));
        }
        Self { client, method, target, is_bare: true, headers: HeaderMap::new(), body: Ok(Bytes::new()) }
    }

    /// A request for a path of the server itself.
    pub fn of_server(client: &'c Client, path: &str) -> Self {
        let target = format!("{}{path}", client.prefix);
        Self { target, ..Self::new(client, Method::GET, &[]) }
    }

    /// With a parameter, if it has a value.
    pub fn with(mut self, parameter: &str, value: Option<impl ToString>) -> Self {
        if let Some(value) = value {
            self.target.push(if self.is_bare { '?' } else { '&' });
            self.is_bare = false;
            self.target.push_str(parameter);
            self.target.push('=');
            self.target.push_str(&segment(&value.to_string()));
        }
        self
    }

    /// With a header, if it has a value.
    pub fn header(mut self, name: HeaderName, value: Option<impl AsRef<str>>) -> Self {
        if let Some(value) = value {
            match HeaderValue::from_str(value.as_ref()) {
                Ok(value) => drop(self.headers.insert(name, value)),
                Err(_) => self.body = Err(ClientError::Header(name)),
            }
        }
        self
    }

    /// With JSON.
    pub fn json(mut self, body: &impl Serialize) -> Self {
        self.body =
            self.body.and_then(|_| serde_json::to_vec(body).map(Bytes::from).map_err(ClientError::Body));
        self.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self
    }

    /// With text of this type.
    pub fn text(mut self, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        self.body = self.body.map(|_| body.into());
        self.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        self
    }

    /// Sends it, and waits for the head of the answer.
    ///
    /// # Errors
    /// The server cannot be reached, or says no.
    pub async fn send(self) -> Result<Answer, ClientError> {
        let patience = self.client.patience;
        within(patience, self.sent()).await
    }

    /// Sends it, and reads JSON.
    pub async fn read<T: DeserializeOwned>(self) -> Result<T, ClientError> {
        let body = self.octets().await?;
        serde_json::from_slice(&body).map_err(ClientError::Answer)
    }

    /// Sends it, and reads text.
    pub async fn read_text(self) -> Result<String, ClientError> {
        let body = self.octets().await?;
        String::from_utf8(body.into()).map_err(|_| ClientError::NoText)
    }

    /// Sends it, and reads whatever comes.
    pub async fn octets(self) -> Result<Bytes, ClientError> {
        let patience = self.client.patience;
        within(patience, async { self.sent().await?.octets().await }).await
    }

    async fn sent(self) -> Result<Answer, ClientError> {
        let Self { client, method, target, headers, body, .. } = self;
        let target: hyper::Uri =
            target.parse().map_err(|_| ClientError::Url { url: target, why: "it is none".to_owned() })?;
        let mut request = Request::new(Full::new(body?));
        *request.method_mut() = method;
        *request.uri_mut() = target;
        *request.headers_mut() = headers;
        request.headers_mut().insert(header::HOST, client.host.clone());
        if let Some(authorization) = &client.authorization {
            request.headers_mut().insert(header::AUTHORIZATION, authorization.clone());
        }
        let (response, connection) = client.connections.send(request).await?;
        let answer = Answer { response, connection };
        if answer.response.status().is_success() { Ok(answer) } else { Err(answer.refusal().await) }
    }
}

impl Answer {
    /// The head and the body that follows, and the connection that can be given back after it.
    pub fn into_parts(self) -> (Response<Incoming>, Connection) {
        (self.response, self.connection)
    }

    /// Reads the body as a whole.
    async fn octets(self) -> Result<Bytes, ClientError> {
        let Self { response, connection } = self;
        let body = Limited::new(response.into_body(), ANSWER_OCTETS_MAX).collect().await;
        let octets = body.map_err(ClientError::Interrupted)?.to_bytes();
        connection.give_back().await;
        Ok(octets)
    }

    /// What an answer that is none of success says.
    async fn refusal(self) -> ClientError {
        let status = self.response.status();
        let retry_after = self.response.headers().get(header::RETRY_AFTER);
        let retry_after = retry_after.and_then(|seconds| seconds.to_str().ok()?.parse().ok());
        match self.octets().await.map(|octets| serde_json::from_slice::<Problem>(&octets).map_err(|_| octets))
        {
            Ok(Ok(problem)) => ClientError::Problem(Problem { retry_after, ..problem }),
            Ok(Err(octets)) => ClientError::Status { status, text: beginning(&octets) },
            Err(_) => ClientError::Status { status, text: String::new() },
        }
    }
}

/// The first line of what somebody has sent who is no server of ours.
fn beginning(octets: &[u8]) -> String {
    const CHARACTERS_MAX: usize = 200;
    let text = String::from_utf8_lossy(octets);
    let line = text.lines().next().unwrap_or_default().trim();
    line.chars().filter(|character| !character.is_control()).take(CHARACTERS_MAX).collect()
}

async fn within<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    timeout(patience, answer).await.unwrap_or(Err(ClientError::Silence(patience)))
}
