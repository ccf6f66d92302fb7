//! `boltbouncer bench`: reads what to run from options and environment, checks all of it, and prints
//! what came out.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use bench::results::Results;
use bench::workload::RECORD_BYTES_MIN;
use bench::{Check, NamedProcess, NamedTarget, Settings, Workload, output};

use crate::server_options::LoginOptions;
use crate::terminal::say;
use crate::{consent, numbers, open_files, runtime, signals};

/// Load two or more servers or poolers in turn, and compare them
#[derive(Debug, clap::Args)]
#[command(after_help = "Example, with the password in NEO4J_PASSWORD:
  boltbouncer bench --target direct=bolt://localhost:7687 \\
                    --target pooled=bolt://localhost:7688 --clients 8 --html bench.html

More: docs/bench.md")]
pub struct Arguments {
    /// A server or pooler to load, for example direct=bolt://localhost:7687; give two or more, and the
    /// first is what the others are compared with
    #[arg(help_heading = "Targets", long = "target", value_name = "NAME=URI", value_parser = target)]
    targets: Vec<NamedTarget>,
    #[command(flatten)]
    login: LoginOptions,
    /// Log in as USER1 to USERn instead, all with the same password
    #[arg(help_heading = "Targets", value_parser = numbers::count::<usize>, allow_negative_numbers = true, long, value_name = "N")]
    users: Option<usize>,
    /// What the clients do: query, tx, write, reconnect, stream, mixed
    #[arg(
        help_heading = "Load",
        long,
        value_name = "A,B",
        value_delimiter = ',',
        default_value = "query"
    )]
    workload: Vec<Workload>,
    /// How many clients each target has, each with a connection of its own
    #[arg(help_heading = "Load", value_parser = numbers::count::<usize>, allow_negative_numbers = true, long, default_value_t = 1)]
    clients: usize,
    /// How many more clients each target has that are connected and do nothing
    #[arg(help_heading = "Load", value_parser = numbers::count::<usize>, allow_negative_numbers = true, long, value_name = "N", default_value_t = 0)]
    idle_clients: usize,
    /// Seconds for each workload and target, over all rounds
    #[arg(help_heading = "Load", value_parser = numbers::fractional_seconds, allow_negative_numbers = true, long = "duration-s", alias = "duration", value_name = "SECONDS", default_value_t = 10.0)]
    duration: f64,
    /// Rounds; in each one every target has one turn
    #[arg(help_heading = "Load", value_parser = numbers::count::<usize>, allow_negative_numbers = true, long, default_value_t = 10)]
    rounds: usize,
    /// Seconds for each workload and target before the first round, not counted
    #[arg(help_heading = "Load", value_parser = numbers::fractional_seconds, allow_negative_numbers = true, long = "warm-up-s", alias = "warm-up", value_name = "SECONDS", default_value_t = 1.0)]
    warm_up: f64,
    /// Seconds at the beginning of each turn, not counted: many clients that begin at once are in each
    /// other's way
    #[arg(help_heading = "Load", value_parser = numbers::fractional_seconds, allow_negative_numbers = true, long = "settle-s", alias = "settle", value_name = "SECONDS", default_value_t = 0.0)]
    settle: f64,
    /// Operations per second for each target, whether or not it keeps up [default: as fast as answers
    /// come]
    #[arg(help_heading = "Load", value_parser = numbers::rate, allow_negative_numbers = true, long, value_name = "N")]
    rate: Option<f64>,
    /// How many records one `stream` has
    #[arg(help_heading = "Load", value_parser = numbers::count::<u64>, allow_negative_numbers = true, long, default_value_t = 1_000_000)]
    records: u64,
    /// Size of each of these records on the wire
    #[arg(help_heading = "Load", value_parser = numbers::count::<usize>, allow_negative_numbers = true, long, default_value_t = 100)]
    record_bytes: usize,
    /// Put a relay before each target that makes a round trip this much longer, half of it each way
    #[arg(help_heading = "Targets", value_parser = numbers::fractional_milliseconds, allow_negative_numbers = true, long, value_name = "MS")]
    link_delay_ms: Option<f64>,
    /// Show processor time and memory of a process; with a target's name it is the target's own
    #[arg(help_heading = "Targets", long = "pid", value_name = "NAME=PID", value_parser = process)]
    processes: Vec<NamedProcess>,
    /// Exit with 1 unless this holds, for example 'query.p50 pooled/direct <= 1.25'
    #[arg(help_heading = "Output", long = "check", value_name = "CONDITION")]
    checks: Vec<Check>,
    /// Seconds to wait for each answer
    #[arg(help_heading = "Load", value_parser = numbers::fractional_seconds, allow_negative_numbers = true, long = "timeout-s", alias = "timeout", value_name = "SECONDS", default_value_t = 60.0)]
    timeout: f64,
    /// Write all numbers to this file
    #[arg(help_heading = "Output", long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the tables to this file, for a document
    #[arg(help_heading = "Output", long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write a page with charts to this file
    #[arg(help_heading = "Output", long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Don't ask before loading a server that boltbouncer has not started
    #[arg(help_heading = "Targets", long)]
    yes: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let settings = settings(arguments)?;
    for path in [&arguments.json, &arguments.markdown, &arguments.html].into_iter().flatten() {
        output::probe(path)?;
    }
    for named in &settings.targets {
        if !arguments.yes && consent::is_needed(&named.target) {
            consent::ask(&named.target, &plan(&settings))?;
        }
    }
    let stop = ::lab::Stop::default();
    let results = runtime::one_thread()?.block_on(async {
        signals::stop_when_interrupted(
            &stop,
            "ending; what was measured is kept (once more to end at once)",
        )?;
        bench::run(&settings, Arc::new(move || stop.is_stopped())).await
    })?;
    print(&results);
    write_files(arguments, &results)?;
    results.checks.iter().for_each(say);
    verdict(&results)
}

fn print(results: &Results) {
    for workload in &results.workloads {
        println!("{}", output::table(results, workload).text());
        workload.miscounted.iter().for_each(say);
    }
    println!("÷: the median of {} rounds' ratios, and their quartiles", results.settings.rounds);
}

fn write_files(arguments: &Arguments, results: &Results) -> Result<()> {
    for (path, content) in [
        (&arguments.json, harmless::json(&serde_json::to_string_pretty(results)?).into_owned()),
        (&arguments.markdown, output::markdown(results)),
        (&arguments.html, output::page(results)),
    ] {
        if let Some(path) = path {
            output::write(path, &content)?;
            println!("{}", path.display());
        }
    }
    Ok(())
}

/// # Errors
/// The run is not what it was meant to be: it ended early, a write was lost, or a check does not hold.
fn verdict(results: &Results) -> Result<()> {
    if let Some(error) = &results.error {
        bail!("{error}");
    }
    if results.interrupted {
        bail!("the run was interrupted");
    }
    if results.workloads.iter().any(|workload| !workload.miscounted.is_empty()) {
        bail!("what was written is not what the clients were told");
    }
    match results.checks.iter().filter(|check| !check.holds).count() {
        0 => Ok(()),
        failed => bail!("{failed} of {} checks do not hold", results.checks.len()),
    }
}

fn settings(arguments: &Arguments) -> Result<Settings> {
    check_names(arguments)?;
    check_numbers(arguments)?;
    check_conditions(arguments)?;
    let (user, password, database) = arguments.login.resolve()?;
    let settings = Settings {
        targets: arguments.targets.clone(),
        user,
        password,
        database,
        users: arguments.users,
        workloads: arguments.workload.clone(),
        clients: arguments.clients,
        idle_clients: arguments.idle_clients,
        duration: Duration::from_secs_f64(arguments.duration),
        rounds: arguments.rounds,
        warm_up: Duration::from_secs_f64(arguments.warm_up),
        settle: Duration::from_secs_f64(arguments.settle),
        rate: arguments.rate,
        records: arguments.records,
        record_bytes: arguments.record_bytes,
        link_delay: arguments.link_delay_ms.map(|ms| Duration::from_secs_f64(ms / 1000.0)),
        processes: arguments.processes.clone(),
        checks: arguments.checks.clone(),
        timeout: Duration::from_secs_f64(arguments.timeout),
        shows_progress: std::io::stderr().is_terminal(),
    };
    check_open_files(&settings)?;
    Ok(settings)
}

/// What is named must be there, and once.
fn check_names(arguments: &Arguments) -> Result<()> {
    let targets = &arguments.targets;
    if targets.len() < 2 {
        bail!("a ratio needs two targets; give --target NAME=URI twice or more");
    }
    let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    if let Some(name) = twice(&names) {
        bail!("two targets are called {name}; give each a name of its own");
    }
    let workloads: Vec<&str> = arguments.workload.iter().map(|workload| workload.name()).collect();
    if let Some(name) = twice(&workloads) {
        bail!("--workload names {name} twice; each runs once");
    }
    Ok(())
}

/// Each `--check` must be about something that is run.
fn check_conditions(arguments: &Arguments) -> Result<()> {
    let targets: Vec<&str> = arguments.targets.iter().map(|target| target.name.as_str()).collect();
    // `bench` is the load generator itself, which is always measured.
    let processes = arguments.processes.iter().map(|process| process.name.as_str());
    let processes: Vec<&str> = processes.chain([bench::run::OWN_NAME]).collect();
    for check in &arguments.checks {
        check.fits(&arguments.workload, &targets, &processes).map_err(anyhow::Error::msg)?;
    }
    Ok(())
}

fn check_numbers(arguments: &Arguments) -> Result<()> {
    numbers::refuse_zero(
        "run nothing",
        [
            (arguments.clients, "--clients"),
            (arguments.rounds, "--rounds"),
            (arguments.users.unwrap_or(1), "--users"),
            (usize::try_from(arguments.records)?, "--records"),
        ],
    )?;
    let is_sane = |value: f64| (NUMBER_MIN..=NUMBER_MAX).contains(&value);
    for (value, name, may_be_zero) in [
        (Some(arguments.duration), "--duration-s", false),
        (Some(arguments.warm_up), "--warm-up-s", true),
        (Some(arguments.settle), "--settle-s", true),
        (Some(arguments.timeout), "--timeout-s", false),
        (arguments.link_delay_ms, "--link-delay-ms", true),
        (arguments.rate, "--rate", false),
    ] {
        if let Some(value) = value
            && !is_sane(value)
            && !(value == 0.0 && may_be_zero)
        {
            bail!("{name} {value} makes no sense; give {NUMBER_MIN} to {NUMBER_MAX}");
        }
    }
    if !(RECORD_BYTES_MIN..=RECORD_BYTES_MAX).contains(&arguments.record_bytes) {
        bail!("--record-bytes goes from {RECORD_BYTES_MIN} to {RECORD_BYTES_MAX}");
    }
    Ok(())
}

/// Checks the limit of open files. Every client has a socket here, and with `reconnect` one more. A link
/// has two sockets for each of those.
fn check_open_files(settings: &Settings) -> Result<()> {
    let sockets = if settings.link_delay.is_some() { 3 } else { 1 };
    let connections = settings.connections().saturating_add(settings.clients);
    let needed = connections.saturating_mul(sockets).saturating_add(50);
    let limit = open_files::max();
    if needed > limit {
        bail!(
            "this run needs up to {needed} open files and the limit is {limit}; lower --clients or --idle-clients, or raise the limit with `ulimit -n`"
        );
    }
    Ok(())
}

fn plan(settings: &Settings) -> String {
    let seconds = settings.duration.as_secs_f64() * settings.workloads.len() as f64;
    let names: Vec<&str> = settings.workloads.iter().map(|workload| workload.name()).collect();
    format!(
        "{} connections and loads it for {seconds} s with {}",
        settings.clients + settings.idle_clients,
        names.join(", ")
    )
}

fn twice<'a>(names: &[&'a str]) -> Option<&'a str> {
    names.iter().enumerate().find(|(index, name)| names[..*index].contains(name)).map(|(_, n)| *n)
}

fn target(text: &str) -> Result<NamedTarget, String> {
    let (name, uri) =
        named(text, "a target is NAME=URI, for example direct=bolt://localhost:7687")?;
    if name.contains(['/', ' ']) {
        return Err(format!("`{name}` is no name for a target: checks divide names by `/`"));
    }
    let target = uri.parse().map_err(|error| format!("{error}"))?;
    Ok(NamedTarget { name, target })
}

fn process(text: &str) -> Result<NamedProcess, String> {
    let (name, pid) = named(text, "a process is NAME=PID, for example pooled=1234")?;
    let pid = pid.parse().map_err(|_| format!("`{pid}` is no process id"))?;
    Ok(NamedProcess { name, pid })
}

fn named(text: &str, form: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(form.to_owned()),
    }
}

/// The range of seconds, milliseconds and operations per second. Anything outside is a typing error.
const NUMBER_MIN: f64 = 0.001;
const NUMBER_MAX: f64 = 1e6;
/// A record is one chunk.
const RECORD_BYTES_MAX: usize = 65_000;
