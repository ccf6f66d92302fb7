//! `boltbouncer keep`. The lab starts it, not a person: see [`::airflow::keeper`].

use std::ffi::OsString;
use std::path::PathBuf;

use ::airflow::keeper::{Keep, main};
use anyhow::Result;

/// Run a service until standard input closes; started by the lab itself
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub struct Arguments {
    /// End the service with SIGINT instead of SIGTERM
    #[arg(long)]
    interrupt: bool,
    /// Run the service as this USER:GROUP, given as numbers
    #[arg(long, value_parser = user_and_group)]
    run_as: Option<(u32, u32)>,
    /// A folder that several keepers share; the last one removes it
    #[arg(long)]
    folder: Option<PathBuf>,
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

pub fn run(arguments: Arguments) -> Result<()> {
    let Arguments { interrupt, run_as, folder, command } = arguments;
    let code = main(&Keep { interrupt, run_as, folder, command })?;
    std::process::exit(code);
}

fn user_and_group(text: &str) -> Result<(u32, u32), String> {
    let (user, group) = text.split_once(':').ok_or("two numbers with a colon between them")?;
    let number = |text: &str| text.parse().map_err(|_| format!("{text} is no number"));
    Ok((number(user)?, number(group)?))
}
