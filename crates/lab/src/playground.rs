//! An Airflow with the DAGs, a server, and a pooler between the two, for looking at the patterns in
//! Airflow's own pages. Nothing is measured and nothing is triggered. It runs until somebody ends it.

use std::path::PathBuf;
use std::time::Duration;

use airflow::native::Login;
use anyhow::{Context, Result};

use crate::engine::SharedNative;
use crate::output::RunFolder;
use crate::server::Server;
use crate::settings::{ANY_PORT, NativeAirflow, Pattern, ServerChoice};
use crate::stop::Stop;

#[derive(Clone, Debug)]
pub struct PlaygroundSettings {
    pub server: ServerChoice,
    pub airflow: NativeAirflow,
    /// Tasks at once.
    pub parallelism: usize,
    /// Upstream connections of the pooler.
    pub pool_size: usize,
    /// Airflow's logs go into a folder in here.
    pub out: PathBuf,
}

/// What there is to look at.
#[derive(Debug)]
pub struct Playground {
    native: SharedNative,
    server: Server,
    pub login: Login,
    pub server_uri: String,
    pub pooler_uri: String,
    pub pooler_admin: Option<String>,
    /// With Airflow's logs and the DAG files.
    pub folder: PathBuf,
}

impl Playground {
    /// Starts everything and waits until Airflow has read the DAGs.
    ///
    /// # Errors
    /// Something is missing or does not start; what was started is ended.
    pub async fn open(settings: &PlaygroundSettings, stop: &Stop) -> Result<Self> {
        let mut server = Server::start(&settings.server, Some(ANY_PORT)).await?;
        server.start_pooler(settings.pool_size, Some(ANY_PORT)).await?;
        let folder = RunFolder::create(&settings.out)?;
        let airflow = &settings.airflow;
        let native =
            SharedNative::start(airflow, settings.parallelism, &server, &folder, stop).await;
        let native = native.inspect_err(|_| {
            folder.remove_if_empty();
        })?;
        Ok(Self {
            login: native.login(),
            native,
            server_uri: server.uri(Pattern::Problematic)?,
            pooler_uri: server.uri(Pattern::Pooled)?,
            pooler_admin: server.pooler_admin().map(|admin| format!("http://{admin}")),
            server,
            folder: folder.path().to_owned(),
        })
    }

    /// Waits until `stop` says so, then ends everything.
    ///
    /// # Errors
    /// A part of Airflow ended by itself; the rest is ended too.
    pub async fn stay(mut self, stop: &Stop) -> Result<()> {
        let mut tick = tokio::time::interval(LOOK_INTERVAL);
        let outcome = loop {
            tokio::select! {
                () = stop.stopped() => break Ok(()),
                _ = tick.tick() => {
                    let looked = self.native.check();
                    if looked.is_err() {
                        break looked;
                    }
                }
            }
        };
        let native = self.native;
        tokio::task::spawn_blocking(move || drop(native)).await.context("ending Airflow failed")?;
        self.server.end_pooler().await;
        self.server.counter.close().await;
        outcome
    }
}

const LOOK_INTERVAL: Duration = Duration::from_secs(1);
