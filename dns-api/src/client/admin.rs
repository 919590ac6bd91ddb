//! What admins do: tokens and backups.

use std::io::{self, Write};

use http_body_util::BodyExt;
use hyper::Method;
use hyper::header::CONTENT_LENGTH;
use tokio::time::timeout;

use super::call::Call;
use super::{Client, ClientError};
use crate::model::{TokenInfo, TokenMade, TokenSpec, Tokens};

/// Tokens and backups.
impl Client {
    /// Makes a token; its secret is in the answer, and nowhere else.
    ///
    /// # Errors
    /// The server cannot be reached, or says no.
    pub async fn create_token(&self, spec: &TokenSpec) -> Result<TokenMade, ClientError> {
        Call::new(self, Method::POST, &["tokens"]).json(spec).read().await
    }

    /// All tokens.
    ///
    /// # Errors
    /// As [`create_token`](Self::create_token).
    pub async fn tokens(&self) -> Result<Tokens, ClientError> {
        Call::new(self, Method::GET, &["tokens"]).read().await
    }

    /// One token, by its public part.
    ///
    /// # Errors
    /// As [`create_token`](Self::create_token).
    pub async fn token(&self, id: &str) -> Result<TokenInfo, ClientError> {
        Call::new(self, Method::GET, &["tokens", id]).read().await
    }

    /// The token of this client.
    ///
    /// # Errors
    /// As [`create_token`](Self::create_token).
    pub async fn own_token(&self) -> Result<TokenInfo, ClientError> {
        Call::new(self, Method::GET, &["tokens", "self"]).read().await
    }

    /// Revokes a token, by its public part.
    ///
    /// # Errors
    /// As [`create_token`](Self::create_token).
    pub async fn revoke_token(&self, id: &str) -> Result<(), ClientError> {
        Call::new(self, Method::DELETE, &["tokens", id]).octets().await.map(drop)
    }

    /// Writes a backup of all that the server keeps; returns its octets. The whole may take any time, each part of it as long as
    /// an answer may.
    ///
    /// # Errors
    /// As [`create_token`](Self::create_token), or it cannot be written. What was written is not a backup then.
    pub async fn backup(&self, mut to: impl Write) -> Result<u64, ClientError> {
        let (response, connection) = Call::new(self, Method::GET, &["backup"]).send().await?.into_parts();
        let length =
            response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let mut body = response.into_body();
        let mut octets = 0u64;
        loop {
            let next = timeout(self.patience, body.frame()).await;
            let Some(frame) = next.map_err(|_| ClientError::Silence(self.patience))? else { break };
            let frame = frame.map_err(|error| ClientError::Interrupted(error.into()))?;
            if let Some(part) = frame.data_ref() {
                to.write_all(part).map_err(ClientError::Write)?;
                octets += part.len() as u64;
            }
        }
        if length.is_some_and(|length: u64| length != octets) {
            return Err(ClientError::Interrupted(io::Error::from(io::ErrorKind::UnexpectedEof).into()));
        }
        connection.give_back().await;
        Ok(octets)
    }
}
