//! Where tokens are kept.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use thiserror::Error;

use super::token::{Token, TokenId};

/// Keeps tokens, so that they are still valid after a restart. What is kept holds no secret, see [`Token::to_record`].
///
/// [`put`](Self::put) and [`remove`](Self::remove) return once it is safe, and may wait for a disk: they are called where
/// waiting is allowed, one at a time.
pub trait TokenStore: Send + Sync + 'static {
    /// All tokens.
    ///
    /// # Errors
    /// They cannot be read; the API must not start then, since a token that was revoked may be among those that can.
    fn load(&self) -> Result<Vec<Token>, TokenStoreError>;

    /// Keeps a token, in place of the one of that identity if there is one.
    ///
    /// # Errors
    /// It is not kept.
    fn put(&self, token: &Token) -> Result<(), TokenStoreError>;

    /// Forgets a token; nothing happens if there is none of that identity.
    ///
    /// # Errors
    /// It may come back with the next start.
    fn remove(&self, id: TokenId) -> Result<(), TokenStoreError>;
}

/// What the place where tokens are kept says of its trouble.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{0}")]
pub struct TokenStoreError(pub String);

/// Tokens that end with the process.
#[derive(Debug, Default)]
pub struct MemoryTokens(Mutex<BTreeMap<TokenId, Token>>);

impl TokenStore for MemoryTokens {
    fn load(&self) -> Result<Vec<Token>, TokenStoreError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect())
    }

    fn put(&self, token: &Token) -> Result<(), TokenStoreError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(token.id(), token.clone());
        Ok(())
    }

    fn remove(&self, id: TokenId) -> Result<(), TokenStoreError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        Ok(())
    }
}
