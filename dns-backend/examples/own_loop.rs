//! Answers packets in a loop of one's own, with `dns-core` and `dns-backend` alone: no runtime, no threads, one socket.
//!
//! `cargo run -p jw238dns-backend --example own_loop`, then `dig @127.0.0.1 -p 5300 www.example.org`.

use std::error::Error;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use dns_backend::{Authoritative, Packets, Respond, Responder, Transport};
use dns_core::zone::{Place, SourceTag, ZoneBuilder};
use dns_core::zonefile::{self, Options};
use dns_core::{Catalog, Name, View, ZoneEntry, ZoneState};

const ZONE: &str = "
$TTL 300
@       SOA  ns hostmaster 1 1h 10m 1w 5m
@       NS   ns
ns      A    192.0.2.53
www     A    192.0.2.1
";

fn main() -> Result<(), Box<dyn Error>> {
    let socket = UdpSocket::bind("127.0.0.1:5300")?;
    println!("answering on {}", socket.local_addr()?);
    // A catalog that never changes is enough here; a `dns_store::Store` in its place can change while it is served.
    let authoritative = Authoritative::new(Arc::new(catalog()?));
    // Each thread has a responder of its own.
    let mut responder = authoritative.responder(Transport::Udp);
    loop {
        exchange(&socket, &mut responder)?;
    }
}

/// Receives a request and sends its reply, if it deserves one.
pub fn exchange(socket: &UdpSocket, responder: &mut impl Responder) -> io::Result<()> {
    let mut packet =
        Packet { request: [0; 4096], octets: 0, client: None, reply: [0; 4096], reply_octets: 0 };
    let (octets, client) = socket.recv_from(&mut packet.request)?;
    packet.octets = octets;
    packet.client = Some(client);
    responder.respond(&mut packet);
    if packet.reply_octets > 0 {
        socket.send_to(&packet.reply[..packet.reply_octets], client)?;
    }
    Ok(())
}

/// All that is served: one zone.
pub fn catalog() -> Result<Catalog, Box<dyn Error>> {
    let apex: Name = "example.org".parse()?;
    let mut builder = ZoneBuilder::new(apex.clone());
    let options = Options { origin: Some(apex.clone()), ..Options::default() };
    let report = zonefile::read("zone", ZONE.as_bytes(), &options, &mut zonefile::no_includes, |record| {
        let place = Place { file: record.file, line: record.position.line };
        builder.add(record.owner, record.rtype, record.ttl, record.rdata, SourceTag::default(), place);
    });
    if !report.is_ok() {
        return Err(report.to_string().into());
    }
    let built =
        builder.finish().map_err(|faults| faults.iter().map(ToString::to_string).collect::<String>())?;
    let mut view = View::new("default");
    view.put(ZoneEntry {
        apex,
        state: ZoneState::Serving(built.zone),
        fallthrough: false,
        derived: false,
        access: None,
    });
    Ok(Catalog::new().with_view(view))
}

/// A batch of one. A loop that gets many packets at once lends up to [`Packets::BATCH_MAX`] of them, and what one waits
/// for is fetched from memory while the others are read.
struct Packet {
    request: [u8; 4096],
    octets: usize,
    client: Option<SocketAddr>,
    reply: [u8; 4096],
    reply_octets: usize,
}

impl Packets for Packet {
    fn len(&self) -> usize {
        usize::from(self.client.is_some())
    }

    fn request(&self, _index: usize) -> &[u8] {
        &self.request[..self.octets]
    }

    fn exchange(&mut self, _index: usize) -> (&[u8], &mut [u8]) {
        (&self.request[..self.octets], &mut self.reply)
    }

    fn client(&self, _index: usize) -> SocketAddr {
        self.client.unwrap_or_else(|| ([0, 0, 0, 0], 0).into())
    }

    fn now(&self) -> std::time::Duration {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
    }

    fn send(&mut self, _index: usize, octets: usize) {
        self.reply_octets = octets;
    }
}
