//! Why a question gets the answer it gets.

use dns_backend::{ExplainedVerdict, Explanation, Question};
use dns_core::RecordType;
use dns_store::{Source, Store};

use crate::check::Checks;
use crate::config::Config;
use crate::content::Content;
use crate::guard::{self, Secrets};

/// What decides about the answer to a question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Explained {
    /// View, rules, zone and verdict.
    pub explanation: Explanation,
    /// Whose records answer, if records do. Those made up for zones that nobody declared are nobody's.
    pub source: Option<Source>,
}

impl Explained {
    pub(crate) fn new(explanation: Explanation, store: &Store, question: &Question) -> Self {
        let view = explanation.zone.as_ref().and_then(|zone| store.view(&zone.view));
        let of = |owner, rtype| Some(view.as_ref()?.get(owner, rtype)?.source);
        let source = match &explanation.verdict {
            ExplainedVerdict::Records { owner, .. } => of(owner, question.rtype),
            ExplainedVerdict::Alias { owner, .. } => {
                of(owner, RecordType::CNAME).or_else(|| of(owner, RecordType::DNAME))
            }
            _ => None,
        };
        Self { explanation, source }
    }
}

/// Says what a server with this configuration would answer to a question, and why. Loads all zones and records, without
/// serving them; the question's listener is the place of the address in [`Listen::dns`](crate::config::Listen::dns).
///
/// # Errors
/// Databases that rules name cannot be used.
pub fn explain(config: &Config, question: &Question) -> Result<Explained, Vec<String>> {
    let guard = guard::compile(config, &Secrets::none())?;
    let mut content = Content::new(config, Checks::Elsewhere);
    content.update(config);
    let explanation = dns_backend::explain(&content.store().snapshot(), &guard, question);
    Ok(Explained::new(explanation, content.store(), question))
}
