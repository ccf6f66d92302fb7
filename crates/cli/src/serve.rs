//! `boltbouncer serve`: runs the pooler, reloads its configuration and drains it, as signals say.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use pooler::{Config, File, Pooler};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info, warn};

use crate::logging::{self, Logging};
use crate::signals::Signals;
use crate::{open_files, runtime};

/// Run the connection pooler: drivers connect to it as they would to Neo4j
#[derive(Debug, clap::Args)]
#[command(
    after_help = "SIGHUP reloads the file's limits, certificates, advertised address and log level. After SIGTERM \
    no new work is taken and open work may end; a second SIGTERM ends the pooler at once. If \
    BOLTBOUNCER_ADMIN_TOKEN is set, the admin pages ask for it. RUST_LOG wins over the file's log level.

Example: boltbouncer serve --upstream bolt://localhost:7687
         then NEO4J_URI=bolt://localhost:7688 for whoever uses drivers

More: docs/pooler.md, boltbouncer.example.toml"
)]
pub struct Arguments {
    /// The Neo4j server, for example bolt://localhost:7687 [env: NEO4J_URI, unless the file names one]
    #[arg(help_heading = "Server", long)]
    upstream: Option<String>,
    /// Where to listen for drivers [default: 127.0.0.1:7688]
    #[arg(help_heading = "Clients", long, value_parser = net::listen_address)]
    listen: Option<SocketAddr>,
    /// Where to answer /healthz, /readyz, /metrics, and /api/v1/…: who holds connections, who waits [default: nowhere]
    #[arg(help_heading = "Clients", long, value_parser = net::listen_address)]
    admin: Option<SocketAddr>,
    /// Let clients of other machines come without encryption, in a network that can be trusted
    #[arg(help_heading = "Clients", long)]
    allow_plaintext: bool,
    /// A TOML file with settings; boltbouncer.example.toml shows all of them
    #[arg(help_heading = "Configuration", long)]
    config: Option<PathBuf>,
    /// Check the configuration, and start nothing
    #[arg(help_heading = "Configuration", long)]
    check: bool,
}

impl Arguments {
    /// The file's settings, except where an option on the command line says otherwise.
    fn read(&self) -> Result<Config> {
        let mut file = match &self.config {
            // The error names the file itself.
            Some(path) => File::read(path)?,
            None => File::default(),
        };
        if let Some(upstream) = &self.upstream {
            file.upstream = Some(upstream.clone());
        }
        if file.upstream.is_none() {
            file.upstream = std::env::var("NEO4J_URI").ok().filter(|uri| !uri.is_empty());
        }
        file.allow_plaintext |= self.allow_plaintext;
        if let Some(listen) = self.listen {
            file.listen = Some(listen);
        }
        if let Some(admin) = self.admin {
            file.set_admin(admin);
        }
        file.check(|name| std::env::var(name).ok()).with_context(|| self.source())
    }

    /// Where the settings come from.
    fn source(&self) -> String {
        self.config.as_ref().map_or_else(|| "serve".into(), |path| path.display().to_string())
    }

    fn config(&self) -> Result<Config> {
        let source = || self.source();
        let mut config = self.read()?;
        logging::check(&config.log).with_context(source)?;
        fit_to_open_files(&mut config, open_files::max()).with_context(source)?;
        Ok(config)
    }
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let config = arguments.config()?;
    if arguments.check {
        println!(
            "the configuration is good: {} for {}, up to {} clients",
            config.listen, config.upstream, config.limits.max_client_connections
        );
        return Ok(());
    }
    let logging = Logging::start(&config.log)?;
    runtime::many_threads()?.block_on(serve(arguments, config, &logging))
}

async fn serve(arguments: &Arguments, config: Config, logging: &Logging) -> Result<()> {
    // Signals come first: whoever reads the address may end the process at once.
    let mut reloads = signal(SignalKind::hangup())?;
    let mut signals = Signals::new()?;
    let listener = TcpListener::bind(config.listen).await.with_context(|| {
        format!("cannot listen on {}; choose another address with --listen", config.listen)
    })?;
    if config.sends_plaintext_over_network() {
        warn!(upstream = %config.upstream, "passwords travel to the upstream in the clear; +s encrypts");
    }
    let started = config.clone();
    let pooler = Pooler::start(listener, config).await?;
    info!(
        listen = %pooler.address(),
        upstream = %started.upstream,
        max_client_connections = started.limits.max_client_connections,
        "pooler started"
    );
    let must_encrypt = started.tls.as_ref().is_some_and(|tls| tls.required);
    println!("{}://{}", if must_encrypt { "bolt+s" } else { "bolt" }, pooler.address());
    if let Some(admin) = pooler.admin_address() {
        println!("http://{admin}");
    }
    loop {
        tokio::select! {
            _ = reloads.recv() => reload(arguments, &started, &pooler, logging),
            () = signals.ended() => break,
        }
    }
    tokio::select! {
        is_clean = pooler.shut_down() => {
            info!(is_clean, "pooler ended");
            Ok(())
        }
        () = signals.ended() => bail!("ended by a second signal, before open work was done"),
    }
}

/// Reads the configuration again. If it is wrong, nothing changes.
fn reload(arguments: &Arguments, started: &Config, pooler: &Pooler, logging: &Logging) {
    match arguments.config() {
        Ok(config) => {
            let keys = config.needs_restart(started);
            if !keys.is_empty() {
                warn!(?keys, "changed in the file, but in force only after a restart");
            }
            logging.reload(&config.log);
            pooler.reload(config);
        }
        Err(problem) => error!("the configuration was not reloaded: {problem:#}"),
    }
}

/// Every connection needs an open file. Limits that the process could not keep are refused now, not when
/// it runs out of files under load.
fn fit_to_open_files(config: &mut Config, files_max: usize) -> Result<()> {
    let limits = &mut config.limits;
    let upstream = match limits.max_upstream_connections {
        0 => limits.max_connection_pool_size + limits.max_parked_connections(),
        limit => limit,
    };
    let left = files_max.saturating_sub(SPARE_FILES + upstream);
    if limits.max_client_connections == 0 {
        limits.max_client_connections = left;
    }
    if left == 0 {
        bail!(
            "limits.max_upstream_connections: {upstream} upstream connections leave no room for clients among the {files_max} open files that this process may have; raise the limit (ulimit -n, LimitNOFILE=) or lower it"
        );
    }
    if limits.max_client_connections > left {
        bail!(
            "limits.max_client_connections: {} clients and {upstream} upstream connections need {} open files, and this process may have {files_max}; raise the limit (ulimit -n, LimitNOFILE=) or lower it to {left}",
            limits.max_client_connections,
            limits.max_client_connections + upstream + SPARE_FILES,
        );
    }
    Ok(())
}

/// For the process itself, admin requests, and connections that are being opened or closed.
const SPARE_FILES: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config::new("bolt://127.0.0.1:7687".parse().unwrap())
    }

    #[test]
    fn the_limit_of_clients_follows_from_the_limit_of_files() {
        let mut unset = config();
        fit_to_open_files(&mut unset, 1024).unwrap();
        assert_eq!(unset.limits.max_client_connections, 1024 - 128 - 300);
    }

    #[test]
    fn a_limit_that_files_do_not_allow_is_refused_with_the_fix() {
        let mut large = config();
        large.limits.max_client_connections = 10_000;
        let problem = fit_to_open_files(&mut large, 1024).unwrap_err().to_string();
        assert!(problem.contains("ulimit -n") && problem.contains("596"), "{problem}");
        assert!(fit_to_open_files(&mut config(), 100).is_err());
    }
}
