//! Binding every socket before anything is served.

use std::{
    io,
    net::{SocketAddr, TcpListener, UdpSocket},
    sync::Arc,
};

use dns_backend::Respond;
use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;
use tracing::{debug, warn};

use crate::{
    config::{Config, UdpEngine},
    counters::Counters,
    running::{self, Running},
    sys,
};

/// Where listening begins.
///
/// ```
/// use dns_backend::{Packets, Respond, Responder, Transport};
/// use dns_frontend::{Config, Frontend};
///
/// /// Refuses everything.
/// struct Refuse;
///
/// impl Respond for Refuse {
///     type Responder = Self;
///     fn responder(&self, _: Transport) -> Self {
///         Self
///     }
/// }
///
/// impl Responder for Refuse {
///     fn respond(&mut self, packets: &mut impl Packets) {
///         for index in 0..packets.len() {
///             let (request, reply) = packets.exchange(index);
///             if request.len() >= 12 && request[2] & 0x80 == 0 {
///                 reply[..12].copy_from_slice(&[request[0], request[1], 0x80, 5, 0, 0, 0, 0, 0, 0, 0, 0]);
///                 packets.send(index, 12);
///             }
///         }
///     }
/// }
///
/// let config = Config { listen: vec!["127.0.0.1:0".parse()?], ..Config::default() };
/// let bound = Frontend::bind(config)?;
/// println!("listening on {:?}", bound.local_addrs());
/// let running = bound.serve(Refuse.into())?;
/// running.shutdown()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Frontend;

/// All sockets of a [`Config`], bound and listening; what arrives waits until [`serve`](Self::serve).
#[derive(Debug)]
pub struct Bound {
    pub(crate) config: Config,
    /// Per worker, one for each address.
    pub(crate) udp: Vec<Vec<Arc<UdpSocket>>>,
    /// Per worker, one for each address.
    pub(crate) tcp: Vec<Vec<TcpListener>>,
    addresses: Vec<SocketAddr>,
    counters: Counters,
}

/// Why sockets could not be bound.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BindError {
    /// There is nothing to listen on.
    #[error("no address to listen on")]
    NoAddress,
    /// A setting is outside its range.
    #[error("{setting} is {value}, must be between {min} and {max}")]
    OutOfRange {
        /// What the setting is about.
        setting: &'static str,
        /// The value given.
        value: String,
        /// Smallest accepted value.
        min: String,
        /// Largest accepted value.
        max: String,
    },
    /// The batched engine exists on Linux only.
    #[error("this system has no batched UDP, use the single engine")]
    EngineUnavailable,
    /// The system refused a socket; the source is what it said.
    #[error("cannot listen on {address} over {transport}{}", hint(source))]
    Socket {
        /// The address as it was configured.
        address: SocketAddr,
        /// "UDP" or "TCP".
        transport: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl Frontend {
    /// Binds every socket, or none.
    ///
    /// An address that any other program listens on is refused, another process of the same user included: the
    /// kernel would otherwise spread the queries over both.
    pub fn bind(config: Config) -> Result<Bound, BindError> {
        config.check()?;
        if config.udp.engine == UdpEngine::Batched && !cfg!(target_os = "linux") {
            return Err(BindError::EngineUnavailable);
        }
        let mut bound = Bound {
            udp: vec![Vec::new(); config.udp.workers],
            tcp: (0..config.tcp.workers).map(|_| Vec::new()).collect(),
            addresses: Vec::with_capacity(config.listen.len()),
            counters: Counters::new(config.udp.workers, config.tcp.workers),
            config,
        };
        for address in bound.config.listen.clone() {
            bound.listen(address)?;
        }
        Ok(bound)
    }
}

impl Bound {
    /// Where it listens, in the order of [`Config::listen`], with the ports that were taken for port 0.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// A handle on the counters; all are 0 until [`serve`](Self::serve).
    pub fn counters(&self) -> Counters {
        self.counters.clone()
    }

    /// Starts all threads. Each takes a responder of its own from `respond`.
    ///
    /// # Errors
    /// A thread could not be started; none is left running.
    #[expect(clippy::needless_pass_by_value, reason = "the threads share it, the caller need not")]
    pub fn serve<R: Respond>(self, respond: Arc<R>) -> io::Result<Running> {
        running::start(self, &respond)
    }

    fn listen(&mut self, wanted: SocketAddr) -> Result<(), BindError> {
        let (udp, tcp, address) = self.bind_both(wanted)?;
        for (worker, sockets) in self.udp.iter_mut().enumerate() {
            let socket = if worker == 0 { udp.try_clone() } else { self.config.another_udp(&udp, address) };
            let socket = socket.map_err(|source| failed(wanted, "UDP", source))?;
            sockets.push(Arc::new(socket.into()));
        }
        for (worker, listeners) in self.tcp.iter_mut().enumerate() {
            let socket = if worker == 0 { tcp.try_clone() } else { self.config.another_tcp(&tcp, address) };
            let listener = socket
                .and_then(|socket| {
                    socket.listen(self.config.tcp.backlog as i32)?;
                    Ok(socket)
                })
                .map_err(|source| failed(wanted, "TCP", source))?;
            listeners.push(listener.into());
        }
        self.addresses.push(address);
        Ok(())
    }

    /// The first sockets of an address. They are alone on their port; it is shared only from now on.
    fn bind_both(&self, wanted: SocketAddr) -> Result<(Socket, Socket, SocketAddr), BindError> {
        let mut attempts = if wanted.port() == 0 { PORT_ATTEMPTS } else { 1 };
        loop {
            attempts -= 1;
            let (udp, address) = self
                .config
                .udp_socket(wanted)
                .and_then(|socket| {
                    socket.bind(&wanted.into())?;
                    let address = local_addr(&socket)?;
                    share(&socket)?;
                    Ok((socket, address))
                })
                .map_err(|source| failed(wanted, "UDP", source))?;
            let tcp = tcp_socket(address).and_then(|socket| {
                socket.bind(&address.into())?;
                // Only listening tells whether the port is free: bound ones may stand side by side.
                socket.listen(self.config.tcp.backlog as i32)?;
                share(&socket)?;
                Ok(socket)
            });
            match tcp {
                Ok(tcp) => return Ok((udp, tcp, address)),
                // The port that was free for UDP is not for TCP.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && attempts > 0 => {}
                Err(source) => return Err(failed(wanted, "TCP", source)),
            }
        }
    }
}

impl Config {
    fn udp_socket(&self, address: SocketAddr) -> io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        if address.ip().is_unspecified() {
            sys::set_destination_wanted(&socket, address.is_ipv6())?;
        }
        // Some sandboxes do not know the option, and replies of the usual size are not fragmented anyway.
        if let Err(error) = sys::set_fragmentation_avoided(&socket, address.is_ipv6()) {
            warn!(%address, %error, "cannot turn off path MTU discovery");
        }
        let wanted = self.udp.receive_buffer_octets;
        // The system's limit is no reason to refuse service.
        if let Err(error) = socket.set_recv_buffer_size(wanted) {
            debug!(%address, wanted, %error, "cannot set the receive buffer");
        }
        if self.udp.engine == UdpEngine::Single {
            socket.set_nonblocking(true)?;
        }
        Ok(socket)
    }

    /// One more socket on the port of `first`, which the kernel gives its share of the clients.
    #[cfg(target_os = "linux")]
    fn another_udp(&self, _first: &Socket, address: SocketAddr) -> io::Result<Socket> {
        let socket = self.udp_socket(address)?;
        share(&socket)?;
        socket.bind(&address.into())?;
        Ok(socket)
    }

    #[cfg(target_os = "linux")]
    #[expect(clippy::unused_self, reason = "the counterpart of `another_udp`")]
    fn another_tcp(&self, _first: &Socket, address: SocketAddr) -> io::Result<Socket> {
        let socket = tcp_socket(address)?;
        share(&socket)?;
        socket.bind(&address.into())?;
        Ok(socket)
    }

    /// Elsewhere sockets on one port are not served alike, so that the workers share a single one.
    #[cfg(not(target_os = "linux"))]
    fn another_udp(&self, first: &Socket, _address: SocketAddr) -> io::Result<Socket> {
        first.try_clone()
    }

    #[cfg(not(target_os = "linux"))]
    fn another_tcp(&self, first: &Socket, _address: SocketAddr) -> io::Result<Socket> {
        first.try_clone()
    }
}

/// Send buffer of a connection: two of the largest messages. Linux takes twice as much for its own purposes.
const TCP_SEND_BUFFER_OCTETS: usize = 128 << 10;

fn tcp_socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections inherit it. Left to itself the system gives each client that does not read megabytes.
    if let Err(error) = socket.set_send_buffer_size(TCP_SEND_BUFFER_OCTETS) {
        debug!(%address, %error, "cannot set the send buffer of connections");
    }
    // Connections of an earlier run that are not quite gone must not keep the port.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Lets further sockets of this user bind to the same port.
fn share(socket: &Socket) -> io::Result<()> {
    if cfg!(target_os = "linux") { socket.set_reuse_port(true) } else { Ok(()) }
}

fn local_addr(socket: &Socket) -> io::Result<SocketAddr> {
    let address = socket.local_addr()?;
    address.as_socket().ok_or_else(|| io::Error::other("the socket has no internet address"))
}

fn failed(address: SocketAddr, transport: &'static str, source: io::Error) -> BindError {
    BindError::Socket { address, transport, source }
}

/// What the system's error means here, for the operator.
fn hint(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EADDRINUSE) => ": another program listens there",
        Some(libc::EACCES | libc::EPERM) => {
            ": ports below 1024 need root, CAP_NET_BIND_SERVICE or a lower net.ipv4.ip_unprivileged_port_start"
        }
        Some(libc::EADDRNOTAVAIL) => ": no interface of this host has that address",
        Some(libc::EAFNOSUPPORT) => ": this host lacks the address family, IPv6 may be off",
        Some(libc::EMFILE | libc::ENFILE) => ": the limit on open files is too low",
        _ => "",
    }
}

/// How many ports are tried for one that is free over both transports.
const PORT_ATTEMPTS: usize = 32;
