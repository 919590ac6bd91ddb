//! How often each rule had an effect.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use super::Guard;

/// Counts of one worker for the rules of one guard. Only that worker writes.
#[derive(Debug)]
pub(crate) struct RuleHits {
    guard: Arc<Guard>,
    counts: Box<[AtomicU64]>,
}

/// The counts of all workers, those of guards and workers that are gone included.
#[derive(Debug, Default)]
pub(crate) struct AllRuleHits(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    present: Vec<Arc<RuleHits>>,
    /// By the name of the rule.
    gone: BTreeMap<String, u64>,
}

impl RuleHits {
    /// The rule of this number had an effect.
    #[inline]
    pub fn count(&self, number: usize) {
        if let Some(count) = self.counts.get(number) {
            count.store(count.load(Relaxed).wrapping_add(1), Relaxed);
        }
    }

    fn add_to(&self, sums: &mut BTreeMap<String, u64>) {
        for (name, count) in self.guard.rules().names().zip(&self.counts) {
            match sums.get_mut(name) {
                Some(sum) => *sum += count.load(Relaxed),
                None => drop(sums.insert(name.to_owned(), count.load(Relaxed))),
            }
        }
    }
}

impl AllRuleHits {
    /// Counts for one more worker, or for one more guard of a worker.
    pub fn begin(&self, guard: &Arc<Guard>) -> Arc<RuleHits> {
        let counts = (0..guard.rules().len()).map(|_| AtomicU64::new(0)).collect();
        let hits = Arc::new(RuleHits { guard: guard.clone(), counts });
        if !guard.rules().is_empty() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).present.push(hits.clone());
        }
        hits
    }

    /// By the name of the rule; those of rules that are gone stay.
    pub fn sums(&self) -> BTreeMap<String, u64> {
        let Known { present, gone } = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        present.retain_mut(|hits| {
            // To be had alone means that its worker has gone over to another guard, and that all it has written can be seen.
            let is_present = Arc::get_mut(hits).is_none();
            if !is_present {
                hits.add_to(gone);
            }
            is_present
        });
        let mut sums = gone.clone();
        for hits in present.iter() {
            hits.add_to(&mut sums);
        }
        sums
    }
}
