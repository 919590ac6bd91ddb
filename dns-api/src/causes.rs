//! Errors told with what has led to them.

use std::error::Error;
use std::fmt;

/// An error with all its sources, the nearest first: they are not part of its own text.
///
/// ```
/// let error = dns_api::client::Client::new("http://", "").unwrap_err();
/// assert_eq!(dns_api::with_causes(&error).to_string(), error.to_string(), "it has none");
/// ```
pub fn with_causes<'e>(error: &'e (dyn Error + 'e)) -> impl fmt::Display + 'e {
    WithCauses(error)
}

struct WithCauses<'e>(&'e (dyn Error + 'e));

impl fmt::Display for WithCauses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::listener::BindError;

    #[derive(Debug, thiserror::Error)]
    #[error("there is no server")]
    struct Outer(#[source] BindError);

    #[test]
    fn causes_follow_the_error() {
        let address = "192.0.2.1:80".parse().unwrap();
        let error = BindError { address, source: io::Error::other("no such address") };
        let text = "cannot listen on 192.0.2.1:80 for HTTP: no such address";
        assert_eq!(with_causes(&error).to_string(), text);
        assert_eq!(with_causes(&Outer(error)).to_string(), format!("there is no server: {text}"));
    }
}
