//! Telling the service manager that the server is alive, and only then.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use dns_server::Running;
use tokio::net::UdpSocket;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::service;

/// Says that the server is alive twice in each period of the service manager's watchdog, as long as that is true; never returns.
///
/// Being alive means answering: it asks its own listeners over UDP. In a flood such a question may get lost like others, so
/// it counts as well when the server has answered anybody since the last time.
pub async fn watch_over(running: &Running) {
    let period = sd_notify::watchdog_enabled().map(|limit| limit / 2).filter(|period| !period.is_zero());
    let Some(period) = period else { return std::future::pending().await };
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut handled = 0;
    loop {
        ticks.tick().await;
        let deadline = Instant::now() + period / 2;
        if is_answered(running.dns_addresses(), deadline).await || has_grown(&mut handled, running) {
            service::alive();
        } else {
            tracing::error!(
                "no answer to a question to this server itself: it does not tell the service manager that it is alive"
            );
        }
    }
}

/// Some listener answers a question before the deadline.
async fn is_answered(addresses: &[SocketAddr], deadline: Instant) -> bool {
    let patience = deadline.saturating_duration_since(Instant::now()) / ATTEMPTS;
    for attempt in 0..ATTEMPTS {
        let begun = Instant::now();
        for address in addresses {
            let own = SocketAddr::new(reachable(address.ip()), address.port());
            if timeout(patience / addresses.len() as u32, ask(own, attempt as u16))
                .await
                .is_ok_and(|asked| asked.is_some())
            {
                return true;
            }
        }
        // What is refused at once is tried again later, not faster.
        sleep_until(begun + patience).await;
    }
    false
}

/// Waits for any reply to a question; `None` if it cannot be asked.
async fn ask(server: SocketAddr, id: u16) -> Option<()> {
    // A socket per question: the kernel chooses the worker by the addresses of both ends.
    let own: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((own, 0)).await.ok()?;
    socket.connect(server).await.ok()?;
    socket.send(&question(id)).await.ok()?;
    let mut reply = [0; 512];
    loop {
        let octets = socket.recv(&mut reply).await.ok()?;
        let is_reply = octets >= HEADER_OCTETS && reply[..2] == id.to_be_bytes() && reply[2] & 0x80 != 0;
        if is_reply {
            return Some(());
        }
    }
}

/// Asks for the name servers of the root ([RFC 1035, section 4.1](https://www.rfc-editor.org/rfc/rfc1035#section-4.1)): refused
/// or answered, that takes nobody long.
fn question(id: u16) -> [u8; 17] {
    let mut message = [0; 17];
    message[..2].copy_from_slice(&id.to_be_bytes());
    message[5] = 1; // QDCOUNT
    message[14] = 2; // NS; the root's name before it is one zero octet
    message[16] = 1; // IN
    message
}

/// More queries have been answered or dropped than the last time.
fn has_grown(before: &mut u64, running: &Running) -> bool {
    let now = handled(&running.metrics());
    std::mem::replace(before, now) < now
}

/// Sum of the counters of queries in the text of `/metrics`.
fn handled(metrics: &str) -> u64 {
    let samples = metrics.lines().filter(|line| HANDLED.iter().any(|name| line.starts_with(name)));
    samples.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// An address that a client on this machine can ask.
pub fn reachable(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    }
}

const ATTEMPTS: u32 = 4;
const HEADER_OCTETS: usize = 12;
const HANDLED: [&str; 2] = ["dns_backend_queries_total", "dns_backend_dropped_total"];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use dns_server::config::{Listen, Listener};
    use dns_server::{Config, Server};

    use super::*;

    #[tokio::test]
    async fn a_server_that_answers_is_alive_and_a_silent_one_is_not() {
        let listen =
            Listen { dns: vec![Listener::required("127.0.0.1:0".parse().unwrap())], ..Listen::default() };
        let server = Server::build(Config { listen, ..Config::sample() }).await.unwrap();
        let addresses = server.dns_addresses().to_vec();
        let soon = || Instant::now() + Duration::from_millis(200);
        assert!(!is_answered(&addresses, soon()).await, "its sockets are bound, and nobody reads them");

        let running = server.start().unwrap();
        let mut before = 0;
        assert!(is_answered(&addresses, Instant::now() + Duration::from_mins(1)).await);
        assert!(has_grown(&mut before, &running), "the question was counted");
        // Those that nobody has read before are answered now, sooner or later.
        assert!(before > 0 && (0..=ATTEMPTS).any(|_| !has_grown(&mut before, &running)));
        running.shutdown().await;
        assert!(!is_answered(&addresses, soon()).await, "it has stopped");
    }

    #[test]
    fn only_queries_are_summed() {
        let text = "# HELP dns_backend_queries Queries\ndns_backend_queries_total{rcode=\"NOERROR\"} 3\n\
                    dns_backend_queries_total{rcode=\"a b\"} 4\ndns_backend_dropped_total{transport=\"udp\"} 5\nother_total 7\n";
        assert_eq!(handled(text), 12);
        assert_eq!(handled(""), 0);
    }
}
