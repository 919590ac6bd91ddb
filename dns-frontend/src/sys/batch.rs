//! Datagrams by the batch: `recvmmsg` and `sendmmsg`.

use std::{
    io, mem,
    net::{SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket},
    os::fd::{AsFd, AsRawFd},
    ptr,
    time::Duration,
};

use dns_backend::Packets;
use libc::{AF_INET, c_int, iovec, mmsghdr, msghdr, sockaddr_in, sockaddr_in6, socklen_t};

use super::{
    array::Array,
    poll::wait_writable,
    source::{Control, reply_from},
};
use crate::{
    config::UdpConfig,
    udp::{Datagrams, Received, SEND_PATIENCE, Sent},
};

const SLOTS: usize = Batch::BATCH_MAX;
/// Requests begin this far apart. A multiple of 4096 would put the beginnings of all of them, which is what gets
/// used, into the same few lines of the processor's cache.
const STRIDE: usize = UdpConfig::REQUEST_OCTETS_MAX.next_multiple_of(LINE) + LINE;
/// Octets of a line of the processor's cache, at whose beginnings replies begin.
const LINE: usize = 64;
/// No place in the replies.
const NOWHERE: u32 = u32::MAX;

/// Requests as `recvmmsg` got them, and their replies for `sendmmsg`; everything is allocated once.
pub(crate) struct Batch {
    requests: Array<u8>,
    replies: Array<u8>,
    reply_octets_max: usize,
    clients: Array<Address>,
    /// Which of our addresses was asked; none where all sockets have an address of their own.
    controls: Option<Array<Control>>,
    incoming: Array<mmsghdr>,
    outgoing: Array<mmsghdr>,
    /// Parts of the messages; the kernel wants one list for each, ours have a single part.
    incoming_parts: Array<iovec>,
    outgoing_parts: Array<iovec>,
    /// How many headers of `incoming` the kernel has written since they were prepared.
    used: usize,
    /// Slots of the requests that can be answered, in the order of arrival.
    slots: [u8; SLOTS],
    len: usize,
    /// Where they came in.
    listener: usize,
    /// Octets of the reply to each of them; 0 for silence.
    reply_octets: [u16; SLOTS],
    /// Where in `replies` each of them has its reply, once it has been asked for.
    reply_at: [u32; SLOTS],
    /// How many octets it may have there.
    reply_room: [u16; SLOTS],
    /// The request whose reply was asked for last and not yet sent: room is kept for the longest one.
    open: Option<usize>,
    /// Where in `replies` room begins that nobody has.
    free: usize,
}

/// Of a client, as the kernel writes and reads it.
#[repr(C)]
#[derive(Clone, Copy)]
union Address {
    v4: sockaddr_in,
    v6: sockaddr_in6,
}

impl Batch {
    fn prepare(&mut self, slots: usize) {
        for slot in 0..slots {
            let mut header = no_message();
            header.msg_name = self.clients.pointer(slot).cast();
            header.msg_namelen = mem::size_of::<Address>() as socklen_t;
            header.msg_iov = self.incoming_parts.pointer(slot);
            header.msg_iovlen = 1;
            if let Some(controls) = &self.controls {
                header.msg_control = controls.pointer(slot).cast();
                header.msg_controllen = mem::size_of::<Control>() as _;
            }
            self.incoming.set(slot, mmsghdr { msg_hdr: header, msg_len: 0 });
        }
    }

    /// Finds out what came, and which of it can be answered.
    fn sort(&mut self, count: usize) -> Received {
        let mut received = Received { datagrams: count, ..Received::default() };
        self.used = count;
        for slot in 0..count {
            let header = self.incoming.get(slot).msg_hdr;
            if header.msg_namelen == 0 {
                // From nobody: the socket was shut down, which is how a waiting worker is woken.
                received.datagrams -= 1;
            } else if header.msg_flags & libc::MSG_TRUNC != 0 {
                received.oversize += 1;
            } else if self.address(slot).port() == 0 {
                received.port_zero += 1;
            } else {
                self.slots[self.len] = slot as u8;
                self.reply_octets[self.len] = 0;
                self.reply_at[self.len] = NOWHERE;
                self.reply_room[self.len] = 0;
                self.len += 1;
            }
        }
        received
    }

    /// Fills in one header per reply and tells how many there are.
    fn prepare_replies(&mut self) -> usize {
        let mut count = 0;
        for index in 0..self.len {
            let octets = usize::from(self.reply_octets[index]);
            if octets == 0 {
                continue;
            }
            let slot = usize::from(self.slots[index]);
            let request = self.incoming.get(slot).msg_hdr;
            let part = iovec {
                iov_base: self.replies.pointer(self.reply_at[index] as usize).cast(),
                iov_len: octets as _,
            };
            self.outgoing_parts.set(count, part);
            let mut header = no_message();
            header.msg_name = request.msg_name;
            header.msg_namelen = request.msg_namelen;
            header.msg_iov = self.outgoing_parts.pointer(count);
            header.msg_iovlen = 1;
            // SAFETY: the header is as `recvmmsg` left it, and its control buffer, if any, is `self.controls`.
            if let Some(octets) = unsafe { reply_from(&request) } {
                header.msg_control = request.msg_control;
                header.msg_controllen = octets as _;
            }
            self.outgoing.set(count, mmsghdr { msg_hdr: header, msg_len: 0 });
            count += 1;
        }
        count
    }

    fn address(&self, slot: usize) -> SocketAddr {
        let address = self.clients.get(slot);
        // SAFETY: both kinds begin with the family, and any bits are valid in either.
        if c_int::from(unsafe { address.v4.sin_family }) == AF_INET {
            // SAFETY: the family says that it is this kind; any bits are valid.
            let v4 = unsafe { address.v4 };
            // In network order, so the octets lie in memory as they are written.
            SocketAddrV4::new(v4.sin_addr.s_addr.to_ne_bytes().into(), u16::from_be(v4.sin_port)).into()
        } else {
            // SAFETY: our sockets have one of two families; any bits are valid.
            let v6 = unsafe { address.v6 };
            let port = u16::from_be(v6.sin6_port);
            SocketAddrV6::new(v6.sin6_addr.s6_addr.into(), port, v6.sin6_flowinfo, v6.sin6_scope_id).into()
        }
    }
}

impl Datagrams for Batch {
    const AT_ONCE: usize = SLOTS;

    /// The kernel wakes a reader of a UDP socket that is shut down.
    const CAN_WAIT: bool = true;

    fn new(config: &UdpConfig, destination_wanted: bool) -> Self {
        // SAFETY: all zero is a valid address of no family.
        let nobody: Address = unsafe { mem::zeroed() };
        let nothing = mmsghdr { msg_hdr: no_message(), msg_len: 0 };
        let no_part = iovec { iov_base: ptr::null_mut(), iov_len: 0 };
        let mut batch = Self {
            requests: Array::new(0, SLOTS * STRIDE),
            replies: Array::new(0, SLOTS * config.reply_octets_max.next_multiple_of(LINE)),
            reply_octets_max: config.reply_octets_max,
            clients: Array::new(nobody, SLOTS),
            controls: destination_wanted.then(|| Array::new(Control([0; 64]), SLOTS)),
            incoming: Array::new(nothing, SLOTS),
            outgoing: Array::new(nothing, SLOTS),
            incoming_parts: Array::new(no_part, SLOTS),
            outgoing_parts: Array::new(no_part, SLOTS),
            used: 0,
            slots: [0; SLOTS],
            len: 0,
            listener: 0,
            reply_octets: [0; SLOTS],
            reply_at: [NOWHERE; SLOTS],
            reply_room: [0; SLOTS],
            open: None,
            free: 0,
        };
        for slot in 0..SLOTS {
            let base = batch.requests.pointer(slot * STRIDE).cast();
            batch
                .incoming_parts
                .set(slot, iovec { iov_base: base, iov_len: UdpConfig::REQUEST_OCTETS_MAX as _ });
        }
        batch.prepare(SLOTS);
        batch
    }

    fn receive(&mut self, listener: usize, socket: &UdpSocket, wait: bool) -> io::Result<Received> {
        self.listener = listener;
        self.prepare(self.used);
        self.used = 0;
        self.len = 0;
        self.open = None;
        self.free = 0;
        let flags = if wait { libc::MSG_WAITFORONE } else { libc::MSG_DONTWAIT };
        // SAFETY: there are `SLOTS` headers, and all they point to is owned by `self` and borrowed by nobody.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.incoming.pointer(0),
                SLOTS as _,
                flags as _,
                ptr::null_mut(),
            )
        };
        if count >= 0 {
            return Ok(self.sort(count as usize));
        }
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock => Ok(Received::default()),
            _ => Err(error),
        }
    }

    fn send_replies(&mut self, socket: &UdpSocket) -> Sent {
        let count = self.prepare_replies();
        let mut sent = Sent::default();
        let mut patience = true;
        while sent.replies + sent.failed < count {
            let next = sent.replies + sent.failed;
            // SAFETY: `count` headers are filled in, and all they point to is owned by `self`.
            let result = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    self.outgoing.pointer(next),
                    (count - next) as _,
                    libc::MSG_DONTWAIT as _,
                )
            };
            if result > 0 {
                sent.replies += result as usize;
                continue;
            }
            match io::Error::last_os_error().kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock => {
                    // Waited for once per batch, so that a stuck device costs replies and not the worker.
                    if !(patience && wait_writable(&socket.as_fd(), SEND_PATIENCE)) {
                        sent.failed += count - next;
                    }
                    patience = false;
                }
                // An error is about the first reply that was to be sent: its client has no route, a firewall
                // says no. The others have done nothing wrong.
                _ => sent.failed += 1,
            }
        }
        sent
    }
}

impl Packets for Batch {
    fn len(&self) -> usize {
        self.len
    }

    fn request(&self, index: usize) -> &[u8] {
        let slot = usize::from(self.slots[..self.len][index]);
        self.requests.slice(slot * STRIDE, self.incoming.get(slot).msg_len as usize)
    }

    /// Replies stand one behind the other, so that the common short ones share a few pages, and cache lines that the last batch
    /// has left warm.
    fn exchange(&mut self, index: usize) -> (&[u8], &mut [u8]) {
        let slot = usize::from(self.slots[..self.len][index]);
        if self.reply_at[index] == NOWHERE {
            if self.open.is_some() {
                self.free += self.reply_octets_max.next_multiple_of(LINE);
            }
            self.open = Some(index);
            self.reply_at[index] = self.free as u32;
            self.reply_room[index] = self.reply_octets_max as u16;
        }
        let octets = self.incoming.get(slot).msg_len as usize;
        let request = self.requests.slice(slot * STRIDE, octets);
        let room = usize::from(self.reply_room[index]);
        (request, self.replies.slice_mut(self.reply_at[index] as usize, room))
    }

    fn client(&self, index: usize) -> SocketAddr {
        self.address(usize::from(self.slots[..self.len][index]))
    }

    fn listener(&self) -> usize {
        self.listener
    }

    fn now(&self) -> Duration {
        crate::clock::since_1970()
    }

    fn send(&mut self, index: usize, octets: usize) {
        let room = usize::from(self.reply_room[..self.len][index]);
        assert!(octets <= room, "a reply of {octets} octets is longer than its buffer of {room}");
        self.reply_octets[index] = octets as u16;
        if self.open == Some(index) {
            self.open = None;
            self.free += octets.next_multiple_of(LINE);
            // Whoever writes it once more must not reach the next one.
            self.reply_room[index] = octets as u16;
        }
    }
}

fn no_message() -> msghdr {
    // SAFETY: all zero is a valid header: null pointers with lengths of 0.
    unsafe { mem::zeroed() }
}

#[cfg(test)]
mod tests {
    use std::{net::Shutdown, time::Duration};

    use socket2::SockRef;

    use super::*;

    fn loopback() -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        socket
    }

    #[test]
    fn a_reply_that_cannot_be_sent_is_skipped() {
        let (server, client) = (loopback(), loopback());
        let mut batch = Batch::new(&UdpConfig::default(), false);
        for bad in [&[1][..], &[0], &[3], &[0, 1], &[0, 1, 2, 3]] {
            for octet in 0..4 {
                client.send_to(&[octet], server.local_addr().unwrap()).unwrap();
            }
            assert_eq!(batch.receive(3, &server, true).unwrap().datagrams, 4);
            for index in 0..batch.len() {
                let (request, reply) = batch.exchange(index);
                reply[0] = request[0];
                batch.send(index, 1);
            }
            for &slot in bad {
                // The kernel refuses to send to port 0.
                let mut address = batch.clients.get(slot);
                address.v4.sin_port = 0;
                batch.clients.set(slot, address);
            }
            let sent = batch.send_replies(&server);
            assert_eq!((sent.replies, sent.failed), (4 - bad.len(), bad.len()));
            for octet in (0..4).filter(|slot| !bad.contains(slot)) {
                let mut reply = [9; 2];
                assert_eq!(client.recv(&mut reply).unwrap(), 1);
                assert_eq!(usize::from(reply[0]), octet);
            }
        }
    }

    /// Replies of all lengths, silence, and an order of their own.
    #[test]
    fn no_reply_reaches_into_another() {
        let (server, client) = (loopback(), loopback());
        let mut batch = Batch::new(&UdpConfig::default(), false);
        for octet in 0..6 {
            client.send_to(&[octet], server.local_addr().unwrap()).unwrap();
        }
        assert_eq!(batch.receive(0, &server, true).unwrap().datagrams, 6);
        let longest = UdpConfig::REPLY_OCTETS.max;
        let fill = |batch: &mut Batch, index: usize, octets: usize| {
            let (_, reply) = batch.exchange(index);
            reply[..octets].fill(index as u8);
        };
        // Two are written before they are sent, one is never sent, one is written again and cannot grow.
        fill(&mut batch, 2, longest);
        fill(&mut batch, 0, longest);
        batch.send(0, 100);
        batch.send(2, longest);
        fill(&mut batch, 1, longest);
        fill(&mut batch, 3, 65);
        batch.send(3, 65);
        fill(&mut batch, 5, 1);
        batch.send(5, 1);
        assert_eq!(batch.exchange(3).1.len(), 65);
        fill(&mut batch, 3, 64);
        batch.send(3, 64);
        fill(&mut batch, 4, longest);
        batch.send(4, longest);
        assert_eq!((batch.send_replies(&server).replies, batch.send_replies(&server).failed), (5, 0));
        for (octet, octets) in [(0, 100), (2, longest), (3, 64), (4, longest), (5, 1)] {
            let mut reply = vec![9; longest + 1];
            let received = client.recv(&mut reply).unwrap();
            assert_eq!(reply[..received], vec![octet; octets]);
        }
    }

    #[test]
    fn a_socket_that_is_shut_down_wakes_its_reader_and_gives_what_it_has() {
        let (server, client) = (loopback(), loopback());
        let mut batch = Batch::new(&UdpConfig::default(), false);
        client.send_to(b"first", server.local_addr().unwrap()).unwrap();
        // An error by name: it is not connected.
        let _ = SockRef::from(&server).shutdown(Shutdown::Read);
        assert_eq!(batch.receive(3, &server, true).unwrap().datagrams, 1);
        assert_eq!(batch.listener(), 3);
        assert_eq!(batch.request(0), b"first");
        assert_eq!(batch.client(0), client.local_addr().unwrap());
        assert_eq!(batch.receive(3, &server, true).unwrap().datagrams, 0);
        assert!(batch.is_empty());
    }
}
