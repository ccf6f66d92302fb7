//! Which Airflow runs the tasks.

use std::net::SocketAddr;
use std::path::PathBuf;

use ::airflow::{Executor, KeeperProgram, Version};
use anyhow::{Context, Result, bail};
use bolt::message::Secret;
use lab::{Engine, NativeAirflow};

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Airflow")]
pub struct AirflowOptions {
    #[command(flatten)]
    native: NativeOptions,
    /// Use an Airflow that runs already and has the DAG files, through its REST API
    #[arg(long, value_name = "URL")]
    airflow_url: Option<String>,
    /// A user of that Airflow who may trigger DAGs
    #[arg(long, value_name = "USER", env = "AIRFLOW_USER")]
    airflow_user: Option<String>,
    /// That user's password; better given in the environment, where `ps` does not show it
    #[arg(long, value_name = "PASSWORD", env = "AIRFLOW_PASSWORD", hide_env_values = true)]
    airflow_password: Option<Secret>,
    /// Start the lab's pooler at this address, which NEO4J_POOLED_URI of that Airflow's tasks must name
    /// [default: the tasks have a pooler of their own]
    #[arg(long, value_name = "ADDRESS")]
    pooler_listen: Option<SocketAddr>,
}

/// How to set up an Airflow.
#[derive(Debug, clap::Args)]
pub struct NativeOptions {
    /// Set up and start this version of Airflow: 2.8.1 or 3.3.2 [default: 3.3.2]
    #[arg(long, value_name = "VERSION")]
    airflow_version: Option<Version>,
    /// Executor of that Airflow [default: local]
    #[arg(long, value_enum)]
    executor: Option<ExecutorKind>,
    /// The Python to set it up with [default: the first one found that it can run on]
    #[arg(long, value_name = "PROGRAM")]
    airflow_python: Option<PathBuf>,
    /// Port of its web server on 127.0.0.1 [default: a free one]
    #[arg(long, value_name = "PORT")]
    airflow_port: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ExecutorKind {
    Local,
    /// Two workers and Redis
    Celery,
}

impl AirflowOptions {
    pub fn engine(&self) -> Result<Engine> {
        let Some(url) = &self.airflow_url else {
            if self.pooler_listen.is_some() {
                bail!("--pooler-listen goes with --airflow-url");
            }
            return self.native.native().map(Engine::NativeAirflow);
        };
        if self.native.is_given() {
            bail!(
                "--airflow-url names an Airflow that is there already; leave out the options for setting one up"
            );
        }
        let user = self.airflow_user.clone().context("no user for Airflow; give --airflow-user")?;
        let password = self.airflow_password.clone();
        let password = password
            .context("no password for Airflow; set AIRFLOW_PASSWORD or give --airflow-password")?;
        if url.contains('@') {
            bail!("--airflow-url must not name a user; give --airflow-user and AIRFLOW_PASSWORD");
        }
        if !url.starts_with("http://") && !url.starts_with("https://") {
            bail!(
                "--airflow-url {url} is no URL of a web server; an example is http://localhost:8080"
            );
        }
        Ok(Engine::ExistingAirflow {
            url: url.clone(),
            user,
            password,
            pooler_listen: self.pooler_listen,
        })
    }

    /// # Errors
    /// An option was given that only Airflow as engine can use.
    pub fn refuse(&self) -> Result<()> {
        if self.native.is_given() || self.airflow_url.is_some() || self.pooler_listen.is_some() {
            bail!("the options for Airflow go with --engine airflow");
        }
        Ok(())
    }
}

impl NativeOptions {
    pub fn native(&self) -> Result<NativeAirflow> {
        let executor = match self.executor.unwrap_or(ExecutorKind::Local) {
            ExecutorKind::Local => Executor::Local,
            ExecutorKind::Celery => Executor::Celery,
        };
        Ok(NativeAirflow {
            version: self.airflow_version.unwrap_or(Version::V3_3_2),
            executor,
            python: self.airflow_python.clone(),
            port: self.airflow_port,
            keeper: KeeperProgram {
                program: std::env::current_exe().context("cannot find the path of this program")?,
                arguments: vec!["keep".into()],
            },
        })
    }

    fn is_given(&self) -> bool {
        self.airflow_version.is_some()
            || self.executor.is_some()
            || self.airflow_python.is_some()
            || self.airflow_port.is_some()
    }
}
