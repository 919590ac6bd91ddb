//! Datagrams one at a time, with what std offers.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use dns_backend::Packets;

use super::{Datagrams, Received, SEND_PATIENCE, Sent};
use crate::{config::UdpConfig, sys::wait_writable};

/// At most one request, with its reply.
pub(crate) struct Single {
    request: Box<[u8]>,
    reply: Box<[u8]>,
    client: SocketAddr,
    listener: usize,
    /// Octets of the request, if there is one.
    octets: Option<usize>,
    reply_octets: usize,
}

impl Datagrams for Single {
    const AT_ONCE: usize = 1;

    /// Its sockets do not block, and the worker waits in `poll`.
    const CAN_WAIT: bool = false;

    fn new(config: &UdpConfig, _destination_wanted: bool) -> Self {
        Self {
            // One octet more than is accepted tells a datagram that is too long from one that just fits.
            request: vec![0; UdpConfig::REQUEST_OCTETS_MAX + 1].into(),
            reply: vec![0; config.reply_octets_max].into(),
            client: (Ipv4Addr::UNSPECIFIED, 0).into(),
            listener: 0,
            octets: None,
            reply_octets: 0,
        }
    }

    fn receive(&mut self, listener: usize, socket: &UdpSocket, _wait: bool) -> io::Result<Received> {
        self.listener = listener;
        self.octets = None;
        self.reply_octets = 0;
        let octets = match socket.recv_from(&mut self.request) {
            Ok((octets, client)) => {
                self.client = client;
                octets
            }
            Err(error) => {
                return match error.kind() {
                    io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock => Ok(Received::default()),
                    _ => Err(error),
                };
            }
        };
        let mut received = Received { datagrams: 1, ..Received::default() };
        if octets > UdpConfig::REQUEST_OCTETS_MAX {
            received.oversize = 1;
        } else if self.client.port() == 0 {
            received.port_zero = 1;
        } else {
            self.octets = Some(octets);
        }
        Ok(received)
    }

    fn send_replies(&mut self, socket: &UdpSocket) -> Sent {
        if self.reply_octets == 0 {
            return Sent::default();
        }
        let reply = &self.reply[..self.reply_octets];
        let mut patience = true;
        loop {
            match socket.send_to(reply, self.client) {
                Ok(_) => {
                    return Sent { replies: 1, failed: 0 };
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && patience => {
                    patience = false;
                    wait_writable(socket, SEND_PATIENCE);
                }
                Err(_) => {
                    return Sent { replies: 0, failed: 1 };
                }
            }
        }
    }
}

impl Packets for Single {
    fn len(&self) -> usize {
        usize::from(self.octets.is_some())
    }

    fn request(&self, index: usize) -> &[u8] {
        &self.request[..self.octets_of(index)]
    }

    fn exchange(&mut self, index: usize) -> (&[u8], &mut [u8]) {
        let octets = self.octets_of(index);
        (&self.request[..octets], &mut self.reply)
    }

    fn client(&self, index: usize) -> SocketAddr {
        self.octets_of(index);
        self.client
    }

    fn listener(&self) -> usize {
        self.listener
    }

    fn now(&self) -> Duration {
        crate::clock::since_1970()
    }

    fn send(&mut self, index: usize, octets: usize) {
        self.octets_of(index);
        assert!(octets <= self.reply.len(), "a reply of {octets} octets is longer than its buffer");
        self.reply_octets = octets;
    }
}

impl Single {
    fn octets_of(&self, index: usize) -> usize {
        match (index, self.octets) {
            (0, Some(octets)) => octets,
            _ => panic!("there is no request {index}"),
        }
    }
}
