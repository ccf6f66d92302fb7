//! A byte stream to the other side: TCP, TLS over TCP, or whatever a test puts in its place.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use crate::keep_alive::KeepAlive;

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

    /// Has the kernel watch over the other side. In memory there is no kernel, and nothing to do.
    ///
    /// # Errors
    /// See [`KeepAlive::apply`].
    pub fn keep_alive(&self, options: &KeepAlive) -> io::Result<()> {
        match self {
            Self::Plain(stream) => options.apply(stream),
            Self::Tls(stream) => options.apply(stream.get_ref().0),
            Self::Other(_) => Ok(()),
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
