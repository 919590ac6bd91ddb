//! Questions over UDP.

use std::io;
use std::net::UdpSocket;
use std::thread;
use std::time::Instant;

use super::flood::Flood;
use super::window::Window;
use super::{Idle, Plan, Report, TIMEOUT};
use crate::questions::Questions;
use crate::sys::{BATCH_PACKETS, Batch};

/// Asks over UDP until the time is over or all questions are asked, then waits for the last answers.
pub fn udp(plan: &Plan, questions: &Questions) -> io::Result<Report> {
    let per_socket = plan.check()?;
    let now = Instant::now();
    let mut clients = Vec::new();
    for number in 0..plan.sockets {
        let socket = UdpSocket::bind(plan.local())?;
        socket.connect(plan.target)?;
        // Sockets walk through the same questions, far from one another.
        let first = questions.len() * usize::from(number) / usize::from(plan.sockets);
        clients.push((socket, Window::new(questions, plan.check, per_socket, first, now)));
    }

    let start = Instant::now();
    let mut flood = Flood::new(plan, questions, start)?;
    let mut batch = Batch::new();
    let mut left = if questions.is_empty() { 0 } else { plan.queries_max };
    let mut end = None;
    let mut idle = Idle::new(start);
    loop {
        let now = Instant::now();
        if end.is_none() {
            idle.pass(now);
        }
        if end.is_none() && (left == 0 || now.duration_since(start) >= plan.time) {
            end = Some(now);
        }
        let mut moved = false;
        for (socket, window) in &mut clients {
            if end.is_none() {
                let asked = ask(&mut batch, socket, window, left, now);
                left -= asked;
                moved |= asked > 0;
            }
            moved |= receive(&mut batch, socket, window);
            window.sweep(now);
        }
        if let Some(flood) = &mut flood
            && end.is_none()
        {
            moved |= flood.ask(&mut batch, now);
        }
        if let Some(end) = end {
            let outstanding = clients.iter().any(|(_, window)| window.outstanding() > 0);
            if !outstanding || now.duration_since(end) >= TIMEOUT {
                let mut report = Report::default();
                for (_, window) in clients {
                    report.add(&window.finish());
                }
                if let Some(flood) = flood {
                    (report.flooded, report.flood_answered) = flood.finish(&mut batch);
                }
                return Ok(report.finish(end.duration_since(start), idle.sum));
            }
        }
        if !moved {
            idle.nothing = true;
            // Free where the core is ours; leaves it to the server where there is only one.
            thread::yield_now();
        }
    }
}

/// Asks as many questions as the window and one batch allow; returns how many. Waits until a quarter of the window is
/// free, so that a system call carries several.
fn ask(batch: &mut Batch, socket: &UdpSocket, window: &mut Window<'_>, left: u64, now: Instant) -> u64 {
    batch.clear();
    if window.free() * 4 < window.size() {
        return 0;
    }
    let count = window.free().min(BATCH_PACKETS).min(usize::try_from(left).unwrap_or(usize::MAX));
    for index in 0..count {
        let Some((id, packet)) = window.ask(now) else {
            break;
        };
        batch.push(packet);
        batch.packet_mut(index)[..2].copy_from_slice(&id.to_be_bytes());
    }
    let mut first = 0;
    while first < batch.len() {
        // What cannot be sent is overdue after a while and counts as lost.
        first += batch.send(socket, first).unwrap_or(0).max(1);
    }
    batch.len() as u64
}

/// Takes what has come; false if that is nothing.
fn receive(batch: &mut Batch, socket: &UdpSocket, window: &mut Window<'_>) -> bool {
    // An error tells that an earlier packet met a closed port; its question will be overdue.
    let received = batch.receive(socket, false).unwrap_or(0);
    for index in 0..received {
        window.settle(batch.packet(index));
    }
    received > 0
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::*;
    use crate::echo;
    use crate::load::Check;
    use crate::questions::Mixture;
    use crate::zone::ZonePlan;

    fn plan(target: SocketAddr, check: Check) -> Plan {
        Plan {
            target,
            sockets: 3,
            outstanding: 60,
            time: Duration::from_secs(20),
            queries_max: 5000,
            check,
            flood: 0,
        }
    }

    #[test]
    fn every_question_to_the_echo_server_comes_back() {
        let socket = echo::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let target = socket.local_addr().unwrap();
        // Ends with the test's process; a time just long enough would be too short on a busy machine.
        thread::spawn(move || echo::serve(&socket, Duration::from_mins(1)));
        let questions = Questions::new(ZonePlan { names: 300 }, Mixture::Hits);
        let report = udp(&plan(target, Check::Question), &questions).unwrap();
        assert_eq!((report.sent, report.answered + report.lost), (5000, 5000), "{report:?}");
        assert!(report.answered > 4000 && report.wrong == 0 && report.queries_per_second > 0.0, "{report:?}");

        // The echo has no records, and the full check must see that.
        let report = udp(&Plan { queries_max: 100, ..plan(target, Check::Full) }, &questions).unwrap();
        assert_eq!((report.answered, report.wrong + report.lost), (0, 100), "{report:?}");
        assert!(report.first_wrong.is_some_and(|reason| reason.contains("0 answers")));
    }

    #[test]
    fn silence_is_loss_and_ends() {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let questions = Questions::new(ZonePlan { names: 10 }, Mixture::Hits);
        let plan = Plan { queries_max: 60, ..plan(silent.local_addr().unwrap(), Check::Full) };
        let report = udp(&plan, &questions).unwrap();
        assert_eq!((report.sent, report.lost, report.answered), (60, 60, 0));
    }

    #[test]
    fn no_questions_are_no_endless_loop() {
        let target = SocketAddr::from(([127, 0, 0, 1], 9));
        assert_eq!(udp(&plan(target, Check::Full), &Questions::default()).unwrap().sent, 0);
    }
}
