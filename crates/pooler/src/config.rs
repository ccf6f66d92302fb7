//! What can be set. The file is read as it is written, then checked once; code further down never
//! validates again.

mod error;
pub(crate) mod file;
mod limits;
mod tls;

use std::net::{IpAddr, SocketAddr};

use bolt::message::Secret;
use ipnet::IpNet;
use net::{CertificateDer, Encryption, Target};

pub use error::ConfigError;
pub use limits::{Limits, Seconds};
pub use tls::ClientTls;

/// A checked configuration. Certificates have been read.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: SocketAddr,
    pub upstream: Target,
    /// Trusted for the upstream instead of the system's certificates, if not empty.
    pub upstream_roots: Vec<CertificateDer<'static>>,
    /// What routing tables and LOGON tell clients, instead of the address that they dialled.
    pub advertised_address: Option<String>,
    pub tls: Option<ClientTls>,
    /// Balancers that begin each connection with a PROXY header.
    pub proxy_protocol_from: Vec<IpNet>,
    pub limits: Limits,
    pub admin: Option<Admin>,
    pub log: Log,
}

/// Where the numbers can be read.
#[derive(Clone, Debug)]
pub struct Admin {
    pub listen: SocketAddr,
    /// Asked for as a bearer token; always there if `listen` is not loopback.
    pub token: Option<Secret>,
}

#[derive(Clone, Debug, Default)]
pub struct Log {
    /// In `RUST_LOG`'s syntax.
    pub level: Option<String>,
    pub json: bool,
}

impl Config {
    /// Everything else at its default.
    pub fn new(upstream: Target) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], DEFAULT_PORT)),
            upstream,
            upstream_roots: Vec::new(),
            advertised_address: None,
            tls: None,
            proxy_protocol_from: Vec::new(),
            limits: Limits::default(),
            admin: None,
            log: Log::default(),
        }
    }

    /// Whether a client that dials `upstream` would reach this very listener, which would then wait
    /// for itself.
    pub fn check_not_itself(&self, listening: SocketAddr) -> Result<(), ConfigError> {
        let reaches = |address: &SocketAddr| {
            let same_host = if listening.ip().is_unspecified() {
                is_this_machine(address.ip())
            } else {
                address.ip() == listening.ip()
            };
            address.port() == listening.port() && same_host
        };
        // A name that can't be resolved now is no fault of the configuration.
        if self.upstream.port == listening.port()
            && self.upstream.resolve().is_ok_and(|found| found.iter().any(reaches))
        {
            let message = format!(
                "{} is where the pooler itself listens; name the Neo4j server, or listen elsewhere",
                self.upstream
            );
            return Err(ConfigError::value("upstream", message));
        }
        Ok(())
    }

    /// Keys that differ from `before` and can't be reloaded.
    pub fn needs_restart(&self, before: &Self) -> Vec<&'static str> {
        let listens = |config: &Self| config.admin.as_ref().map(|admin| admin.listen);
        let differs = [
            ("listen", self.listen != before.listen),
            ("upstream", self.upstream != before.upstream),
            ("proxy_protocol_from", self.proxy_protocol_from != before.proxy_protocol_from),
            ("upstream_tls", self.upstream_roots != before.upstream_roots),
            ("admin.listen", listens(self) != listens(before)),
            ("log.format", self.log.json != before.log.json),
        ];
        differs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
    }

    /// Whether credentials travel to the upstream in the clear over a network.
    pub fn sends_plaintext_over_network(&self) -> bool {
        self.upstream.encryption == Encryption::None && !self.upstream.is_this_machine()
    }
}

/// One can bind to it.
fn is_this_machine(address: IpAddr) -> bool {
    address.is_loopback() || std::net::UdpSocket::bind((address, 0)).is_ok()
}

const DEFAULT_PORT: u16 = 7688;
