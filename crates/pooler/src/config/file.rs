//! The file as it is written: TOML, unknown keys refused.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use bolt::message::Secret;
use ipnet::IpNet;
use net::{Dialer, Encryption, Target};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::error::ConfigError;
use super::tls::ClientTls;
use super::{Admin, Config, DEFAULT_PORT, Limits, Log};

/// Nothing in here has been checked yet, except that it has the right type.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    #[serde(deserialize_with = "maybe_listen_address")]
    pub listen: Option<SocketAddr>,
    pub upstream: Option<String>,
    pub advertised_address: Option<String>,
    /// Listen beyond loopback without TLS.
    pub allow_plaintext: bool,
    pub tls: Option<Tls>,
    /// Addresses and networks, such as `10.0.0.0/8`.
    pub proxy_protocol_from: Vec<String>,
    pub upstream_tls: Option<UpstreamTls>,
    pub limits: Limits,
    pub admin: Option<AdminSection>,
    pub log: LogSection,
}

/// For clients.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    /// Refuse clients that don't encrypt.
    #[serde(default = "yes")]
    required: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamTls {
    ca: PathBuf,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminSection {
    #[serde(deserialize_with = "listen_address")]
    listen: SocketAddr,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSection {
    level: Option<String>,
    format: LogFormat,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

impl Config {
    /// Reads and checks a file. `environment` is asked for secrets.
    pub fn read(
        path: &Path,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        File::read(path)?.check(environment)
    }
}

/// What the parser says, without Rust's names for types.
fn in_words(message: &str) -> String {
    let mut words = message.replace('\n', "; ");
    for (type_name, meant) in TYPES {
        words = words.replace(&format!("expected {type_name}"), &format!("expected {meant}"));
    }
    words.replace("invalid type: ", "").replace("invalid value: ", "")
}

/// How numbers are called in settings.
const TYPES: [(&str, &str); 6] = [
    ("usize", "a whole number"),
    ("u64", "a whole number"),
    ("u32", "a whole number"),
    ("u16", "a whole number"),
    ("i64", "a whole number"),
    ("f64", "a number"),
];

impl File {
    /// Relative paths in the file are meant relative to its folder.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Read { path: path.to_owned(), error })?;
        let mut file = Self::parse(&text)
            .map_err(|message| ConfigError::Syntax { path: path.to_owned(), message })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let paths = file.tls.iter_mut().flat_map(|tls| [&mut tls.certificate, &mut tls.key]);
        for path in paths.chain(file.upstream_tls.iter_mut().map(|tls| &mut tls.ca)) {
            *path = folder.join(&*path);
        }
        Ok(file)
    }

    /// # Errors
    /// One line with the place and the problem.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.lines().count().max(1) + usize::from(before.ends_with('\n'));
            format!("line {line}: {}", in_words(error.message()))
        })
    }

    /// As if the file said so.
    pub fn set_admin(&mut self, listen: SocketAddr) {
        self.admin = Some(AdminSection { listen });
    }

    /// Reads the certificates and makes a configuration of it all.
    pub fn check(
        self,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Config, ConfigError> {
        let upstream = self.upstream.as_deref().ok_or_else(|| {
            let message = "no server is named; write for example upstream = \"bolt://localhost:7687\", give --upstream, or set NEO4J_URI";
            ConfigError::value("upstream", message)
        })?;
        let upstream: Target =
            upstream.parse().map_err(|error| ConfigError::value("upstream", format!("{error}")))?;
        let listen = self.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], DEFAULT_PORT)));
        let tls = self
            .tls
            .map(|tls| ClientTls::read(&tls.certificate, &tls.key, tls.required))
            .transpose()?;
        let encrypts = tls.as_ref().is_some_and(|tls| tls.required);
        if !listen.ip().is_loopback() && !encrypts && !self.allow_plaintext {
            let message = format!(
                "{listen} is reached from other machines, where passwords would travel in the clear; give a certificate in [tls] with required = true, or set allow_plaintext = true (--allow-plaintext)"
            );
            return Err(ConfigError::value("listen", message));
        }
        let upstream_roots = match &self.upstream_tls {
            None => Vec::new(),
            Some(_) if upstream.encryption != Encryption::Verified => {
                let message = format!("{upstream} checks no certificate; write a scheme with +s");
                return Err(ConfigError::value("upstream_tls.ca", message));
            }
            Some(tls) => net::read_certificates(&tls.ca)
                .map_err(|error| ConfigError::value("upstream_tls.ca", error.to_string()))?,
        };
        // The system's are not asked for here: loading them takes a while and can't fail.
        if !upstream_roots.is_empty() {
            Dialer::new(upstream.clone(), &upstream_roots)
                .map_err(|error| ConfigError::value("upstream_tls.ca", error.to_string()))?;
        }
        self.limits.check()?;
        let config = Config {
            listen,
            upstream,
            upstream_roots,
            advertised_address: self.advertised_address.map(checked_address).transpose()?,
            tls,
            proxy_protocol_from: networks(&self.proxy_protocol_from)?,
            limits: self.limits,
            admin: self.admin.map(|admin| admin.check(environment)).transpose()?,
            log: Log { level: self.log.level, json: self.log.format == LogFormat::Json },
        };
        config.check_not_itself(config.listen)?;
        Ok(config)
    }
}

impl AdminSection {
    fn check(self, environment: impl Fn(&str) -> Option<String>) -> Result<Admin, ConfigError> {
        let token = environment(ADMIN_TOKEN).filter(|token| !token.is_empty()).map(Secret::from);
        if !self.listen.ip().is_loopback() && token.is_none() {
            let message = format!(
                "{} is reached from other machines; set {ADMIN_TOKEN} in the environment, or listen on 127.0.0.1",
                self.listen
            );
            return Err(ConfigError::value("admin.listen", message));
        }
        Ok(Admin { listen: self.listen, token })
    }
}

fn networks(names: &[String]) -> Result<Vec<IpNet>, ConfigError> {
    let network = |name: &String| {
        let address = name.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
        address.or_else(|_| name.parse()).map_err(|_| {
            let message = format!(
                "`{name}` is no address of a balancer; write for example \"10.1.2.3\" or \"10.0.0.0/8\""
            );
            ConfigError::value("proxy_protocol_from", message)
        })
    };
    names.iter().map(network).collect()
}

fn checked_address(address: String) -> Result<String, ConfigError> {
    let uri = format!("bolt://{address}");
    match uri.parse::<Target>() {
        Ok(target) if target.address() == address => Ok(address),
        _ => Err(ConfigError::value(
            "advertised_address",
            format!("`{address}` is not HOST:PORT, for example pooler.example:7687"),
        )),
    }
}

fn listen_address<'de, D: Deserializer<'de>>(source: D) -> Result<SocketAddr, D::Error> {
    net::listen_address(&String::deserialize(source)?).map_err(D::Error::custom)
}

fn maybe_listen_address<'de, D>(source: D) -> Result<Option<SocketAddr>, D::Error>
where
    D: Deserializer<'de>,
{
    listen_address(source).map(Some)
}

fn yes() -> bool {
    true
}

/// The environment's variable for the admin token.
const ADMIN_TOKEN: &str = "BOLTBOUNCER_ADMIN_TOKEN";
