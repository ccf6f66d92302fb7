//! `boltbouncer airflow`: starts an Airflow with the DAGs that a person can click through.

use std::path::PathBuf;

use anyhow::Result;
use lab::playground::{Playground, PlaygroundSettings};
use lab::{Preset, ServerChoice, Stop};

use crate::airflow_options::NativeOptions;
use crate::server_options::ServerOptions;
use crate::{numbers, runtime, script_server, signals};

/// Start an Airflow with the DAGs, a server and a pooler, and keep it until Ctrl-C
#[derive(Debug, clap::Args)]
#[command(after_help = "More: docs/airflow.md")]
pub struct Arguments {
    #[command(flatten)]
    server: ServerOptions,
    #[command(flatten)]
    airflow: NativeOptions,
    /// How many tasks run at once; Airflow's `parallelism` [default: AIRFLOW__CORE__PARALLELISM, or 32]
    #[arg(value_name = "N", value_parser = numbers::count::<usize>, allow_negative_numbers = true, long)]
    parallelism: Option<usize>,
    /// How many connections to the server the pooler of the pooled DAG may have
    #[arg(value_name = "N", value_parser = numbers::count::<usize>, allow_negative_numbers = true, long, default_value_t = 4)]
    pool_size: usize,
    /// Where to put a folder with Airflow's logs
    #[arg(long, default_value = "boltbouncer-airflow")]
    out: PathBuf,
    /// Start nothing; remove the installed versions of Airflow from the cache
    #[arg(long, conflicts_with_all = ["airflow_version", "executor", "airflow_python", "airflow_port"])]
    clean: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    if arguments.clean {
        return clean();
    }
    let parallelism = arguments
        .parallelism
        .or_else(::airflow::native::parallelism_of_environment)
        .unwrap_or(PARALLELISM);
    numbers::refuse_zero(
        "run nothing",
        [(parallelism, "--parallelism"), (arguments.pool_size, "--pool-size")],
    )?;
    let server = match arguments.server.resolve()? {
        Some(server) => server.into(),
        None => {
            script_server::find()?.map_or(ServerChoice::Embedded(Preset::Unlimited), Into::into)
        }
    };
    let settings = PlaygroundSettings {
        server,
        airflow: arguments.airflow.native()?,
        parallelism,
        pool_size: arguments.pool_size,
        out: arguments.out.clone(),
    };
    let stop = Stop::default();
    runtime::many_threads()?.block_on(async {
        signals::stop_when_interrupted(&stop, "ending Airflow (once more to end at once)")?;
        let playground = Playground::open(&settings, &stop).await?;
        print(&playground);
        playground.stay(&stop).await
    })
}

fn clean() -> Result<()> {
    let cleaned = ::airflow::Cache::of_user()?.clean()?;
    if cleaned.installations.is_empty() {
        println!("No version of Airflow is installed in the cache.");
        return Ok(());
    }
    for name in &cleaned.installations {
        println!("removed {name}");
    }
    println!("The disk has {} bytes more ({} MB).", cleaned.bytes, cleaned.bytes / 1_000_000);
    if cleaned.kept_by_uv_bytes > 0 {
        println!(
            "Another {} bytes are in the cache of uv; `uv cache clean` removes them.",
            cleaned.kept_by_uv_bytes
        );
    }
    Ok(())
}

fn print(playground: &Playground) {
    let login = &playground.login;
    println!("Airflow    {}  (user {}, password {})", login.url, login.user, login.password);
    println!("Neo4j      {}", playground.server_uri);
    println!("pooler     {}", playground.pooler_uri);
    if let Some(admin) = &playground.pooler_admin {
        println!("           {admin}/api/v1/applications shows who holds its connections");
    }
    println!("logs       {}", playground.folder.join("airflow/logs").display());
    println!("Unpause and trigger the DAGs there; Ctrl-C ends everything.");
}

/// Airflow's own default.
pub const PARALLELISM: usize = 32;
