//! Where a server is and how to speak to it: the URI that Neo4j drivers take.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::str::FromStr;

use rustls::pki_types::ServerName;
use thiserror::Error;

/// A URI such as `neo4j+s://example.com:7687`, taken apart. The port is 7687 if none was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `neo4j` rather than `bolt`: drivers ask for a routing table.
    pub routing: bool,
    pub encryption: Encryption,
    pub host: String,
    pub port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    None,
    /// `+s`: the certificate is checked against the system's roots.
    Verified,
    /// `+ssc`: any certificate.
    AnyCertificate,
}

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TargetError {
    #[error("`{0}` has no scheme; write for example bolt://localhost:7687")]
    NoScheme(String),
    #[error(
        "`{0}` is not a scheme of Neo4j's: bolt, bolt+s, bolt+ssc, neo4j, neo4j+s or neo4j+ssc"
    )]
    UnknownScheme(String),
    #[error("the URI names no host; write for example bolt://localhost:7687")]
    NoHost,
    #[error("`{0}` is not a port")]
    Port(String),
    #[error("`{0}` is no name of a host")]
    Host(String),
    #[error("user and password don't belong into the URI; leave them out and give them separately")]
    Credentials,
    #[error("a path or query after the host is not supported: `{0}`")]
    Extra(String),
}

impl Target {
    /// The addresses of the host, in the resolver's order.
    pub fn resolve(&self) -> std::io::Result<Vec<SocketAddr>> {
        Ok((self.host.as_str(), self.port).to_socket_addrs()?.collect())
    }

    /// Whether every address of the host belongs to this machine: one can bind to it.
    pub fn is_this_machine(&self) -> bool {
        let is_ours = |address: &SocketAddr| {
            address.ip().is_loopback() || UdpSocket::bind((address.ip(), 0)).is_ok()
        };
        self.resolve().is_ok_and(|addresses| !addresses.is_empty() && addresses.iter().all(is_ours))
    }

    /// `host:port`, with brackets around an IPv6 address.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.routing { "neo4j" } else { "bolt" };
        let suffix = match self.encryption {
            Encryption::None => "",
            Encryption::Verified => "+s",
            Encryption::AnyCertificate => "+ssc",
        };
        write!(f, "{scheme}{suffix}://{}", self.address())
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(uri: &str) -> Result<Self, TargetError> {
        if uri.contains('@') {
            return Err(TargetError::Credentials);
        }
        let (scheme, rest) =
            uri.split_once("://").ok_or_else(|| TargetError::NoScheme(uri.to_owned()))?;
        let (routing, encryption) = match scheme {
            "bolt" => (false, Encryption::None),
            "bolt+s" => (false, Encryption::Verified),
            "bolt+ssc" => (false, Encryption::AnyCertificate),
            "neo4j" => (true, Encryption::None),
            "neo4j+s" => (true, Encryption::Verified),
            "neo4j+ssc" => (true, Encryption::AnyCertificate),
            other => return Err(TargetError::UnknownScheme(other.to_owned())),
        };
        let (authority, extra) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if !matches!(extra, "" | "/") {
            return Err(TargetError::Extra(extra.to_owned()));
        }
        let (host, port) = split_port(authority)?;
        if host.is_empty() {
            return Err(TargetError::NoHost);
        }
        if ServerName::try_from(host).is_err() {
            return Err(TargetError::Host(host.to_owned()));
        }
        Ok(Self { routing, encryption, host: host.to_owned(), port })
    }
}

fn split_port(authority: &str) -> Result<(&str, u16), TargetError> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(bracketed) => {
            let (host, rest) = bracketed.split_once(']').ok_or(TargetError::NoHost)?;
            let port = if rest.is_empty() { "" } else { rest.strip_prefix(':').unwrap_or(rest) };
            (host, port)
        }
        None => authority.split_once(':').unwrap_or((authority, "")),
    };
    let parsed = if port.is_empty() {
        Some(DEFAULT_PORT)
    } else {
        port.parse().ok().filter(|port| *port > 0)
    };
    Ok((host, parsed.ok_or_else(|| TargetError::Port(port.to_owned()))?))
}

const DEFAULT_PORT: u16 = 7687;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scheme_is_read_and_written() {
        for uri in [
            "bolt://a:1",
            "bolt+s://a:7687",
            "bolt+ssc://a:2",
            "neo4j://a:3",
            "neo4j+s://a:4",
            "neo4j+ssc://[::1]:5",
        ] {
            assert_eq!(uri.parse::<Target>().unwrap().to_string(), uri);
        }
        assert_eq!("neo4j://db.example/".parse::<Target>().unwrap().port, 7687);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |uri: &str| uri.parse::<Target>().unwrap_err();
        assert_eq!(error("localhost:7687"), TargetError::NoScheme("localhost:7687".into()));
        assert_eq!(error("http://a"), TargetError::UnknownScheme("http".into()));
        assert_eq!(error("bolt://:7687"), TargetError::NoHost);
        assert_eq!(error("neo4j:secret@a"), TargetError::Credentials);
        assert_eq!(error("bolt://a b"), TargetError::Host("a b".into()));
        assert_eq!("bolt://neo4j_db:1".parse::<Target>().unwrap().host, "neo4j_db");
        assert_eq!(error("bolt://[::1]x1"), TargetError::Port("x1".into()));
        assert_eq!(error("bolt://a:0"), TargetError::Port("0".into()));
        assert_eq!(error("bolt://a:b"), TargetError::Port("b".into()));
        assert_eq!(error("bolt://me:secret@a"), TargetError::Credentials);
        assert_eq!(error("neo4j://a?policy=x"), TargetError::Extra("?policy=x".into()));
    }

    #[test]
    fn loopback_is_this_machine_and_a_documentation_address_is_not() {
        assert!("bolt://127.0.0.1:7687".parse::<Target>().unwrap().is_this_machine());
        assert!(!"bolt://192.0.2.1:7687".parse::<Target>().unwrap().is_this_machine());
    }
}
