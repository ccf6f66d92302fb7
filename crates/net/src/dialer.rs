//! How a socket to a target is opened: the host is looked up, connected to, and spoken to encrypted
//! if the target says so.

use std::io;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, TlsStream};

use crate::socket::Socket;
use crate::target::{Encryption, Target};
use crate::tls;

/// Opens sockets to one target. The system's certificates are loaded once, here.
pub struct Dialer {
    target: Target,
    tls: Option<(TlsConnector, ServerName<'static>)>,
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
