//! A batch of datagrams, each with a source address of its own: what spoofed floods look like to a server.

use std::io;
use std::mem::{self, offset_of};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;

use super::BATCH_PACKETS;

/// Octets of a datagram, at most.
const SPREAD_OCTETS_MAX: usize = 1500;

/// The ancillary data that names the source address (ip(7), `IP_PKTINFO`), laid out as `CMSG_DATA` finds it.
#[repr(C)]
struct Control {
    header: libc::cmsghdr,
    info: libc::in_pktinfo,
}

/// One datagram: its octets, from where, whereto.
struct Slot {
    target: libc::sockaddr_in,
    control: Control,
    vector: libc::iovec,
    octets: [u8; SPREAD_OCTETS_MAX],
}

/// Up to [`BATCH_PACKETS`] datagrams that leave one unconnected socket from many addresses of this machine.
///
/// Linux takes all of `127.0.0.0/8` for its own without any setup. The socket has to be bound to the unspecified address for
/// the replies to come back to it.
pub struct SpreadBatch {
    headers: Box<[libc::mmsghdr]>,
    slots: Box<[Slot]>,
    len: usize,
}

impl Default for SpreadBatch {
    fn default() -> Self {
        Self::new()
    }
}

impl SpreadBatch {
    /// An empty batch.
    pub fn new() -> Self {
        let headers = (0..BATCH_PACKETS).map(|_| {
            // SAFETY: integers and raw pointers, for which zeros are valid.
            unsafe { mem::zeroed() }
        });
        let slots = (0..BATCH_PACKETS).map(|_| {
            // SAFETY: integers, arrays of them and raw pointers, for which zeros are valid.
            unsafe { mem::zeroed() }
        });
        Self { headers: headers.collect(), slots: slots.collect(), len: 0 }
    }

    /// Datagrams that wait to be sent.
    pub fn len(&self) -> usize {
        self.len
    }

    /// None wait.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a datagram; false if the batch is full or the datagram longer than 1500 octets.
    pub fn push(&mut self, packet: &[u8], source: Ipv4Addr, target: SocketAddrV4) -> bool {
        if self.len == BATCH_PACKETS || packet.len() > SPREAD_OCTETS_MAX {
            return false;
        }
        let slot = &mut self.slots[self.len];
        slot.octets[..packet.len()].copy_from_slice(packet);
        slot.vector.iov_len = packet.len();
        slot.target.sin_family = libc::AF_INET as libc::sa_family_t;
        slot.target.sin_port = target.port().to_be();
        slot.target.sin_addr.s_addr = in_network_order(*target.ip());
        slot.control.header.cmsg_len = (offset_of!(Control, info) + size_of::<libc::in_pktinfo>()) as _;
        slot.control.header.cmsg_level = libc::IPPROTO_IP;
        slot.control.header.cmsg_type = libc::IP_PKTINFO;
        slot.control.info.ipi_spec_dst.s_addr = in_network_order(source);
        self.len += 1;
        true
    }

    /// Sends what waits, and forgets it. Returns how many datagrams the system took, which are fewer where it is short of
    /// buffers.
    ///
    /// # Errors
    /// It took none.
    pub fn send(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        let count = mem::take(&mut self.len);
        for (header, slot) in self.headers.iter_mut().zip(&mut self.slots).take(count) {
            let header = &mut header.msg_hdr;
            slot.vector.iov_base = slot.octets.as_mut_ptr().cast();
            header.msg_name = (&raw mut slot.target).cast();
            header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            header.msg_iov = &raw mut slot.vector;
            header.msg_iovlen = 1;
            header.msg_control = (&raw mut slot.control).cast();
            header.msg_controllen = size_of::<Control>() as _;
        }
        // SAFETY: the first `count` headers point to slots that live as long as the batch; nobody else touches either.
        let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), self.headers.as_mut_ptr(), count as u32, 0) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}

fn in_network_order(address: Ipv4Addr) -> u32 {
    u32::from_ne_bytes(address.octets())
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_datagram_has_its_own_source_and_replies_come_back() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        server.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let client = UdpSocket::bind("0.0.0.0:0").unwrap();
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let SocketAddr::V4(target) = server.local_addr().unwrap() else { panic!("bound to IPv4") };
        let mut batch = SpreadBatch::new();
        for round in 0..2_u8 {
            for number in 0..20 {
                let source = Ipv4Addr::new(127, 77, round, number);
                assert!(batch.push(&[round, number, 9], source, target));
            }
            assert_eq!(batch.send(&client).unwrap(), 20);
            assert!(batch.is_empty());
            for number in 0..20 {
                let mut octets = [0; 10];
                let (length, from) = server.recv_from(&mut octets).unwrap();
                assert_eq!(octets[..length], [round, number, 9]);
                assert_eq!(from.ip(), Ipv4Addr::new(127, 77, round, number));
                server.send_to(&octets[..length], from).unwrap();
                assert_eq!(client.recv(&mut octets).unwrap(), 3);
            }
        }
    }

    #[test]
    fn full_batches_and_long_packets_are_refused() {
        let target = "127.0.0.1:9".parse().unwrap();
        let mut batch = SpreadBatch::new();
        assert!(!batch.push(&[0; SPREAD_OCTETS_MAX + 1], Ipv4Addr::LOCALHOST, target));
        for _ in 0..BATCH_PACKETS {
            assert!(batch.push(&[0; 12], Ipv4Addr::LOCALHOST, target));
        }
        assert!(!batch.push(&[0; 12], Ipv4Addr::LOCALHOST, target));
        assert_eq!(batch.len(), BATCH_PACKETS);
    }
}
