//! A whole run: every target is logged in to, and then workload after workload is measured on all
//! targets.

mod clients;
mod nodes;
mod target;
mod workload_run;

use std::sync::Arc;

use anyhow::{Result, bail};

use self::target::RunTarget;
use self::workload_run::WorkloadRun;
use crate::machine::Machine;
use crate::process::Usage;
use crate::results::{Results, SCHEMA, SettingsInfo, TargetInfo, WorkloadResult};
use crate::settings::{NamedProcess, Settings};
use crate::turn::IsStopped;
use crate::workload::Requests;

/// Runs everything.
///
/// # Errors
/// A target is unreachable or refuses the login, or a process is not there: before anything is run.
/// Later failures are results.
pub async fn run(settings: &Settings, is_stopped: IsStopped) -> Result<Results> {
    let started = jiff::Timestamp::now();
    let processes = processes(settings)?;
    let (targets, infos) = targets(settings).await?;
    let Measured { workloads, interrupted, error } =
        measure(settings, &targets, &processes, &is_stopped).await?;
    let checks = settings.checks.iter().map(|check| check.evaluate(&workloads)).collect();
    Ok(Results {
        schema: SCHEMA,
        boltbouncer: env!("CARGO_PKG_VERSION").into(),
        started: started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        interrupted,
        error,
        machine: Machine::this(),
        settings: settings_info(settings),
        targets: infos,
        workloads,
        checks,
    })
}

/// The named processes and this one: a load generator that is at its limit would measure itself.
fn processes(settings: &Settings) -> Result<Vec<NamedProcess>> {
    let mut processes = settings.processes.clone();
    if cfg!(target_os = "linux") {
        let pid = i32::try_from(std::process::id())?;
        processes.push(NamedProcess { name: OWN_NAME.into(), pid });
    }
    Usage::check(&processes)?;
    Ok(processes)
}

/// The targets, and what each of them says about itself.
async fn targets(settings: &Settings) -> Result<(Vec<RunTarget>, Vec<TargetInfo>)> {
    let mut targets = Vec::new();
    let mut infos = Vec::new();
    for named in &settings.targets {
        let target = RunTarget::new(named, settings).await?;
        infos.push(target.check_login(settings).await?);
        targets.push(target);
    }
    Ok((targets, infos))
}

/// What came of the workloads.
struct Measured {
    workloads: Vec<WorkloadResult>,
    interrupted: bool,
    /// Why the last one and those after it could not be run.
    error: Option<String>,
}

/// # Errors
/// Nothing was measured.
async fn measure(
    settings: &Settings,
    targets: &[RunTarget],
    processes: &[NamedProcess],
    is_stopped: &IsStopped,
) -> Result<Measured> {
    let (database, records) = (settings.database.as_deref(), settings.records);
    let requests = Arc::new(Requests::new(database, records, settings.record_bytes));
    let (mut workloads, mut interrupted, mut problem) = (Vec::new(), false, None);
    for workload in &settings.workloads {
        let workload = *workload;
        let run = WorkloadRun { settings, workload, requests: &requests, processes, is_stopped };
        match run.run(targets).await {
            Ok(measured) => workloads.extend(measured),
            Err(error) if workloads.is_empty() => return Err(error),
            Err(error) => {
                problem = Some(format!("{workload} could not be run: {error:#}"));
                break;
            }
        }
        if is_stopped() {
            interrupted = true;
            break;
        }
    }
    if workloads.is_empty() {
        bail!("the run was ended before its first round was over");
    }
    Ok(Measured { workloads, interrupted, error: problem })
}

fn settings_info(settings: &Settings) -> SettingsInfo {
    SettingsInfo {
        clients: settings.clients,
        idle_clients: settings.idle_clients,
        users: settings.users,
        rounds: settings.rounds,
        duration_s: settings.duration.as_secs_f64(),
        warm_up_s: settings.warm_up.as_secs_f64(),
        settle_s: settings.settle.as_secs_f64(),
        rate: settings.rate,
        records: settings.records,
        record_bytes: settings.record_bytes,
        link_delay_ms: settings.link_delay.map(|delay| delay.as_secs_f64() * 1000.0),
    }
}

/// The name of this process among those whose processor time is shown.
pub const OWN_NAME: &str = "bench";
