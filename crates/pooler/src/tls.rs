//! TLS for clients: the listener's certificate and key, read and checked before anything starts.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::ConfigError;

/// A certificate with its key.
#[derive(Clone)]
pub struct ClientTls {
    pub(crate) acceptor: TlsAcceptor,
    /// Clients that don't encrypt are refused.
    pub required: bool,
}

impl ClientTls {
    /// Reads a certificate chain and the key of its first certificate, both PEM.
    pub fn read(certificate: &Path, key: &Path, required: bool) -> Result<Self, ConfigError> {
        let chain = read_certificates("tls.certificate", certificate)?;
        let private_key = PrivateKeyDer::from_pem_file(key).map_err(|error| {
            ConfigError::value(
                "tls.key",
                format!("{}: no private key in it: {error}", key.display()),
            )
        })?;
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private_key))
            .map_err(|error| {
                let message = format!(
                    "{} does not go with {}: {error}",
                    key.display(),
                    certificate.display()
                );
                ConfigError::value("tls.key", message)
            })?;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), required })
    }
}

impl std::fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientTls").field("required", &self.required).finish_non_exhaustive()
    }
}

/// All certificates of a PEM file.
pub(crate) fn read_certificates(
    key: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let problem = |what: String| ConfigError::value(key, format!("{}: {what}", path.display()));
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|error| problem(error.to_string()))?.collect();
    let certificates = certificates.map_err(|error| problem(error.to_string()))?;
    if certificates.is_empty() {
        return Err(problem("no certificate in it; it must be PEM".into()));
    }
    Ok(certificates)
}
