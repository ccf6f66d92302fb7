//! A server on another machine is loaded only after the user has agreed.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::{Result, bail};
use net::Target;

/// Says what the run is about to open on another machine, which is `plan`, and asks whether to go on.
pub fn ask(target: &Target, plan: &str) -> Result<()> {
    if !std::io::stdin().is_terminal() {
        bail!(
            "{target} is not this machine; this run opens {plan} there. Add --yes if that is meant"
        );
    }
    eprint!("{target} is not this machine. This run opens {plan} there.\nGo on? [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { bail!("nothing was run") }
}
