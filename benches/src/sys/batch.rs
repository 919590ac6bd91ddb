//! A batch of datagrams with everything `recvmmsg` and `sendmmsg` need, allocated once.

use std::io;
use std::mem;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::ptr::{self, NonNull};

/// Datagrams per system call, at most.
pub const BATCH_PACKETS: usize = 64;
/// Octets of a datagram, at most; what a longer one has beyond that is cut off.
pub const PACKET_OCTETS_MAX: usize = 4096;

/// One datagram: where its octets are, who sent it or gets it.
#[repr(C)]
struct Slot {
    address: libc::sockaddr_storage,
    vector: libc::iovec,
    octets: [u8; PACKET_OCTETS_MAX],
}

/// The memory the kernel reads and writes. The pointers inside point into the same allocation, so it never moves.
#[repr(C)]
struct Arena {
    headers: [libc::mmsghdr; BATCH_PACKETS],
    slots: [Slot; BATCH_PACKETS],
}

/// Up to [`BATCH_PACKETS`] datagrams, received or to be sent together.
///
/// Buffers and headers are set up once: a call resets only what the last one changed, so a small batch costs no more
/// than its packets.
pub struct Batch {
    arena: NonNull<Arena>,
    /// How many slots hold a datagram.
    len: usize,
    /// How many headers, from the first, differ from those of an empty slot.
    used: usize,
}

// SAFETY: the arena is owned by the batch alone and is plain memory, not tied to a thread.
unsafe impl Send for Batch {}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        // SAFETY: all fields of `Arena` are integers, arrays of them or raw pointers, for which zeros are valid.
        let arena = Box::new(unsafe { mem::zeroed::<Arena>() });
        let arena = NonNull::from(Box::leak(arena));
        let mut batch = Self { arena, len: 0, used: BATCH_PACKETS };
        batch.reset();
        batch
    }

    /// How many datagrams it holds.
    pub fn len(&self) -> usize {
        self.len
    }

    /// It holds none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Forgets its datagrams.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Adds a datagram for a connected socket; false if the batch is full or the datagram too long.
    pub fn push(&mut self, packet: &[u8]) -> bool {
        if self.len == BATCH_PACKETS || packet.len() > PACKET_OCTETS_MAX {
            return false;
        }
        let index = self.len;
        let header = self.header_mut(index);
        header.msg_hdr.msg_name = ptr::null_mut();
        header.msg_hdr.msg_namelen = 0;
        self.slot_mut(index).octets[..packet.len()].copy_from_slice(packet);
        self.slot_mut(index).vector.iov_len = packet.len();
        self.len += 1;
        self.used = self.used.max(self.len);
        true
    }

    /// The octets of a datagram.
    ///
    /// # Panics
    ///
    /// If there is no datagram `index`.
    pub fn packet(&self, index: usize) -> &[u8] {
        assert!(index < self.len);
        // SAFETY: the arena lives as long as the batch, and `&self` keeps every writer out.
        let slot = unsafe { &self.arena.as_ref().slots[index] };
        &slot.octets[..slot.vector.iov_len]
    }

    /// The octets of a datagram, to be changed in place.
    ///
    /// # Panics
    ///
    /// If there is no datagram `index`.
    pub fn packet_mut(&mut self, index: usize) -> &mut [u8] {
        assert!(index < self.len);
        let slot = self.slot_mut(index);
        let octets = slot.vector.iov_len;
        &mut slot.octets[..octets]
    }

    /// Receives what is there in place of what the batch held, and remembers who sent it; returns how many.
    ///
    /// With `wait`, blocks until there is one; otherwise returns 0 if there is none.
    pub fn receive(&mut self, socket: &UdpSocket, wait: bool) -> io::Result<usize> {
        self.reset();
        let flags = if wait { libc::MSG_WAITFORONE } else { libc::MSG_DONTWAIT };
        // SAFETY: the headers and all they point to lie in the arena, which is ours for the length of the call.
        let received = unsafe {
            let headers = (&raw mut (*self.arena.as_ptr()).headers).cast::<libc::mmsghdr>();
            libc::recvmmsg(socket.as_raw_fd(), headers, BATCH_PACKETS as u32, flags, ptr::null_mut())
        };
        let Ok(received) = usize::try_from(received) else {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::WouldBlock { Ok(0) } else { Err(error) };
        };
        for index in 0..received {
            let octets = self.header_mut(index).msg_len as usize;
            self.slot_mut(index).vector.iov_len = octets.min(PACKET_OCTETS_MAX);
        }
        self.len = received;
        self.used = received;
        Ok(received)
    }

    /// Sends its datagrams from `first` on: received ones back to their senders, added ones to where the socket is
    /// connected to. Returns how many went out, which may be fewer.
    pub fn send(&mut self, socket: &UdpSocket, first: usize) -> io::Result<usize> {
        if first >= self.len {
            return Ok(0);
        }
        let count = (self.len - first) as u32;
        // SAFETY: as in `receive`; `first` is below `len` and so within the headers.
        let sent = unsafe {
            let headers = (&raw mut (*self.arena.as_ptr()).headers).cast::<libc::mmsghdr>();
            libc::sendmmsg(socket.as_raw_fd(), headers.add(first), count, 0)
        };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }

    /// Makes every slot ready to receive.
    fn reset(&mut self) {
        for index in 0..self.used {
            // SAFETY: `index` is below `BATCH_PACKETS`, and `&mut self` keeps every other user out. Pointers are
            // taken from the arena's own, so that they stay valid when references to it come and go.
            unsafe {
                let arena = self.arena.as_ptr();
                let slot = &raw mut (*arena).slots[index];
                (*slot).vector.iov_base = (&raw mut (*slot).octets).cast();
                (*slot).vector.iov_len = PACKET_OCTETS_MAX;
                let header = &raw mut (*arena).headers[index].msg_hdr;
                (*header).msg_name = (&raw mut (*slot).address).cast();
                (*header).msg_namelen = mem::size_of::<libc::sockaddr_storage>() as libc::socklen_t;
                (*header).msg_iov = &raw mut (*slot).vector;
                (*header).msg_iovlen = 1;
            }
        }
        self.used = 0;
        self.len = 0;
    }

    fn header_mut(&mut self, index: usize) -> &mut libc::mmsghdr {
        // SAFETY: the arena lives as long as the batch, and `&mut self` keeps every other user out.
        unsafe { &mut (*self.arena.as_ptr()).headers[index] }
    }

    fn slot_mut(&mut self, index: usize) -> &mut Slot {
        // SAFETY: as in `header_mut`.
        unsafe { &mut (*self.arena.as_ptr()).slots[index] }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `Box::leak` in `new` and is given back once.
        drop(unsafe { Box::from_raw(self.arena.as_ptr()) });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn pair() -> (UdpSocket, UdpSocket) {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(server.local_addr().unwrap()).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        server.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        (client, server)
    }

    #[test]
    fn what_goes_out_comes_back_from_where_it_went() {
        let (client, server) = pair();
        let (mut asked, mut seen, mut answered) = (Batch::new(), Batch::new(), Batch::new());
        for round in 0..3_usize {
            asked.clear();
            for index in 0..10 + round {
                assert!(asked.push(&vec![index as u8; 20 + 100 * index]));
            }
            assert_eq!(asked.send(&client, 0).unwrap(), 10 + round);
            let mut back = 0;
            while back < 10 + round {
                let received = seen.receive(&server, true).unwrap();
                assert!(received > 0);
                for index in 0..received {
                    seen.packet_mut(index)[0] |= 0x80;
                }
                assert_eq!(seen.send(&server, 0).unwrap(), received);
                let received = answered.receive(&client, true).unwrap();
                for index in 0..received {
                    let number = back + index;
                    let mut expected = vec![number as u8; 20 + 100 * number];
                    expected[0] |= 0x80;
                    assert_eq!(answered.packet(index), expected);
                }
                back += received;
            }
        }
    }

    #[test]
    fn nothing_to_receive_is_no_error() {
        let (client, _server) = pair();
        let mut batch = Batch::new();
        assert_eq!(batch.receive(&client, false).unwrap(), 0);
        assert!(batch.is_empty());
    }

    #[test]
    fn full_batches_and_long_packets_are_refused() {
        let mut batch = Batch::new();
        assert!(!batch.push(&[0; PACKET_OCTETS_MAX + 1]));
        for _ in 0..BATCH_PACKETS {
            assert!(batch.push(&[1, 2, 3]));
        }
        assert!(!batch.push(&[1]));
        assert_eq!(batch.len(), BATCH_PACKETS);
        assert_eq!(batch.packet(BATCH_PACKETS - 1), [1, 2, 3]);
        batch.clear();
        assert!(batch.push(&[4]));
        assert_eq!(batch.packet(0), [4]);
    }

    #[test]
    fn long_datagrams_are_cut_off() {
        let (client, server) = pair();
        client.send(&[7; PACKET_OCTETS_MAX + 100]).unwrap();
        let mut batch = Batch::new();
        assert_eq!(batch.receive(&server, true).unwrap(), 1);
        assert_eq!(batch.packet(0), [7; PACKET_OCTETS_MAX]);
    }
}
