//! A client's socket as messages: reads what has arrived, writes what was collected. Buffers are
//! given back while nothing is under way, so that an idle connection costs next to nothing.

use std::io;
use std::time::Duration;

use bolt::{ChunkError, Dechunker};
use bytes::{Bytes, BytesMut};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    pub input: BytesMut,
    pub output: BytesMut,
    dechunker: Dechunker,
    /// Added to what arrives, as if the client were this far away.
    rtt: Duration,
}

impl Connection {
    pub fn new(stream: TcpStream, rtt: Duration) -> Self {
        let dechunker = Dechunker::new(UNAUTHENTICATED_MESSAGE_MAX);
        Self { stream, input: BytesMut::new(), output: BytesMut::new(), dechunker, rtt }
    }

    /// Waits for bytes and takes them; `false` at the end of the stream. Nothing is lost if the
    /// caller stops waiting.
    pub async fn fill(&mut self) -> io::Result<bool> {
        // The rest of a message that has begun travels right behind its beginning.
        let begins = self.input.is_empty() && !self.dechunker.is_inside_message();
        loop {
            self.stream.readable().await?;
            self.input.reserve(READ_BYTES);
            match self.stream.try_read_buf(&mut self.input) {
                Ok(0) => return Ok(false),
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        if begins && !self.rtt.is_zero() {
            tokio::time::sleep(self.rtt).await;
        }
        Ok(true)
    }

    pub fn next_message(&mut self) -> Result<Option<Bytes>, ChunkError> {
        self.dechunker.next(&mut self.input)
    }

    pub async fn flush(&mut self) -> io::Result<()> {
        if !self.output.is_empty() {
            self.stream.write_all_buf(&mut self.output).await?;
        }
        Ok(())
    }

    /// Writes what there is, says that nothing follows, and lets the client close first for a
    /// moment: closing on unread bytes would make the kernel throw the last answer away.
    pub async fn finish(&mut self) -> io::Result<()> {
        tokio::time::timeout(LINGER, self.finish_without_limit()).await.unwrap_or(Ok(()))
    }

    async fn finish_without_limit(&mut self) -> io::Result<()> {
        self.flush().await?;
        self.stream.shutdown().await?;
        while let Ok(true) = self.fill().await {
            self.input.clear();
        }
        Ok(())
    }

    /// Tells the client that the connection is over, without another word.
    pub async fn shut_down(&mut self) {
        let _ = tokio::time::timeout(LINGER, self.stream.shutdown()).await;
    }

    /// Gives empty buffers back.
    pub fn release_buffers(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
        if self.output.is_empty() {
            self.output = BytesMut::new();
        }
    }

    pub fn authenticated(&mut self) {
        self.dechunker.set_limit(MESSAGE_MAX);
    }

    pub fn logged_off(&mut self) {
        self.dechunker.set_limit(UNAUTHENTICATED_MESSAGE_MAX);
    }
}

/// How long a refused client may take to notice.
const LINGER: Duration = Duration::from_secs(1);
const READ_BYTES: usize = 8 * 1024;
/// Neo4j's limit before login.
const UNAUTHENTICATED_MESSAGE_MAX: usize = 8 * 1024;
/// Neo4j has none after login.
const MESSAGE_MAX: usize = 64 << 20;
