//! Why there is no answer, or not the one that was hoped for.

use std::io;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::HeaderName;
use thiserror::Error;

use crate::model::{Problem, ProblemKind};

/// Why a method of the client has failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// This is no URL of a server.
    #[error("'{url}' cannot be used: {why}")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The token has characters that none has.
    #[error("the token is none")]
    Token,
    /// The certificates to trust cannot be used.
    #[error("the certificates to trust cannot be used: {0}")]
    Ca(String),
    /// A value has characters that cannot stand in a header.
    #[error("the value for {0} cannot be sent")]
    Header(HeaderName),
    /// The request cannot be written as JSON.
    #[error("the request cannot be written as JSON")]
    Body(#[source] serde_json::Error),
    /// No connection to the server.
    #[error("cannot connect to {server}")]
    Connect {
        /// Host and port.
        server: String,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// The connection broke; whether the server has done what was asked is not known.
    #[error("the connection broke")]
    Http(#[from] hyper::Error),
    /// The connection broke while the answer came, or it is too long.
    #[error("the answer did not arrive as a whole")]
    Interrupted(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server takes too long; whether it has done what was asked is not known.
    #[error("no answer within {} s", .0.as_secs_f32())]
    Silence(Duration),
    /// The server says no, and why.
    #[error("{0}")]
    Problem(Problem),
    /// Somebody says no who is no server of ours.
    #[error("{status}: {text}")]
    Status {
        /// The status code.
        status: StatusCode,
        /// The beginning of what came with it.
        text: String,
    },
    /// The answer is not what it should be.
    #[error("the answer cannot be read")]
    Answer(#[source] serde_json::Error),
    /// The answer should be text.
    #[error("the answer is no text")]
    NoText,
    /// What came cannot be written to where it should go.
    #[error("what was received cannot be written")]
    Write(#[source] io::Error),
    /// The stream of events is none.
    #[error("the stream of events cannot be read: {0}")]
    Stream(String),
}

impl ClientError {
    /// What the server has found wrong, if it was asked and says so.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            _ => None,
        }
    }

    /// Which kind of problem the server has found.
    pub fn kind(&self) -> Option<ProblemKind> {
        self.problem()?.known_kind()
    }

    /// The status code with which the server says no.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Problem(problem) => StatusCode::from_u16(problem.status).ok(),
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }
}
