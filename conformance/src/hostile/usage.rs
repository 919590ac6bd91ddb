//! What a server's processes use, from `/proc`.

use std::fs;

use serde::Serialize;

/// Kernel ticks per second in `/proc/PID/stat`; the same on every Linux system that Rust supports.
const TICKS_PER_SECOND: f64 = 100.0;

/// Memory and CPU time of a process and all its descendants (NSD answers in children).
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Usage {
    /// VmRSS, in KiB. Pages that a parent shares with its children count for each.
    pub resident_kib: u64,
    /// VmHWM: the most that VmRSS ever was, in KiB.
    pub peak_kib: u64,
    /// User and system time so far.
    pub cpu_seconds: f64,
}

impl Usage {
    /// Of this process; zeros once it is gone.
    pub fn of(process: u32) -> Self {
        let mut usage = Self::default();
        for process in tree(process) {
            let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
            usage.resident_kib += kib(&status, "VmRSS:");
            usage.peak_kib += kib(&status, "VmHWM:");
            let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
            usage.cpu_seconds += ticks(&stat) as f64 / TICKS_PER_SECOND;
        }
        usage
    }
}

/// The process and its descendants.
fn tree(process: u32) -> Vec<u32> {
    let mut found = vec![process];
    let mut next = 0;
    while let Some(process) = found.get(next) {
        // Servers here fork from their first thread.
        let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
        found.extend(children.unwrap_or_default().split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
        next += 1;
    }
    found
}

/// A value of `/proc/PID/status`.
fn kib(status: &str, key: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// User and system ticks together: fields 14 and 15 (proc(5)).
fn ticks(stat: &str) -> u64 {
    // The name stands in parentheses and may hold some itself.
    let Some((_, behind_name)) = stat.rsplit_once(')') else { return 0 };
    behind_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
}

/// What all TCP sockets of this machine have in their buffers, in KiB, in pages of 4 KiB.
pub fn tcp_buffers_kib() -> u64 {
    buffers_in(&fs::read_to_string("/proc/net/sockstat").unwrap_or_default()) * 4
}

/// Pages.
fn buffers_in(sockstat: &str) -> u64 {
    let line = sockstat.lines().find_map(|line| line.strip_prefix("TCP:")).unwrap_or_default();
    let mut words = line.split_whitespace().skip_while(|word| *word != "mem");
    words.nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0)
}

/// Datagrams that the UDP sockets of this port have dropped because their buffers were full.
pub fn dropped_datagrams(port: u16) -> u64 {
    let table = fs::read_to_string("/proc/net/udp").unwrap_or_default();
    dropped_in(&table, port)
}

fn dropped_in(table: &str, port: u16) -> u64 {
    let port = format!(":{port:04X}");
    let sockets = table.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_whitespace();
        let local = fields.nth(1)?;
        local.ends_with(&port).then(|| fields.next_back()?.parse::<u64>().ok())?
    });
    sockets.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_usage_is_seen() {
        let usage = Usage::of(std::process::id());
        assert!(usage.resident_kib > 500 && usage.peak_kib >= usage.resident_kib / 2, "{usage:?}");
        assert_eq!(Usage::of(u32::MAX).resident_kib, 0);
    }

    #[test]
    fn fields_are_found() {
        assert_eq!(kib("Name:\tx\nVmHWM:\t  1234 kB\nVmRSS:\t 99 kB\n", "VmRSS:"), 99);
        assert_eq!(ticks("42 (a) b (c) S 1 42 42 0 -1 4194560 1 2 3 4 250 50 7 8 20 0 1 0 100 0 0"), 300);
        assert_eq!(
            buffers_in("sockets: used 5\nTCP: inuse 6 orphan 0 tw 0 alloc 9 mem 17\nUDP: inuse 1 mem 3\n"),
            17
        );
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
                     10: 0100007F:1234 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 1 2 0 5\n\
                     11: 0100007F:1234 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 1 2 0 7\n\
                     12: 0100007F:1235 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 1 2 0 9\n";
        assert_eq!(dropped_in(table, 0x1234), 12);
    }
}
