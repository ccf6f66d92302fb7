//! A target of this run, as its clients dial it.

use std::sync::Arc;

use anyhow::{Context, Result};
use client::ClientError;
use net::{DialError, Dialer, Target};
use tokio::net::TcpListener;

use crate::connector::Connector;
use crate::link::Link;
use crate::results::TargetInfo;
use crate::settings::{NamedTarget, Settings};

pub(super) struct RunTarget {
    pub name: String,
    pub connector: Arc<Connector>,
    uri: Target,
    /// Stands before the target if it is to seem far away, and ends with the run.
    _link: Option<Link>,
}

impl RunTarget {
    pub async fn new(named: &NamedTarget, settings: &Settings) -> Result<Self> {
        let (dialled, link) = match settings.link_delay {
            Some(round_trip) => {
                let listener = TcpListener::bind("127.0.0.1:0").await?;
                let link = Link::start(listener, named.target.clone(), round_trip)?;
                (link.stands_for(&named.target), Some(link))
            }
            None => (named.target.clone(), None),
        };
        let dialer = Dialer::new(dialled, &[])?;
        let connector = Arc::new(Connector { dialer, timeout: settings.timeout });
        Ok(Self { name: named.name.clone(), connector, uri: named.target.clone(), _link: link })
    }

    /// Logs in once, so that a wrong password or address is known before anything is run.
    pub async fn check_login(&self, settings: &Settings) -> Result<TargetInfo> {
        let of_target = || format!("target {}, {}", self.name, self.uri);
        let connected = self.connector.connect(&settings.auth(0)).await;
        let connection = connected.map_err(explained).with_context(of_target)?;
        let info = TargetInfo {
            name: self.name.clone(),
            uri: self.uri.to_string(),
            agent: connection.server_agent().to_owned(),
            bolt: connection.version().to_string(),
        };
        connection.close().await;
        Ok(info)
    }
}

/// The error, and what to do about it where that is known.
fn explained(error: ClientError) -> anyhow::Error {
    let fix = match &error {
        ClientError::Server(failure) if failure.code.starts_with("Neo.ClientError.Security.") => {
            "check --user and NEO4J_PASSWORD"
        }
        ClientError::Dial(DialError::Resolve(_) | DialError::Connect(_)) => {
            "start the server or correct the address"
        }
        _ => return error.into(),
    };
    anyhow::anyhow!("{error}; {fix}")
}
