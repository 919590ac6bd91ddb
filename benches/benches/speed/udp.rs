//! `udp/*`: batches of queries to a server on loopback and back, system calls and all.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use benches::fixture;
use benches::questions::{Mixture, Questions};
use benches::sys::Batch;
use benches::zone::ZonePlan;
use criterion::{Criterion, Throughput};
use dns_backend::Authoritative;
use dns_frontend::{Config, Frontend, Running};

const PLAN: ZonePlan = ZonePlan { names: 10_000 };
const BATCHES: [usize; 3] = [1, 32, 64];
/// Loopback loses nothing while buffers suffice; whoever waits this long waits for something that will not come.
const PATIENCE: Duration = Duration::from_secs(5);

pub fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("udp");
    let mut server = None;
    for batch in BATCHES {
        group.throughput(Throughput::Elements(batch as u64));
        let mut client = None;
        group.bench_function(format!("batch_{batch}"), |bencher| {
            let (_, address) = server.get_or_insert_with(serve);
            let client = client.get_or_insert_with(|| Client::new(*address));
            bencher.iter(|| client.ask(batch));
        });
    }
    group.finish();
    if let Some((running, _)) = server {
        running.shutdown().expect("there are no connections to wait for");
    }
}

/// A server with one UDP worker.
fn serve() -> (Running, SocketAddr) {
    let mut config = Config { listen: vec![([127, 0, 0, 1], 0).into()], ..Config::default() };
    config.udp.workers = 1;
    config.tcp.workers = 1;
    let bound = Frontend::bind(config).expect("loopback has a free port");
    let address = bound.local_addrs()[0];
    let authoritative = Authoritative::new(fixture::generated(PLAN));
    (bound.serve(Arc::new(authoritative)).expect("threads can be started"), address)
}

struct Client {
    socket: UdpSocket,
    questions: Questions,
    next: usize,
    sending: Batch,
    receiving: Batch,
}

impl Client {
    fn new(server: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
        socket.connect(server).expect("loopback is near");
        socket.set_read_timeout(Some(PATIENCE)).expect("the time is not zero");
        let questions = Questions::new(PLAN, Mixture::Hits);
        Self { socket, questions, next: 0, sending: Batch::new(), receiving: Batch::new() }
    }

    /// Sends so many questions at once, waits for all answers, and looks whether each is one that a hit gets.
    fn ask(&mut self, count: usize) {
        self.sending.clear();
        for _ in 0..count {
            assert!(self.sending.push(self.questions.packet(self.next)));
            self.next = (self.next + 1) % self.questions.len();
        }
        let sent = self.sending.send(&self.socket, 0).expect("loopback takes datagrams");
        assert_eq!(sent, count);
        let mut answered = 0;
        while answered < count {
            let received = self.receiving.receive(&self.socket, true).expect("loopback gives datagrams");
            assert!(received > 0, "{} of {count} answers did not come", count - answered);
            for index in 0..received {
                // QR and AA, no error, one question, at least one answer
                let said = &self.receiving.packet(index)[2..8];
                assert!(said[..5] == [0x84, 0, 0, 1, 0] && said[5] > 0, "{said:?}");
            }
            answered += received;
        }
    }
}
