//! A responder that does what the test's messages tell it to, and clients for both transports.
#![allow(dead_code, reason = "not every test file uses all of it")]

use std::{
    io::{self, Read, Write},
    net::{IpAddr, SocketAddr, TcpStream, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use dns_backend::{Packets, Respond, Responder, Transport};
use dns_frontend::{Bound, Config, Counters, Frontend, Running, Totals, UdpEngine};

/// Longest wait for anything; reached only when a test fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Sends requests back with QR set; a 13th octet asks for something else.
#[derive(Default)]
pub struct Echo {
    pub largest_batch: AtomicUsize,
    pub clients_seen: std::sync::Mutex<Vec<SocketAddr>>,
}

pub struct Worker(Arc<Echo>);

/// What [`Echo`] wants to be shared as.
pub struct Shared(pub Arc<Echo>);

impl Respond for Shared {
    type Responder = Worker;

    fn responder(&self, _: Transport) -> Worker {
        Worker(self.0.clone())
    }
}

impl Responder for Worker {
    fn respond(&mut self, packets: &mut impl Packets) {
        self.0.largest_batch.fetch_max(packets.len(), Ordering::Relaxed);
        for index in 0..packets.len() {
            let client = packets.client(index);
            self.0.clients_seen.lock().unwrap().push(client);
            let length = packets.request(index).len();
            let (request, reply) = packets.exchange(index);
            let octets = match request.get(12) {
                Some(b'S') => continue,
                Some(b'P') => panic!("as the test asked"),
                // A reply of so many octets, or as many as fit.
                Some(b'L') => usize::from(u16::from_be_bytes([request[13], request[14]])).min(reply.len()),
                _ => length.min(reply.len()),
            };
            reply[..octets].fill(request.get(1).copied().unwrap_or_default());
            let copied = octets.min(length);
            reply[..copied].copy_from_slice(&request[..copied]);
            if octets > 2 {
                reply[2] |= 0x80;
            }
            packets.send(index, octets);
        }
    }
}

/// A frontend under test.
pub struct Server {
    pub running: Running,
    pub addresses: Vec<SocketAddr>,
    pub counters: Counters,
    pub echo: Arc<Echo>,
}

impl Server {
    pub fn start(config: Config) -> Self {
        let bound: Bound = Frontend::bind(config).unwrap();
        let addresses = bound.local_addrs().to_vec();
        let echo = Arc::new(Echo::default());
        let running = bound.serve(Arc::new(Shared(echo.clone()))).unwrap();
        Self { counters: running.counters(), running, addresses, echo }
    }

    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Waits until the counters fulfil a condition.
    #[track_caller]
    pub fn wait_for(&self, what: &str, condition: impl Fn(&Totals) -> bool) -> Totals {
        wait_for(&self.counters, what, condition)
    }

    pub fn stop(self) -> Totals {
        self.running.shutdown().unwrap();
        self.counters.totals()
    }
}

#[track_caller]
pub fn wait_for(counters: &Counters, what: &str, condition: impl Fn(&Totals) -> bool) -> Totals {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let totals = counters.totals();
        if condition(&totals) {
            return totals;
        }
        assert!(Instant::now() < deadline, "{what} did not happen: {totals:?}");
        thread::yield_now();
    }
}

/// One worker of each kind on a free port of an address.
pub fn config(address: &str) -> Config {
    let mut config =
        Config { listen: vec![SocketAddr::new(address.parse().unwrap(), 0)], ..Config::default() };
    config.udp.workers = 1;
    config.tcp.workers = 1;
    config
}

pub fn with_engine(engine: UdpEngine, address: &str) -> Config {
    let mut config = config(address);
    config.udp.engine = engine;
    config
}

/// A message of that ID and length, with any octets behind its header.
pub fn message(id: u16, octets: usize, rest: &[u8]) -> Vec<u8> {
    let mut message = vec![0; octets.max(12 + rest.len())];
    message[..2].copy_from_slice(&id.to_be_bytes());
    message[12..12 + rest.len()].copy_from_slice(rest);
    message
}

/// Asks for a reply of that many octets.
pub fn ask_for(id: u16, octets: u16) -> Vec<u8> {
    let [high, low] = octets.to_be_bytes();
    message(id, 12, &[b'L', high, low])
}

/// A message as [`Echo`] sends it back.
pub fn echoed(request: &[u8]) -> Vec<u8> {
    let mut reply = request.to_vec();
    reply[2] |= 0x80;
    reply
}

pub fn udp_client(address: &str) -> UdpSocket {
    let client = UdpSocket::bind((address.parse::<IpAddr>().unwrap(), 0)).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client
}

pub fn receive(client: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = vec![0; 65_536];
    let (octets, from) = client.recv_from(&mut buffer).unwrap();
    buffer.truncate(octets);
    (buffer, from)
}

pub fn tcp_client(server: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(server).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.set_write_timeout(Some(PATIENCE)).unwrap();
    client
}

/// A message behind its length.
pub fn framed(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    [&length[..], message].concat()
}

pub fn read_message(client: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 2];
    client.read_exact(&mut length).unwrap();
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    client.read_exact(&mut message).unwrap();
    message
}

/// Sends a query and checks its reply.
#[track_caller]
pub fn converse(client: &mut TcpStream, id: u16) {
    let request = message(id, 20, b"");
    client.write_all(&framed(&request)).unwrap();
    assert_eq!(read_message(client), echoed(&request));
}

#[track_caller]
pub fn converse_all(clients: &mut [TcpStream], id: u16) {
    for client in clients {
        converse(client, id);
    }
}

/// Reads to the end of the connection, which may be a reset.
#[track_caller]
pub fn read_to_close(client: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = vec![0; 65_536];
    loop {
        match client.read(&mut buffer) {
            Ok(0) => return all,
            Ok(octets) => all.extend_from_slice(&buffer[..octets]),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return all,
            Err(error) => panic!("the connection was not closed: {error}"),
        }
    }
}
