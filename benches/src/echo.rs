//! The floor: what receiving and sending cost when nothing is looked up.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use crate::sys::Batch;

/// How often a server without traffic looks whether its time is over.
const PATIENCE: Duration = Duration::from_millis(200);
/// Under traffic, it looks at the clock once in so many batches.
const BATCHES_PER_LOOK: u32 = 1024;
/// Third octet of the header.
const FLAGS: usize = 2;
/// "This is a response" ([RFC 1035, section 4.1.1](https://www.rfc-editor.org/rfc/rfc1035#section-4.1.1)).
const QR: u8 = 0x80;

/// A socket as a UDP worker of a DNS server has it: bound with `SO_REUSEPORT`.
pub fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Sends every query back as its own answer, in batches and on this thread, until `time` is over; returns how many.
pub fn serve(socket: &UdpSocket, time: Duration) -> io::Result<u64> {
    socket.set_read_timeout(Some(PATIENCE))?;
    let end = Instant::now() + time;
    let mut batch = Batch::new();
    let mut answered = 0;
    let mut until_look = BATCHES_PER_LOOK;
    loop {
        let received = match batch.receive(socket, true) {
            Ok(received) => received,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(error),
        };
        until_look -= 1;
        if received == 0 || until_look == 0 {
            until_look = BATCHES_PER_LOOK;
            if Instant::now() >= end {
                return Ok(answered);
            }
        }
        for index in 0..received {
            if let Some(flags) = batch.packet_mut(index).get_mut(FLAGS) {
                *flags |= QR;
            }
        }
        let mut first = 0;
        while first < received {
            // A reply that cannot be sent is lost, as it would be on a wire.
            let sent = batch.send(socket, first).unwrap_or(0);
            answered += sent as u64;
            first += sent.max(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn only_the_response_bit_changes() {
        let socket = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = socket.local_addr().unwrap();
        // Ends with the test's process; a time just long enough would be too short on a busy machine.
        thread::spawn(move || serve(&socket, Duration::from_mins(1)));
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut reply = [0; 64];
        client.send_to(b"\x12\x34\x01\x00rest", address).unwrap();
        let octets = client.recv(&mut reply).unwrap();
        assert_eq!(&reply[..octets], b"\x12\x34\x81\x00rest");
        client.send_to(b"\x12", address).unwrap();
        assert_eq!(client.recv(&mut reply).unwrap(), 1);
    }

    #[test]
    fn time_ends_without_traffic() {
        let socket = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        assert_eq!(serve(&socket, Duration::from_millis(1)).unwrap(), 0);
    }
}
