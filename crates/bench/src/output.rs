//! What a run leaves behind: a table for the terminal, JSON, and a page that opens from disk.

mod page;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

pub use page::page;
pub use table::table;

use crate::results::{CheckResult, Results};

/// All tables and checks, for a document.
pub fn markdown(results: &Results) -> String {
    let tables = results.workloads.iter().map(|workload| table(results, workload).markdown());
    let mut parts: Vec<String> = tables.collect();
    let sentences = results.workloads.iter().flat_map(|workload| workload.miscounted.clone());
    let lines: Vec<String> =
        sentences.chain(results.checks.iter().map(CheckResult::to_string)).collect();
    parts.extend(
        (!lines.is_empty())
            .then(|| lines.iter().map(|line| format!("- {line}\n")).collect::<String>()),
    );
    parts.join("\n")
}

/// Whether [`write`] will succeed, as far as that can be known. It is asked before a run, so that a path
/// that can't be written is not found out after it.
///
/// # Errors
/// It can't be written.
pub fn probe(path: &Path) -> Result<()> {
    let beside = part(path);
    let written = fs::write(&beside, "").and_then(|()| fs::remove_file(&beside));
    written.with_context(|| format!("cannot write {}; choose another place", path.display()))
}

/// Writes a file that appears whole or not at all.
///
/// # Errors
/// It can't be written.
pub fn write(path: &Path, content: &str) -> Result<()> {
    let beside = part(path);
    let written = fs::write(&beside, content).and_then(|()| fs::rename(&beside, path));
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// Where a file is while it is being written.
fn part(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}
