//! One socket with its buffers, for either side of a connection. Everything is polled, so that one
//! task can serve two of them at once; empty buffers are given back.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use crate::keep_alive::KeepAlive;
use crate::socket::Socket;

pub struct Wire {
    socket: Socket,
    pub input: BytesMut,
    pub output: BytesMut,
    read: u64,
    pub written: u64,
    /// Grows while the other side sends more than fits.
    read_bytes: usize,
    needs_flush: bool,
}

impl Wire {
    pub fn new(socket: Socket) -> Self {
        Self {
            socket,
            input: BytesMut::new(),
            output: BytesMut::new(),
            read: 0,
            written: 0,
            read_bytes: READ_BYTES_MIN,
            needs_flush: false,
        }
    }

    /// Waits for bytes and appends them to `input`.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] at the end of the stream.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.poll_read(cx) {
            Poll::Pending => {
                if self.input.is_empty() {
                    self.input = BytesMut::new();
                    self.read_bytes = READ_BYTES_MIN;
                }
                Poll::Pending
            }
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            Poll::Ready(Ok(read)) => {
                self.read += read as u64;
                if read >= self.read_bytes {
                    self.read_bytes = (2 * self.read_bytes).min(READ_BYTES_MAX);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        ready!(self.socket.poll_read_ready(cx))?;
        if self.read_bytes > READ_BYTES_MIN {
            self.input.reserve(self.read_bytes);
            return pin!(self.socket.read_buf(&mut self.input)).poll(cx);
        }
        // Most messages are short: to copy one costs less than to take room for a long one.
        let mut room = [MaybeUninit::uninit(); READ_BYTES_MIN];
        let mut read = ReadBuf::uninit(&mut room);
        ready!(Pin::new(&mut self.socket).poll_read(cx, &mut read))?;
        self.input.extend_from_slice(read.filled());
        Poll::Ready(Ok(read.filled().len()))
    }

    /// Writes what there is.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            let written = ready!(Pin::new(&mut self.socket).poll_write(cx, &self.output))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written as u64;
            self.output.advance(written);
            self.needs_flush = true;
            if self.output.is_empty() {
                self.output = BytesMut::new();
            }
        }
        if self.needs_flush {
            ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
            self.needs_flush = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes what the socket takes now. Pending if that is not all.
    pub async fn flush_at_once(&mut self) -> Poll<io::Result<()>> {
        poll_fn(|cx| Poll::Ready(self.poll_flush(cx))).await
    }

    /// See [`Socket::acknowledge_quickly`].
    pub fn acknowledge_quickly(&self) {
        self.socket.acknowledge_quickly();
    }

    /// See [`Socket::keep_alive`].
    pub fn keep_alive(&self, options: &KeepAlive) -> io::Result<()> {
        self.socket.keep_alive(options)
    }

    /// Nobody will take what waits to be written.
    pub fn discard_output(&mut self) {
        self.output = BytesMut::new();
        self.needs_flush = false;
    }

    /// Bytes ever read and written.
    pub fn counts(&self) -> (u64, u64) {
        (self.read, self.written)
    }

    pub fn has_output(&self) -> bool {
        !self.output.is_empty() || self.needs_flush
    }

    pub async fn fill(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_fill(cx)).await
    }

    pub async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Appends bytes that came from elsewhere. If they follow in memory what is there, nothing is
    /// copied.
    pub fn forward(&mut self, bytes: BytesMut) {
        self.output.unsplit(bytes);
    }

    /// Says that nothing follows.
    pub async fn shut_down(&mut self) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut self.socket).poll_shutdown(cx)).await
    }

    /// Writes what there is, says that nothing follows, and lets the other side close first for a
    /// moment: closing on unread bytes would make the kernel throw the last answer away.
    pub async fn finish(&mut self) {
        let finish = async {
            self.flush().await?;
            self.shut_down().await?;
            loop {
                self.fill().await?;
                self.input.clear();
            }
        };
        let _: Result<io::Result<()>, _> = tokio::time::timeout(LINGER, finish).await;
    }

    /// Writes what the socket takes now, and says that nothing follows.
    pub async fn finish_at_once(&mut self) {
        poll_fn(|cx| {
            if self.poll_flush(cx).is_ready() {
                let _ = Pin::new(&mut self.socket).poll_shutdown(cx);
            }
            Poll::Ready(())
        })
        .await;
    }

    /// Sends `farewell` if that is possible at once, and closes.
    pub fn close(mut self, farewell: impl FnOnce(&mut BytesMut)) {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        farewell(&mut self.output);
        if self.poll_flush(&mut cx).is_ready() {
            let _ = Pin::new(&mut self.socket).poll_shutdown(&mut cx);
        }
    }
}

/// How much is there, never what: it may be a login.
impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire")
            .field("socket", &self.socket)
            .field("input", &self.input.len())
            .field("output", &self.output.len())
            .finish_non_exhaustive()
    }
}

const READ_BYTES_MIN: usize = 8 * 1024;
const READ_BYTES_MAX: usize = 128 * 1024;
/// How long a refused client may take to notice.
const LINGER: Duration = Duration::from_secs(1);
