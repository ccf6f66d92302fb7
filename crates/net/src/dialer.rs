//! How a socket to a target is opened: the host is looked up, its addresses are connected to, and
//! spoken to encrypted if the target says so.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, TlsStream};

use crate::race::race;
use crate::resolver::{Resolve, SystemResolver, in_order_of_trial};
use crate::socket::Socket;
use crate::target::{Encryption, Target};
use crate::tls;

/// Opens sockets to one target. The system's certificates are loaded once, here.
pub struct Dialer {
    target: Target,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    resolver: Arc<dyn Resolve>,
}

/// Why there is no socket.
#[derive(Debug, Error)]
pub enum DialError {
    #[error("cannot find the host: {0}")]
    Resolve(io::Error),
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    /// The other side's certificate or its TLS is not acceptable. Trying again changes nothing.
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
        Ok(Self { target, tls, resolver: Arc::new(SystemResolver) })
    }

    /// The same with another way to look the host up.
    #[must_use]
    pub fn with_resolver(self, resolver: Arc<dyn Resolve>) -> Self {
        Self { resolver, ..self }
    }

    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The addresses of the host in the order in which they should be tried; at least one. Takes as
    /// long as the system's resolver does.
    ///
    /// # Errors
    /// [`DialError::Resolve`] if the name is not known or nobody could be asked.
    pub async fn resolve(&self) -> Result<Vec<SocketAddr>, DialError> {
        let found = self.resolver.resolve(&self.target.host, self.target.port).await;
        let found = in_order_of_trial(found.map_err(DialError::Resolve)?);
        if found.is_empty() {
            let nothing = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            return Err(DialError::Resolve(nothing));
        }
        Ok(found)
    }

    /// Connects to one address, without encryption so far. Waits as long as the system does.
    ///
    /// # Errors
    /// [`DialError::Connect`].
    pub async fn connect(&self, address: SocketAddr) -> Result<Socket, DialError> {
        let stream = TcpStream::connect(address).await.map_err(DialError::Connect)?;
        stream.set_nodelay(true).map_err(DialError::Io)?;
        Ok(Socket::Plain(stream))
    }

    /// Encrypts what [`Dialer::connect`] has opened, if the target says so.
    ///
    /// # Errors
    /// [`DialError::Tls`] if the other side can't be believed or doesn't speak TLS,
    /// [`DialError::Io`] if the connection ends meanwhile.
    pub async fn encrypt(&self, socket: Socket) -> Result<Socket, DialError> {
        match (&self.tls, socket) {
            (Some((connector, name)), Socket::Plain(stream)) => {
                let stream = connector.connect(name.clone(), stream).await.map_err(tls_error)?;
                Ok(Socket::Tls(Box::new(TlsStream::Client(stream))))
            }
            (_, socket) => Ok(socket),
        }
    }

    /// Connects to the first address of the host with which all goes well, TLS included. Waits as
    /// long as the system does.
    ///
    /// # Errors
    /// What went wrong with the address that failed last.
    pub async fn dial(&self) -> Result<Socket, DialError> {
        let addresses = self.resolve().await?;
        let attempts = addresses
            .into_iter()
            .map(|address| async move { self.encrypt(self.connect(address).await?).await });
        race(attempts).await.map_err(|mut errors| {
            errors.pop().unwrap_or_else(|| DialError::Connect(io::ErrorKind::NotFound.into()))
        })
    }
}

/// What rustls objects to will be the same next time; a connection that broke need not.
fn tls_error(error: io::Error) -> DialError {
    match error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
        true => DialError::Tls(error.to_string()),
        false => DialError::Io(error),
    }
}

impl std::fmt::Debug for Dialer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialer").field("target", &self.target).finish_non_exhaustive()
    }
}
