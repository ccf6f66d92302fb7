//! TLS for whoever is dialled: a listener's certificate and key, read and checked before anything
//! starts.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsStream};

use crate::socket::Socket;

/// A certificate with its key.
#[derive(Clone)]
pub struct Certificate {
    acceptor: TlsAcceptor,
}

/// What is wrong with a file.
#[derive(Debug, Error)]
pub enum CertificateError {
    #[error("{}: {reason}", path.display())]
    Chain { path: PathBuf, reason: String },
    #[error("{}: no private key in it: {reason}", path.display())]
    Key { path: PathBuf, reason: String },
    #[error("{} does not go with {}: {reason}", key.display(), certificate.display())]
    Mismatch { key: PathBuf, certificate: PathBuf, reason: String },
}

impl Certificate {
    /// Reads a certificate chain and the key of its first certificate, both PEM.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, CertificateError> {
        let chain = read_certificates(certificate)?;
        let private_key = PrivateKeyDer::from_pem_file(key).map_err(|error| {
            CertificateError::Key { path: key.to_owned(), reason: error.to_string() }
        })?;
        Self::from_der(chain, private_key).map_err(|error| CertificateError::Mismatch {
            key: key.to_owned(),
            certificate: certificate.to_owned(),
            reason: error.to_string(),
        })
    }

    /// A chain and the key of its first certificate that are in memory already.
    ///
    /// # Errors
    /// The two don't go together.
    pub fn from_der(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, rustls::Error> {
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))?;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    /// Encrypts the connection of a client that begins to.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<Socket> {
        let stream = self.acceptor.accept(stream).await?;
        Ok(Socket::Tls(Box::new(TlsStream::Server(stream))))
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").finish_non_exhaustive()
    }
}

/// All certificates of a PEM file.
pub fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let problem = |reason: String| CertificateError::Chain { path: path.to_owned(), reason };
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|error| problem(error.to_string()))?.collect();
    let certificates = certificates.map_err(|error| problem(error.to_string()))?;
    if certificates.is_empty() {
        return Err(problem("no certificate in it; it must be PEM".into()));
    }
    Ok(certificates)
}
