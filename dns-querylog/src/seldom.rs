//! What may be said now and then only, or tried: a log of queries must not flood the log of the process.

use std::time::{Duration, Instant};

/// Says when something is due again.
#[derive(Debug, Default)]
pub(crate) struct Seldom {
    last: Option<Instant>,
}

impl Seldom {
    /// Something of this kind is reported at most this often.
    pub(crate) const PERIOD: Duration = Duration::from_mins(1);

    /// It is due, and is taken to happen now.
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        let due = self.last.is_none_or(|last| now.saturating_duration_since(last) >= Self::PERIOD);
        if due {
            self.last = Some(now);
        }
        due
    }
}

/// How long to wait before something that failed is tried again.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    const MIN: Duration = Duration::from_millis(100);
    const MAX: Duration = Duration::from_secs(10);

    pub(crate) fn new() -> Self {
        Self { next: Self::MIN }
    }

    /// The wait after a failure of what had worked for so long. It doubles each time, and begins anew only after what has worked
    /// for a while: who takes connections just to close them is as good as nobody.
    pub(crate) fn wait(&mut self, worked: Duration) -> Duration {
        if worked >= Self::MAX {
            self.next = Self::MIN;
        }
        let wait = self.next;
        self.next = (wait * 2).min(Self::MAX);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_per_period_is_enough() {
        let mut seldom = Seldom::default();
        let begin = Instant::now();
        let due: Vec<_> = [0, 1, 59, 60, 61, 119, 300]
            .into_iter()
            .filter(|&second| seldom.is_due(begin + Duration::from_secs(second)))
            .collect();
        assert_eq!(due, [0, 60, 300]);
    }

    #[test]
    fn waits_grow_until_something_works() {
        let mut backoff = Backoff::new();
        let mut waits = |worked: u64, times: usize| -> Vec<u128> {
            (0..times).map(|_| backoff.wait(Duration::from_secs(worked)).as_millis()).collect()
        };
        assert_eq!(waits(0, 9), [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert_eq!(waits(9, 1), [10_000], "what works for a moment only does not count");
        assert_eq!(waits(10, 1), [100]);
        assert_eq!(waits(0, 1), [200]);
    }
}
