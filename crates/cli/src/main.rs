//! The `boltbouncer` command: reads the command line and calls a library. Errors end up here as
//! one line on stderr that names the fix.

mod airflow;
mod airflow_options;
mod bench;
mod check;
mod consent;
mod keep;
mod lab;
mod link;
mod logging;
mod sandbox;
mod script_server;
mod serve;
mod server_options;
mod signals;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Connection management for Neo4j under parallel task engines such as Apache Airflow
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Airflow(Box<airflow::Arguments>),
    Bench(Box<bench::Arguments>),
    Check(check::Arguments),
    Lab(Box<lab::Arguments>),
    Link(link::Arguments),
    Sandbox(sandbox::Arguments),
    Serve(serve::Arguments),
    Keep(keep::Arguments),
    /// Run one task of the lab; started by the lab itself
    #[command(hide = true)]
    Task,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if !matches!(arguments.command, Some(Command::Serve(_))) {
        logging::start_quiet();
    }
    let outcome = match arguments.command {
        Some(Command::Airflow(arguments)) => airflow::run(&arguments),
        Some(Command::Bench(arguments)) => bench::run(&arguments),
        Some(Command::Link(arguments)) => link::run(&arguments),
        Some(Command::Sandbox(arguments)) => sandbox::run(arguments),
        Some(Command::Serve(arguments)) => serve::run(&arguments),
        Some(Command::Check(arguments)) => check::run(&arguments),
        Some(Command::Lab(arguments)) => lab::run(*arguments),
        Some(Command::Keep(arguments)) => keep::run(arguments),
        Some(Command::Task) => ::lab::task::main(),
        None => lab::run(lab::Arguments::default()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("boltbouncer: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// How many files this process may have open, after its limit was raised as far as possible.
fn open_files_max() -> usize {
    rlimit::increase_nofile_limit(u64::MAX)
        .ok()
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(usize::MAX)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// The first Ctrl-C or SIGTERM prints `words` and tells `stop`; the second one ends the process.
fn stop_when_interrupted(stop: &::lab::Stop, words: &'static str) -> anyhow::Result<()> {
    let stop = stop.clone();
    let mut signals = signals::Signals::new()?;
    tokio::spawn(async move {
        signals.ended().await;
        eprintln!("{words}");
        stop.stop();
        signals.ended().await;
        std::process::exit(INTERRUPTED);
    });
    Ok(())
}

/// The exit code that shells report for a process that Ctrl-C has ended.
const INTERRUPTED: i32 = 130;
