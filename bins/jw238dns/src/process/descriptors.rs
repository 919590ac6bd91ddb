//! As many file descriptors as the configuration may come to need.

use std::thread;

use dns_server::Config;
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

/// Raises the limit on descriptors where it is too low and may be raised, and warns where it stays too low: then the
/// TCP connections that are one too many are turned away, long before the configured limit.
pub fn provide_descriptors(config: &Config) {
    let needed = needed(config);
    let (soft, hard) = match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok(limits) => limits,
        Err(error) => {
            tracing::warn!(%error, "the limit on file descriptors cannot be read");
            return;
        }
    };
    if soft >= needed {
        return;
    }
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => tracing::debug!(before = soft, now = hard, "raised the limit on file descriptors"),
        Err(error) => tracing::warn!(%error, "the limit on file descriptors cannot be raised"),
    }
    let has = getrlimit(Resource::RLIMIT_NOFILE).map_or(soft, |(soft, _)| soft);
    if has < needed {
        tracing::warn!(
            limit = has,
            needed,
            "too few file descriptors for tcp.max_connections: raise the limit (LimitNOFILE= of systemd, ulimit -n) or lower the key"
        );
    }
}

/// Connections, a UDP and a TCP socket per listener and worker, and what everything else takes.
fn needed(config: &Config) -> rlim_t {
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let workers = config.workers.map_or_else(cores, usize::from);
    // TCP has a worker per core, whatever `workers` says.
    let sockets = config.listen.dns.len().saturating_mul(workers.saturating_add(cores()));
    let needed = config.tcp.max_connections.saturating_add(sockets).saturating_add(OTHERS);
    needed as rlim_t
}

/// Standard streams, event queues, HTTP connections (64 at most are served at once), files that are being read.
const OTHERS: usize = 128;

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    #[test]
    fn connections_and_sockets_are_counted() {
        let mut config = Config { workers: NonZeroUsize::new(3), ..Config::default() };
        let before = needed(&config);
        config.tcp.max_connections += 1000;
        assert_eq!(needed(&config), before + 1000);
        config.listen.dns.extend(config.listen.dns.clone());
        assert!(needed(&config) >= before + 1000 + 2 * 4);
        config.tcp.max_connections = usize::MAX;
        assert!(needed(&config) >= before, "what is absurd does not overflow");
    }
}
