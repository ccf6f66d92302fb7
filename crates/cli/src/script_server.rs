//! The Neo4j that `scripts/neo4j` has running on this machine, if there is one.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use bolt::message::Secret;

use crate::server_options::NamedServer;

/// # Errors
/// Several servers run, or what the script wrote about one can't be read.
pub fn find() -> Result<Option<NamedServer>> {
    let Some(servers) = servers() else { return Ok(None) };
    let links = fs::read_dir(servers).into_iter().flatten().flatten();
    let mut running: Vec<_> = links.filter_map(|link| running(&link.path())).collect();
    let Some(uri) = running.pop() else { return Ok(None) };
    if !running.is_empty() {
        bail!("several servers of scripts/neo4j run on this machine; name one with --uri");
    }
    let given = std::env::var("NEO4J_PASSWORD").ok().filter(|password| !password.is_empty());
    Ok(Some(NamedServer {
        target: uri.trim().parse()?,
        user: "neo4j".into(),
        password: Secret::from(given.unwrap_or_else(|| DEFAULT_PASSWORD.into())),
        database: None,
    }))
}

fn servers() -> Option<PathBuf> {
    let named = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = named("XDG_STATE_HOME").or_else(|| Some(named("HOME")?.join(".local/state")))?;
    Some(state.join("boltbouncer/servers"))
}

/// The URI of the server whose home a link names, if that server runs. Process ids are reused, so the
/// command line of the process must name the home too.
fn running(link: &Path) -> Option<String> {
    let home = fs::read_link(link).ok()?;
    let pid = fs::read_to_string(home.join("pid")).ok()?;
    let words = fs::read(format!("/proc/{}/cmdline", pid.trim())).ok()?;
    let wanted = format!("--home-dir={}", home.display());
    let is_it = words.split(|byte| *byte == 0).any(|word| word == wanted.as_bytes());
    is_it.then(|| fs::read_to_string(home.join("uri")).ok()).flatten()
}

/// The password that the script gives a server unless it is told another one.
const DEFAULT_PASSWORD: &str = "boltbouncer-test";
