//! A byte stream to the other side: TCP, TLS over TCP, or whatever a test puts in its place.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::pki_types::{CertificateDer, ServerName};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, TlsStream};

use crate::target::{Encryption, Target};
use crate::tls;

/// Anything that can stand in for a connection.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

pub enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Other(Box<dyn Stream>),
}

impl Socket {
    /// Has what arrives next acknowledged at once. A peer that leaves Nagle's algorithm on keeps its
    /// next bytes back until then, and an acknowledgement may otherwise take 40 ms.
    pub fn acknowledge_quickly(&self) {
        #[cfg(target_os = "linux")]
        if let Self::Plain(stream) = self {
            // Without it everything works, if later.
            let _ = stream.set_quickack(true);
        }
    }

    /// Ready when reading may bring something; a read can still find nothing. Asks what the runtime
    /// knows and not the kernel, so that nobody needs a buffer before there is something to put in.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => stream.poll_read_ready(cx),
            // There may be plaintext that the socket knows nothing of.
            Self::Tls(_) | Self::Other(_) => Poll::Ready(Ok(())),
        }
    }

    fn stream(&mut self) -> Pin<&mut dyn Stream> {
        match self {
            Self::Plain(stream) => Pin::new(stream),
            Self::Tls(stream) => Pin::new(stream.as_mut()),
            Self::Other(stream) => Pin::new(stream.as_mut()),
        }
    }
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain",
            Self::Tls(_) => "Tls",
            Self::Other(_) => "Other",
        })
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream().poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}

/// Why there is no socket.
#[derive(Debug, Error)]
pub enum DialError {
    #[error("cannot find the host: {0}")]
    Resolve(io::Error),
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    #[error("TLS failed: {0}")]
    Tls(String),
    #[error("the connection broke: {0}")]
    Io(io::Error),
}

/// Opens sockets to one target. The system's certificates are loaded once, here.
pub struct Dialer {
    target: Target,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Dialer {
    /// `roots` are trusted instead of the system's, if there are any.
    ///
    /// # Errors
    /// [`DialError::Tls`] if the host can't be the name in a certificate or `roots` are useless.
    pub fn new(target: Target, roots: &[CertificateDer<'static>]) -> Result<Self, DialError> {
        let tls = match target.encryption {
            Encryption::None => None,
            encryption => {
                let config = tls::config(encryption, roots)
                    .map_err(|error| DialError::Tls(error.to_string()))?;
                let name = ServerName::try_from(target.host.clone())
                    .map_err(|error| DialError::Tls(error.to_string()))?;
                Some((TlsConnector::from(Arc::new(config)), name))
            }
        };
        Ok(Self { target, tls })
    }

    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Connects to the first address of the host that answers, and encrypts. Waits as long as the
    /// system does.
    pub async fn dial(&self) -> Result<Socket, DialError> {
        let host = (self.target.host.as_str(), self.target.port);
        let addresses = tokio::net::lookup_host(host).await.map_err(DialError::Resolve)?;
        let addresses: Vec<_> = addresses.collect();
        let stream = TcpStream::connect(&addresses[..]).await.map_err(DialError::Connect)?;
        stream.set_nodelay(true).map_err(DialError::Io)?;
        let Some((connector, name)) = &self.tls else { return Ok(Socket::Plain(stream)) };
        let stream = connector.connect(name.clone(), stream).await;
        let stream = stream.map_err(|error| DialError::Tls(error.to_string()))?;
        Ok(Socket::Tls(Box::new(TlsStream::Client(stream))))
    }
}

impl std::fmt::Debug for Dialer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialer").field("target", &self.target).finish_non_exhaustive()
    }
}
