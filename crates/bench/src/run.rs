//! A whole run: every client is connected before the first round, every target has one turn in each
//! round, and what a workload has put into the database is counted and removed at the end.

mod clients;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use client::{ClientError, Dialer, Target};
use tokio::net::TcpListener;

use self::clients::TargetClients;
use crate::client::Connector;
use crate::link::Link;
use crate::measure::Measure;
use crate::process::Usage;
use crate::results::{
    Machine, Results, SCHEMA, Sample, SettingsInfo, TargetInfo, TargetResult, WorkloadResult,
};
use crate::settings::{NamedProcess, NamedTarget, Settings};
use crate::turn::{IsStopped, Measurement, Turn, TurnResult};
use crate::workload::{Requests, Workload};

/// Runs everything.
///
/// # Errors
/// A target is unreachable or refuses the login, or a process is not there: before anything is run.
/// Later failures are results.
pub async fn run(settings: &Settings, is_stopped: IsStopped) -> Result<Results> {
    let started = jiff::Timestamp::now();
    let processes = processes(settings)?;
    let requests =
        Requests::new(settings.database.as_deref(), settings.records, settings.record_bytes);
    let requests = Arc::new(requests);
    let mut run_targets = Vec::new();
    let mut targets = Vec::new();
    for named in &settings.targets {
        let target = RunTarget::new(named, settings).await?;
        targets.push(target.check_login(settings).await?);
        run_targets.push(target);
    }
    let mut results = Results {
        schema: SCHEMA,
        boltbouncer: env!("CARGO_PKG_VERSION").into(),
        started: started.to_string(),
        interrupted: false,
        error: None,
        machine: machine(),
        settings: settings_info(settings),
        targets,
        workloads: Vec::new(),
        checks: Vec::new(),
    };
    for workload in &settings.workloads {
        let run = WorkloadRun {
            settings,
            workload: *workload,
            processes: &processes,
            is_stopped: &is_stopped,
        };
        match run.run(&run_targets, &requests).await {
            Ok(measured) => results.workloads.extend(measured),
            Err(error) if results.workloads.is_empty() => return Err(error),
            Err(error) => {
                results.error = Some(format!("{workload} could not be run: {error:#}"));
                break;
            }
        }
        if is_stopped() {
            results.interrupted = true;
            break;
        }
    }
    if results.workloads.is_empty() {
        bail!("the run was ended before its first round was over");
    }
    results.checks = settings.checks.iter().map(|check| check.evaluate(&results)).collect();
    Ok(results)
}

/// The named ones and ourselves: a load generator at its limit would measure itself.
fn processes(settings: &Settings) -> Result<Vec<NamedProcess>> {
    let mut processes = settings.processes.clone();
    if cfg!(target_os = "linux") {
        let pid = i32::try_from(std::process::id())?;
        processes.push(NamedProcess { name: OWN_NAME.into(), pid });
    }
    Usage::check(&processes)?;
    Ok(processes)
}

/// A target as it is dialled.
struct RunTarget {
    name: String,
    connector: Arc<Connector>,
    uri: Target,
    _link: Option<Link>,
}

impl RunTarget {
    async fn new(named: &NamedTarget, settings: &Settings) -> Result<Self> {
        let mut target = named.target.clone();
        let mut link = None;
        if let Some(round_trip) = settings.link_delay {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let relay = Link::start(listener, target.clone(), round_trip)?;
            target = relay.stands_for(&target);
            link = Some(relay);
        }
        let dialer = Dialer::new(target, &[])?;
        let connector = Arc::new(Connector { dialer, timeout: settings.timeout });
        Ok(Self { name: named.name.clone(), connector, uri: named.target.clone(), _link: link })
    }

    /// Logs in once, so that a wrong password or address is known before anything is run.
    async fn check_login(&self, settings: &Settings) -> Result<TargetInfo> {
        let of_target = || format!("target {}, {}", self.name, self.uri);
        let connected = self.connector.connect(&settings.auth(0)).await;
        let connection = connected.map_err(explained).with_context(of_target)?;
        let info = TargetInfo {
            name: self.name.clone(),
            uri: self.uri.to_string(),
            agent: connection.server_agent().to_owned(),
            bolt: connection.version().to_string(),
        };
        connection.close().await;
        Ok(info)
    }
}

fn explained(error: ClientError) -> anyhow::Error {
    let fix = match &error {
        ClientError::Server(failure) if failure.code.starts_with("Neo.ClientError.Security.") => {
            "check --user and NEO4J_PASSWORD"
        }
        ClientError::Resolve(_) | ClientError::Connect(_) => {
            "start the server or correct the address"
        }
        _ => return error.into(),
    };
    anyhow::anyhow!("{error}; {fix}")
}

/// One workload on all targets, which take turns.
struct WorkloadRun<'a> {
    settings: &'a Settings,
    workload: Workload,
    processes: &'a [NamedProcess],
    is_stopped: &'a IsStopped,
}

impl WorkloadRun<'_> {
    /// `None` if the run was ended before the first round was over.
    async fn run(
        &self,
        run_targets: &[RunTarget],
        requests: &Arc<Requests>,
    ) -> Result<Option<WorkloadResult>> {
        let mut loaded = Vec::new();
        let measured = match self.connect(run_targets, requests, &mut loaded).await {
            Ok(()) => Ok(self.rounds(&mut loaded).await),
            Err(error) => Err(error),
        };
        let mut miscounted = Vec::new();
        for clients in loaded {
            miscounted.extend(clients.close(self.settings).await);
        }
        // Whatever else went wrong: a write that was lost, or done twice, is said.
        let measured = match miscounted.is_empty() {
            true => measured,
            false => measured
                .and_then(|measured| {
                    measured.context("ended before the first round was over").map(Some)
                })
                .with_context(|| miscounted.join("; ")),
        };
        let workload = self.workload;
        Ok(measured?.map(|targets| WorkloadResult { workload, targets, miscounted }))
    }

    async fn connect(
        &self,
        run_targets: &[RunTarget],
        requests: &Arc<Requests>,
        loaded: &mut Vec<TargetClients>,
    ) -> Result<()> {
        for target in run_targets {
            let of_target = || format!("target {}", target.name);
            let clients =
                TargetClients::connect(target, self.workload, self.settings, requests).await;
            let mut clients = clients.with_context(of_target)?;
            let prepared = clients.prepare(self.settings).await;
            // Also if only some have a node by now: they are to be removed.
            loaded.push(clients);
            prepared.with_context(of_target)?;
        }
        Ok(())
    }

    async fn rounds(&self, loaded: &mut [TargetClients]) -> Option<Vec<TargetResult>> {
        for clients in loaded.iter_mut() {
            self.turn(clients, Duration::ZERO, self.settings.warm_up).await;
        }
        let mut measured: Vec<Measured> = loaded.iter().map(|_| Measured::default()).collect();
        for round in 0..self.settings.rounds {
            self.show_progress(round);
            for index in order(loaded.len(), round) {
                if (self.is_stopped)() {
                    break;
                }
                let (settle, duration) = (self.settings.settle, self.settings.turn_duration());
                let result = self.turn(&mut loaded[index], settle, duration).await;
                measured[index].rounds.extend(result);
            }
        }
        self.show_progress(self.settings.rounds);
        // Of a round that was broken off, what the other targets have no counterpart for is left out.
        let whole = measured.iter().map(|measured| measured.rounds.len()).min().unwrap_or(0);
        if whole == 0 {
            return None;
        }
        let mut results: Vec<TargetResult> = Vec::new();
        for (clients, mut measured) in loaded.iter().zip(measured) {
            measured.rounds.truncate(whole);
            results.push(measured.result(&clients.name));
        }
        let first = results[0].clone();
        for result in &mut results[1..] {
            for measure in &Measure::COMPARED {
                if let Some(ratio) = result.ratio(measure, &first) {
                    result.ratios.insert(measure.to_string(), ratio);
                }
            }
        }
        Some(results)
    }

    async fn turn(
        &self,
        clients: &mut TargetClients,
        settle: Duration,
        duration: Duration,
    ) -> Option<TurnResult> {
        let turn = Turn {
            settle,
            duration,
            rate: self.settings.rate,
            is_stopped: self.is_stopped.clone(),
            processes: self.processes,
        };
        turn.run(&mut clients.clients).await
    }

    fn show_progress(&self, round: usize) {
        if self.settings.shows_progress {
            let end = if round == self.settings.rounds { "\n" } else { "\r" };
            eprint!("{}: round {round} of {}{end}", self.workload, self.settings.rounds);
        }
    }
}

/// Each round begins with another target, so that none is always the one behind another.
fn order(targets: usize, round: usize) -> impl Iterator<Item = usize> {
    (0..targets).map(move |place| (place + round) % targets)
}

/// What was seen of one target, round by round.
#[derive(Default)]
struct Measured {
    rounds: Vec<TurnResult>,
}

impl Measured {
    fn result(&self, name: &str) -> TargetResult {
        let mut measurement = Measurement::default();
        let mut cpu_s = std::collections::BTreeMap::new();
        let mut memory = std::collections::BTreeMap::new();
        let mut rounds = Vec::new();
        for TurnResult { measurement: of_round, before, after } in &self.rounds {
            measurement.add(of_round);
            let of_processes = after.cpu_since(before);
            for (process, seconds) in &of_processes {
                *cpu_s.entry(process.clone()).or_default() += seconds;
            }
            memory = after.memory();
            rounds.push(Sample::new(of_round, of_processes, memory.clone()));
        }
        // Of a process that has ended meanwhile there is no whole.
        cpu_s.retain(|process, _| {
            rounds.iter().all(|round: &Sample| round.cpu_s.contains_key(process))
        });
        let total = Sample::new(&measurement, cpu_s, memory);
        TargetResult { name: name.to_owned(), total, rounds, ratios: Default::default() }
    }
}

fn machine() -> Machine {
    Machine {
        os: std::env::consts::OS.into(),
        arch: std::env::consts::ARCH.into(),
        cpus: std::thread::available_parallelism().map_or(1, Into::into),
        processor: processor(),
        kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease").ok().map(|k| k.trim().into()),
    }
}

fn processor() -> Option<String> {
    let about = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = about.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
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

/// Of this process, among those whose processor time is shown.
pub const OWN_NAME: &str = "bench";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_take_turns_in_being_first() {
        let rounds: Vec<Vec<usize>> = (0..4).map(|round| order(3, round).collect()).collect();
        assert_eq!(rounds, [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2]]);
    }
}
