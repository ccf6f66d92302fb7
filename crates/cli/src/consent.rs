//! A server that this program has not started is loaded only after the user has agreed, wherever it seems
//! to be: a port of this machine may lead to production.

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

use anyhow::{Result, bail};
use kernel::{process, socket};
use net::Target;

/// Whether the user has to be asked before this server is loaded.
pub fn is_needed(target: &Target) -> bool {
    !(target.is_this_machine() && is_our_sandbox(target.port))
}

/// Whether `boltbouncer sandbox` listens on this port of this machine, as far as that can be known.
fn is_our_sandbox(port: u16) -> bool {
    let command = socket::process_listening_on(port).map(process::command).unwrap_or_default();
    let [program, verb, ..] = &command[..] else { return false };
    let name = Path::new(program).file_stem().unwrap_or_default();
    name == "boltbouncer" && verb == "sandbox"
}

/// Says what the run is about to open on a server, which is `plan`, and asks whether to go on.
pub fn ask(target: &Target, plan: &str) -> Result<()> {
    let server = format!("{target} may be somebody's production: boltbouncer has not started it");
    if !std::io::stdin().is_terminal() {
        bail!("{server}. This run opens {plan} there. Add --yes if that is meant");
    }
    eprint!("{server}.\nThis run opens {plan} there. Go on? [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { bail!("nothing was run") }
}
