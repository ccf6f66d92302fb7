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
mod numbers;
mod open_files;
mod runtime;
mod sandbox;
mod script_server;
mod serve;
mod server_options;
mod signals;
mod terminal;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Connection management for Neo4j under parallel task engines such as Apache Airflow
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Without a command, the lab runs on an embedded server of its own. README.md is where to begin."
)]
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
        None => lab::run_on_embedded_server(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A server may have worded it.
            eprintln!("{}", harmless::text(&format!("boltbouncer: {error:#}")));
            ExitCode::FAILURE
        }
    }
}
