//! `boltbouncer lab`: reads its settings from options, environment and `.env`, asks before it floods
//! a server that it has not started, and prints what came out. `boltbouncer` alone floods its own only.

mod print;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use ::airflow::native::parallelism_of_environment;
use anyhow::{Context, Result, bail};
use lab::results::Results;
use lab::{Engine, Pattern, Preset, Retry, ServerChoice, Settings, Stop, Worker};

use crate::airflow::PARALLELISM;
use crate::airflow_options::AirflowOptions;
use crate::server_options::{NamedServer, ServerOptions};
use crate::{consent, numbers, open_files, runtime, script_server, signals};

/// Flood a graph database with the connections of parallel tasks, then show what helps
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  boltbouncer lab                                  on an embedded server with limits
  boltbouncer lab --preset aura-like               on one that is far away
  boltbouncer lab --uri bolt://localhost:7687      on your own; it asks first
  boltbouncer lab --engine airflow                 tasks of a real Airflow

More: docs/lab.md, docs/airflow.md")]
pub struct Arguments {
    #[command(flatten)]
    server: ServerOptions,
    /// What the embedded server is like, if no other one is named; see --list-presets
    /// [default: small-server; with Airflow unlimited]
    #[arg(help_heading = "Server", long)]
    preset: Option<Preset>,
    /// Describe the presets, and run nothing
    #[arg(help_heading = "Server", long)]
    list_presets: bool,
    /// Patterns to run, in this order: problematic, improved, pooled, stress, and hook with Airflow
    /// [default: problematic,improved,pooled; with Airflow also hook]
    #[arg(help_heading = "Load", long, value_name = "A,B", value_delimiter = ',')]
    pattern: Vec<Pattern>,
    /// How many tasks each pattern has
    #[arg(help_heading = "Load", long, value_name = "N", value_parser = numbers::count::<usize>, allow_negative_numbers = true, default_value_t = 100)]
    tasks: usize,
    /// How many tasks run at once, each in a process; like Airflow's `parallelism`
    /// [default: 32; with an Airflow that is set up for the run, AIRFLOW__CORE__PARALLELISM if that is set]
    #[arg(help_heading = "Load", value_name = "N", value_parser = numbers::count::<usize>, allow_negative_numbers = true, long)]
    parallelism: Option<usize>,
    /// How many database calls each task makes
    #[arg(help_heading = "Load", long, value_name = "N", value_parser = numbers::count::<usize>, allow_negative_numbers = true, default_value_t = 5)]
    calls: usize,
    /// How long the task does other work after each call; it keeps its drivers meanwhile
    #[arg(help_heading = "Load", long, value_name = "MS", value_parser = numbers::milliseconds::<u64>, allow_negative_numbers = true, default_value_t = 200)]
    hold_ms: u64,
    /// How often the patterns run, in turns; the median counts [default: 3; with Airflow 1]
    #[arg(help_heading = "Load", long, value_name = "N", value_parser = numbers::count::<usize>, allow_negative_numbers = true)]
    rounds: Option<usize>,
    /// How often a task that fails is tried again; with Airflow, its DAGs decide [default: 2]
    #[arg(help_heading = "Load", long, value_name = "N", value_parser = numbers::count::<usize>, allow_negative_numbers = true)]
    retries: Option<usize>,
    /// How long after it has failed. Airflow's default of five minutes would make the lab slow
    /// [default: 1000]
    #[arg(help_heading = "Load", long, value_name = "MS", value_parser = numbers::milliseconds::<u64>, allow_negative_numbers = true)]
    retry_delay_ms: Option<u64>,
    /// The query that each call runs
    #[arg(help_heading = "Load", long, default_value = "RETURN 1")]
    query: String,
    /// How many connections to the server the pooler of `pooled` may have
    #[arg(help_heading = "Pooler", long, value_name = "N", value_parser = numbers::count::<usize>, allow_negative_numbers = true, default_value_t = 4)]
    pool_size: usize,
    /// What runs the tasks
    #[arg(help_heading = "What runs the tasks", long, value_enum, default_value_t = EngineKind::Local)]
    engine: EngineKind,
    #[command(flatten)]
    airflow: AirflowOptions,
    /// Which driver the tasks of the local engine use
    #[arg(help_heading = "What runs the tasks", long, value_enum, default_value_t = WorkerKind::Rust)]
    worker: WorkerKind,
    /// A Python that has the `neo4j` driver, for --worker python
    #[arg(help_heading = "What runs the tasks", long, default_value = "python3")]
    python: PathBuf,
    /// Where to put the run's folder
    #[arg(help_heading = "Output", long, default_value = "boltbouncer-lab")]
    out: PathBuf,
    /// Don't ask before opening connections to a server that boltbouncer has not started
    #[arg(help_heading = "Server", long)]
    yes: bool,
    /// Exit with 1 if a task failed; otherwise failed tasks are only counted
    #[arg(help_heading = "Output", long)]
    fail_on_task_failure: bool,
    /// Print all numbers, not only those that tell the most
    #[arg(help_heading = "Output", long)]
    all: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum EngineKind {
    /// Processes that the lab starts itself
    Local,
    /// Apache Airflow: one that is set up for the run, or the one that --airflow-url names
    Airflow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum WorkerKind {
    /// The crate `neo4j`, inside this program
    Rust,
    /// Neo4j's own Python driver
    Python,
}

impl Default for Arguments {
    /// What `boltbouncer` without any argument runs.
    fn default() -> Self {
        use clap::{Args, FromArgMatches};
        let command = Self::augment_args(clap::Command::new("lab"));
        let matches = command.get_matches_from(["lab"]);
        Self::from_arg_matches(&matches).expect("every argument has a default")
    }
}

impl Arguments {
    /// How many tasks run at once.
    fn parallelism(&self) -> usize {
        let is_airflow = self.engine == EngineKind::Airflow;
        let of_environment = || parallelism_of_environment().filter(|_| is_airflow);
        self.parallelism.or_else(of_environment).unwrap_or(PARALLELISM)
    }
}

pub fn run(arguments: Arguments) -> Result<()> {
    if arguments.list_presets {
        print::presets();
        return Ok(());
    }
    let named = arguments.server.resolve()?;
    let asks = named.as_ref().filter(|named| !arguments.yes && consent::is_needed(&named.target));
    let asks = asks.map(|named| named.target.clone());
    let settings = settings(&arguments, named)?;
    if let Some(target) = asks {
        consent::ask(&target, &plan(&settings))?;
    }
    run_with(&arguments, &settings)
}

/// What `boltbouncer` without any word does: whatever environment and `.env` say, no other server is
/// touched than its own.
pub fn run_on_embedded_server() -> Result<()> {
    println!("The lab on an embedded server of its own. Another one: boltbouncer lab --uri …");
    let arguments = Arguments::default();
    let settings = settings(&arguments, None)?;
    run_with(&arguments, &settings)
}

fn run_with(arguments: &Arguments, settings: &Settings) -> Result<()> {
    print::opening(settings);
    let stop = Stop::default();
    let (folder, results) = runtime::many_threads()?.block_on(async {
        let words = "ending the tasks; what was measured is kept (once more to end at once)";
        signals::stop_when_interrupted(&stop, words)?;
        lab::run(settings, &stop).await
    })?;
    print::ending(&results, folder.path(), arguments.all);
    verdict(&results, arguments)
}

/// # Errors
/// The run is not what it was meant to be: it ended early, or something could not be counted.
fn verdict(results: &Results, arguments: &Arguments) -> Result<()> {
    let failed: u64 = results.patterns.iter().map(|pattern| pattern.tasks.failed).sum();
    if results.interrupted {
        bail!("the run was interrupted");
    }
    if let Some(error) = results.patterns.iter().find_map(|pattern| pattern.counting_error.as_ref())
    {
        bail!("counting failed, so the totals are what was known until then: {error}");
    }
    let succeeded: u64 = results.patterns.iter().map(|pattern| pattern.tasks.succeeded).sum();
    if succeeded == 0 && failed > 0 {
        bail!("all {failed} tasks failed");
    }
    if arguments.fail_on_task_failure && failed > 0 {
        bail!("{failed} tasks failed");
    }
    Ok(())
}

fn settings(arguments: &Arguments, named: Option<NamedServer>) -> Result<Settings> {
    check_numbers(arguments)?;
    let patterns = patterns(arguments)?;
    check_open_files(&patterns, arguments)?;
    let engine = match arguments.engine {
        EngineKind::Airflow => arguments.airflow.engine()?,
        EngineKind::Local => {
            arguments.airflow.refuse()?;
            Engine::Local(worker(arguments)?)
        }
    };
    let server = match named {
        Some(server) => server.into(),
        None => unnamed_server(&engine, arguments.preset)?,
    };
    if arguments.preset.is_some() && !matches!(server, ServerChoice::Embedded(_)) {
        bail!(
            "--preset is about the embedded server, and this run uses another one; drop one of the two"
        );
    }
    let is_local = matches!(engine, Engine::Local(_));
    Ok(Settings {
        patterns,
        tasks: arguments.tasks,
        parallelism: arguments.parallelism(),
        calls: arguments.calls,
        hold: Duration::from_millis(arguments.hold_ms),
        query: arguments.query.clone(),
        pool_size: arguments.pool_size,
        rounds: arguments.rounds.unwrap_or(if is_local { ROUNDS } else { 1 }),
        retry: retry(arguments)?,
        engine,
        server,
        out: arguments.out.clone(),
        shows_progress: std::io::stderr().is_terminal(),
    })
}

fn retry(arguments: &Arguments) -> Result<Retry> {
    let delay_ms = arguments.retry_delay_ms;
    if arguments.engine == EngineKind::Airflow {
        if arguments.retries.is_some() || delay_ms.is_some() {
            bail!("Airflow's DAGs decide on retries; drop --retries and --retry-delay-ms");
        }
        return Ok(Retry::default());
    }
    let delay = Duration::from_millis(delay_ms.unwrap_or(RETRY_DELAY_MS));
    Ok(Retry { retries: arguments.retries.unwrap_or(RETRIES), delay })
}

fn check_numbers(arguments: &Arguments) -> Result<()> {
    numbers::refuse_zero(
        "run nothing",
        [
            (arguments.tasks, "--tasks"),
            (arguments.parallelism(), "--parallelism"),
            (arguments.calls, "--calls"),
            (arguments.pool_size, "--pool-size"),
            (arguments.rounds.unwrap_or(1), "--rounds"),
        ],
    )?;
    let tasks_max = match arguments.engine {
        EngineKind::Local => TASKS_MAX,
        EngineKind::Airflow => AIRFLOW_TASKS_MAX,
    };
    for (value, name, most) in [
        (arguments.tasks, "--tasks", tasks_max),
        (arguments.rounds.unwrap_or(1), "--rounds", ROUNDS_MAX),
        (arguments.retries.unwrap_or(0), "--retries", RETRIES_MAX),
    ] {
        if value > most {
            bail!("{name} {value} is past the limit of {most}");
        }
    }
    Ok(())
}

fn patterns(arguments: &Arguments) -> Result<Vec<Pattern>> {
    use Pattern::{Hook, Improved, Pooled, Problematic};
    let is_airflow = arguments.engine == EngineKind::Airflow;
    match &arguments.pattern[..] {
        [] if is_airflow => Ok(vec![Problematic, Improved, Hook, Pooled]),
        [] => Ok(vec![Problematic, Improved, Pooled]),
        named if named.contains(&Hook) && !is_airflow => {
            bail!("hook is the hook of Airflow's provider; add --engine airflow")
        }
        named => {
            let mut patterns = named.to_vec();
            patterns.dedup();
            if (1..patterns.len()).any(|index| patterns[..index].contains(&patterns[index])) {
                bail!("--pattern names a pattern twice; each runs once");
            }
            Ok(patterns)
        }
    }
}

/// The server to use if the user has named none.
fn unnamed_server(engine: &Engine, preset: Option<Preset>) -> Result<ServerChoice> {
    match (engine, preset) {
        (Engine::Local(_), None) => Ok(ServerChoice::Embedded(Preset::SmallServer)),
        (Engine::Local(_) | Engine::NativeAirflow(_), Some(preset)) => {
            Ok(ServerChoice::Embedded(preset))
        }
        (Engine::NativeAirflow(_), None) => {
            let Some(server) = script_server::find()? else {
                return Ok(ServerChoice::Embedded(Preset::Unlimited));
            };
            eprintln!("using {}, which scripts/neo4j has started", server.target);
            Ok(server.into())
        }
        (Engine::ExistingAirflow { .. }, _) => bail!(
            "the server of that Airflow's tasks must be named, as its connections are counted there; give --uri"
        ),
    }
}

/// Checks the limit of open files. This process holds the pipes to the tasks, and also the server's side of
/// their connections if the embedded server or the pooler runs here.
fn check_open_files(patterns: &[Pattern], arguments: &Arguments) -> Result<()> {
    let at_once = arguments.tasks.min(arguments.parallelism());
    let each = patterns
        .iter()
        .map(|pattern| pattern.connections_per_task(arguments.calls))
        .max()
        .unwrap_or(1);
    // A task uses at most one of the pooler's connections at a time, and both of its ends may be here.
    let upstream = 2 * arguments.pool_size.min(at_once);
    // `stress` doubles the calls; every task has three pipes; the program itself needs the rest.
    let needed = at_once.saturating_mul(2 * each + 3).saturating_add(upstream + 100);
    let limit = open_files::max();
    if needed > limit {
        bail!(
            "this run needs up to {needed} open files and the limit is {limit}; lower --parallelism or --calls, or raise the limit with `ulimit -n`"
        );
    }
    Ok(())
}

fn worker(arguments: &Arguments) -> Result<Worker> {
    match arguments.worker {
        WorkerKind::Rust => Ok(Worker::Rust {
            program: std::env::current_exe().context("cannot find the path of this program")?,
            arguments: vec!["task".into()],
        }),
        WorkerKind::Python => {
            let program = arguments.python.clone();
            let script = "import neo4j; print(neo4j.__version__)";
            let output =
                Command::new(&program).args(["-c", script]).output().with_context(|| {
                    format!("cannot run {}; name a Python 3 with --python", program.display())
                })?;
            if !output.status.success() {
                bail!(
                    "{} has no Neo4j driver; install it with `{} -m pip install neo4j`, or name another Python with --python",
                    program.display(),
                    program.display()
                );
            }
            let driver_version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            Ok(Worker::Python { program, driver_version })
        }
    }
}

/// What the run opens on a server, in words.
fn plan(settings: &Settings) -> String {
    let mut opened = 0;
    let mut at_once = 0;
    for pattern in &settings.patterns {
        let (opens, holds) = pattern.server_load(settings);
        opened += opens * settings.rounds;
        at_once = at_once.max(holds);
    }
    format!("about {opened} connections and as many logins, up to {at_once} at once")
}

const ROUNDS: usize = 3;
const ROUNDS_MAX: usize = 100;
/// What many DAGs have. Airflow's own default is none.
const RETRIES: usize = 2;
const RETRIES_MAX: usize = 100;
const RETRY_DELAY_MS: u64 = 1000;
/// Far more than one machine can start. A larger number is a typing error.
const TASKS_MAX: usize = 100_000;
/// Airflow maps a task over no longer list unless `core.max_map_length` allows it.
const AIRFLOW_TASKS_MAX: usize = 1024;
