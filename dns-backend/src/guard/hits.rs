//! How often each rule had an effect.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Guard;

/// Counts of one worker for the rules of one guard. Only that worker writes.
#[derive(Debug)]
pub(crate) struct RuleHits {
    names: Arc<[Box<str>]>,
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
        for (name, count) in self.names.iter().zip(&self.counts) {
            match sums.get_mut(&**name) {
                Some(sum) => *sum += count.load(Relaxed),
                None => drop(sums.insert(name.to_string(), count.load(Relaxed))),
            }
        }
    }
}

impl AllRuleHits {
    /// Counts for one more worker, or for one more guard of a worker.
    pub fn begin(&self, guard: &Guard) -> Arc<RuleHits> {
        let names = guard.rule_names();
        let counts = names.iter().map(|_| AtomicU64::new(0)).collect();
        let hits = Arc::new(RuleHits { names, counts });
        if !hits.names.is_empty() {
            let mut known = self.lock();
            // Nobody may ever ask for the sums.
            known.fold();
            known.present.push(hits.clone());
        }
        hits
    }

    /// By the name of the rule; those of rules that are gone stay.
    pub fn sums(&self) -> BTreeMap<String, u64> {
        let mut known = self.lock();
        known.fold();
        let mut sums = known.gone.clone();
        for hits in &known.present {
            hits.add_to(&mut sums);
        }
        sums
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Sums up the counts that nobody writes any more.
    fn fold(&mut self) {
        let gone = &mut self.gone;
        self.present.retain_mut(|hits| {
            // To be had alone means that its worker has gone over to another guard, and that all it has written can be seen.
            let is_present = Arc::get_mut(hits).is_none();
            if !is_present {
                hits.add_to(gone);
            }
            is_present
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::{Action, Condition, GuardSpec, Rule};

    #[test]
    fn counts_that_nobody_asks_for_do_not_pile_up() {
        let rule = Rule { name: "one".to_owned(), when: Condition::default(), action: Action::Refuse };
        let spec = GuardSpec { rules: vec![rule], ..GuardSpec::default() };
        let guard = Guard::new(&spec, &mut |_| unreachable!("no rule names a file")).unwrap();
        let all = AllRuleHits::default();
        for _ in 0..100 {
            all.begin(&guard).count(0);
        }
        assert!(all.lock().present.len() <= 1);
        assert_eq!(all.sums(), BTreeMap::from([("one".to_owned(), 100)]));
    }
}
