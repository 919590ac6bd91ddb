//! Connections to a server: dialled when they are needed, kept for the next request.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::ClientError;

/// Connections kept for later; more than that are closed after use.
const IDLE_MAX: usize = 16;
/// Well below the time after which a server ends a connection that nobody uses.
const IDLE_TIME_MAX: Duration = Duration::from_secs(5);

/// Where a server is, and the connections to it.
pub(super) struct Connections {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    idle: Mutex<Vec<(SendRequest<Full<Bytes>>, Instant)>>,
}

/// A connection in use.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    home: Arc<Connections>,
}

impl Connections {
    /// Connections to the server of a base URL; over TLS if there is a configuration for it.
    pub fn new(base: &Uri, tls: Option<Arc<rustls::ClientConfig>>) -> Result<Self, ClientError> {
        let wrong = |why: &str| ClientError::Url { url: base.to_string(), why: why.to_owned() };
        let is_tls = match base.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("it must begin with http:// or https://")),
        };
        // IPv6 addresses stand in brackets there, and nowhere else.
        let host = base.host().filter(|host| !host.is_empty()).ok_or_else(|| wrong("it names no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let tls = match (is_tls, tls) {
            (false, _) => None,
            (true, Some(config)) => {
                let name = ServerName::try_from(host.clone()).map_err(|_| wrong("its host is no name"))?;
                Some((TlsConnector::from(config), name))
            }
            (true, None) => return Err(wrong("https needs the certificates to trust")),
        };
        let port = base.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        Ok(Self { host, port, tls, idle: Mutex::default() })
    }

    /// Sends a request over a connection that is open already, or a new one.
    pub async fn send(
        self: &Arc<Self>,
        mut request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, Connection), ClientError> {
        while let Some(mut sender) = self.take() {
            match sender.try_send_request(request).await {
                Ok(response) => return Ok((response, self.lend(sender))),
                Err(mut error) => match error.take_message() {
                    // The server has closed it in the meantime, and has not seen the request.
                    Some(unsent) => request = unsent,
                    None => return Err(error.into_error().into()),
                },
            }
        }
        let mut sender = self.dial().await?;
        let response = sender.send_request(request).await?;
        Ok((response, self.lend(sender)))
    }

    async fn dial(&self) -> Result<SendRequest<Full<Bytes>>, ClientError> {
        let connect = async {
            let stream = TcpStream::connect((&*self.host, self.port)).await?;
            stream.set_nodelay(true)?;
            Ok(match &self.tls {
                None => Wire::Plain(stream),
                Some((connector, name)) => {
                    Wire::Tls(Box::new(connector.connect(name.clone(), stream).await?))
                }
            })
        };
        let stream = connect.await.map_err(|error: io::Error| ClientError::Connect {
            server: format!("{}:{}", self.host, self.port),
            error,
        })?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // It ends with the sender, and tells its errors there.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }

    fn take(&self) -> Option<SendRequest<Full<Bytes>>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(sender, since)| !sender.is_closed() && since.elapsed() < IDLE_TIME_MAX);
        // Not those that the server still sends to.
        let place = idle.iter().rposition(|(sender, _)| sender.is_ready())?;
        Some(idle.swap_remove(place).0)
    }

    fn lend(self: &Arc<Self>, sender: SendRequest<Full<Bytes>>) -> Connection {
        Connection { sender, home: self.clone() }
    }
}

impl Connection {
    /// Keeps it for the next request; its answer has been read.
    pub async fn give_back(mut self) {
        if self.sender.ready().await.is_err() {
            return; // the server has closed it
        }
        let mut idle = self.home.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push((self.sender, Instant::now()));
        }
    }
}

/// A connection with or without TLS.
enum Wire {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, octets),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, octets),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
