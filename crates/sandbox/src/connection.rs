//! A client's socket, as far away as the settings say.

use std::io;
use std::time::Duration;

use net::{Certificate, Socket, Wire};
use tokio::net::TcpStream;

#[derive(Debug)]
pub(crate) struct Connection {
    pub wire: Wire,
    /// Added to what arrives, as if the client were this far away.
    rtt: Duration,
}

impl Connection {
    pub fn new(socket: Socket, rtt: Duration) -> Self {
        Self { wire: Wire::new(socket), rtt }
    }

    /// Takes a client that has just connected, which has travelled once for TCP, and once more for TLS.
    ///
    /// # Errors
    /// The client does not encrypt, and has to.
    pub async fn accept(
        stream: TcpStream,
        rtt: Duration,
        certificate: Option<&Certificate>,
    ) -> io::Result<Self> {
        travel(rtt).await;
        let Some(certificate) = certificate else {
            return Ok(Self::new(Socket::Plain(stream), rtt));
        };
        travel(rtt).await;
        Ok(Self::new(certificate.accept(stream).await?, rtt))
    }

    /// Waits for bytes and takes them. Nothing is lost if the caller stops waiting.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] at the end of the stream.
    pub async fn fill(&mut self) -> io::Result<()> {
        // The rest of a message that has begun travels directly after its beginning.
        let begins = self.wire.input.is_empty();
        self.wire.fill().await?;
        if begins {
            self.travel().await;
        }
        Ok(())
    }

    /// Waits as long as a message of the client would be on its way.
    pub async fn travel(&mut self) {
        travel(self.rtt).await;
    }

    /// Tells the client that the connection is over, without another word.
    pub async fn shut_down(&mut self) {
        let _ = tokio::time::timeout(LINGER, self.wire.shut_down()).await;
    }
}

async fn travel(rtt: Duration) {
    if !rtt.is_zero() {
        tokio::time::sleep(rtt).await;
    }
}

/// How long a client may take to notice.
const LINGER: Duration = Duration::from_secs(1);
