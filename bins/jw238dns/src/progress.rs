//! A sign of life for people who wait.

use std::future::Future;
use std::io::{IsTerminal, Write, stderr};
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// Waits for `work`; says on the standard error how long that has taken, if it is a terminal and takes more than a moment.
pub async fn shown<T>(what: &str, work: impl Future<Output = T>) -> T {
    if !stderr().is_terminal() {
        return work.await;
    }
    let mut work = pin!(work);
    let begun = Instant::now();
    let mut ticks = interval_at(begun + TICK, TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut is_shown = false;
    loop {
        tokio::select! {
            done = &mut work => {
                if is_shown {
                    write(&format!("\r{what}: {:.1} s\n", begun.elapsed().as_secs_f32()));
                }
                return done;
            }
            _ = ticks.tick() => {
                is_shown = true;
                write(&format!("\r{what}: {} s", begun.elapsed().as_secs()));
            }
        }
    }
}

/// A terminal that has gone away is no reason to stop.
fn write(text: &str) {
    let _ = stderr().write_all(text.as_bytes());
}

const TICK: Duration = Duration::from_secs(1);
