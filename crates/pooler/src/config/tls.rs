//! TLS for clients: the section `[tls]`, with its files read and checked.

use std::path::Path;

use net::{Certificate, CertificateError};

use super::error::ConfigError;

/// The pooler's certificate.
#[derive(Clone, Debug)]
pub struct ClientTls {
    pub(crate) certificate: Certificate,
    /// Clients that don't encrypt are refused.
    pub required: bool,
}

impl ClientTls {
    /// Reads a certificate chain and the key of its first certificate, both PEM.
    pub fn read(certificate: &Path, key: &Path, required: bool) -> Result<Self, ConfigError> {
        let certificate = Certificate::read(certificate, key).map_err(|error| {
            let setting = match error {
                CertificateError::Chain { .. } => "tls.certificate",
                CertificateError::Key { .. } | CertificateError::Mismatch { .. } => "tls.key",
            };
            ConfigError::value(setting, error.to_string())
        })?;
        Ok(Self { certificate, required })
    }
}
