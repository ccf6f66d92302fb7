//! `boltbouncer lab`: reads its settings from options, environment and `.env`, asks before it floods
//! a server that isn't this machine, and prints what came out.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use client::Target;
use lab::{Engine, Pattern, Settings, Stop, Worker, expectations};

use crate::server_options::ServerOptions;

/// Flood a graph database with the connections of parallel tasks, then show what helps
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    server: ServerOptions,
    /// Patterns to run, in this order: problematic, improved, pooled, stress
    #[arg(
        long,
        value_name = "A,B",
        value_delimiter = ',',
        default_value = "problematic,improved,pooled"
    )]
    pattern: Vec<Pattern>,
    /// Tasks of each pattern
    #[arg(long, default_value_t = 100)]
    tasks: usize,
    /// Task processes at once, as LocalExecutor's parallelism
    #[arg(long, default_value_t = 32)]
    parallelism: usize,
    /// Database calls of each task
    #[arg(long, default_value_t = 5)]
    calls: usize,
    /// The task's own work after each call; its drivers are kept meanwhile
    #[arg(long, default_value_t = 200)]
    hold_ms: u64,
    /// What each call runs
    #[arg(long, default_value = "RETURN 1")]
    query: String,
    /// Upstream connections of the pooler that `pooled` goes through
    #[arg(long, default_value_t = 4)]
    pool_size: usize,
    /// Driver in the tasks
    #[arg(long, value_enum, default_value_t = WorkerKind::Rust)]
    worker: WorkerKind,
    /// Python with the `neo4j` driver, for --worker python
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// Where to put the run's folder
    #[arg(long, default_value = "boltbouncer-lab")]
    out: PathBuf,
    /// Don't ask before opening connections to another machine
    #[arg(long)]
    yes: bool,
    /// Exit with 1 if a task failed; otherwise failed tasks are just results
    #[arg(long)]
    fail_on_task_failure: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum WorkerKind {
    /// The `neo4j` crate
    Rust,
    /// Neo4j's own driver
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

pub fn run(arguments: Arguments) -> Result<()> {
    let settings = settings(&arguments)?;
    if let Engine::Neo4j { target, .. } = &settings.engine
        && !target.is_this_machine()
        && !arguments.yes
    {
        confirm(&settings, target)?;
    }
    let stop = Stop::default();
    let (folder, results) = crate::runtime()?.block_on(async {
        let watcher = tokio::spawn({
            let stop = stop.clone();
            async move {
                crate::interrupted().await;
                eprintln!("ending the tasks; what was measured is kept (once more to end at once)");
                stop.stop();
                crate::interrupted().await;
                std::process::exit(INTERRUPTED);
            }
        });
        let outcome = lab::run(&settings, &stop).await;
        watcher.abort();
        outcome
    })?;
    println!("{}", lab::output::comparison(&results).text());
    println!("Connections were counted by {}.", results.target.counted_by.explanation());
    for sentence in expectations::unmet(&results) {
        println!("not as expected: {sentence}");
    }
    for pattern in &results.patterns {
        if pattern.missed_samples > 0 {
            println!(
                "{}: the server did not answer {} of the lab's samples",
                pattern.name, pattern.missed_samples
            );
        }
        for (code, count) in &pattern.tasks.failures {
            println!("{}: {count} tasks failed with {code}", pattern.name);
        }
    }
    println!("{}", folder.path().join("report.html").display());
    println!("{}", folder.path().display());
    let failed: u64 = results.patterns.iter().map(|pattern| pattern.tasks.failed).sum();
    if results.interrupted {
        bail!("the run was interrupted");
    }
    if let Some(error) = results.patterns.iter().find_map(|pattern| pattern.counting_error.as_ref())
    {
        bail!("counting failed, so the totals are what was known until then: {error}");
    }
    if arguments.fail_on_task_failure && failed > 0 {
        bail!("{failed} tasks failed");
    }
    Ok(())
}

fn settings(arguments: &Arguments) -> Result<Settings> {
    for (value, name) in [
        (arguments.tasks, "--tasks"),
        (arguments.parallelism, "--parallelism"),
        (arguments.calls, "--calls"),
        (arguments.pool_size, "--pool-size"),
    ] {
        if value == 0 {
            bail!("{name} 0 would run nothing; give at least 1");
        }
    }
    if arguments.tasks > TASKS_MAX {
        bail!("--tasks {} is past the limit of {TASKS_MAX}", arguments.tasks);
    }
    let mut patterns = arguments.pattern.clone();
    patterns.dedup();
    if (1..patterns.len()).any(|index| patterns[..index].contains(&patterns[index])) {
        bail!("--pattern names a pattern twice; each runs once");
    }
    check_open_files(&patterns, arguments)?;
    let engine = match arguments.server.resolve()? {
        Some(server) => Engine::Neo4j {
            target: server.target,
            user: server.user,
            password: server.password,
            database: server.database,
        },
        None => Engine::Embedded,
    };
    Ok(Settings {
        patterns,
        tasks: arguments.tasks,
        parallelism: arguments.parallelism,
        calls: arguments.calls,
        hold: Duration::from_millis(arguments.hold_ms),
        query: arguments.query.clone(),
        pool_size: arguments.pool_size,
        worker: worker(arguments)?,
        engine,
        out: arguments.out.clone(),
        shows_progress: std::io::stderr().is_terminal(),
    })
}

/// The embedded server, or the pooler, holds the tasks' connections in this process, beside pipes to
/// the tasks.
fn check_open_files(patterns: &[Pattern], arguments: &Arguments) -> Result<()> {
    let at_once = arguments.tasks.min(arguments.parallelism);
    let each = patterns
        .iter()
        .map(|pattern| pattern.connections_per_task(arguments.calls))
        .max()
        .unwrap_or(1);
    // A task has at most one of the pooler's connections in use, of which both ends may be here.
    let upstream = 2 * arguments.pool_size.min(at_once);
    // Stress doubles the calls; every task has three pipes; the rest is the program's own.
    let needed = at_once.saturating_mul(2 * each + 3).saturating_add(upstream + 100);
    let limit = crate::open_files_max();
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

/// Says what is about to happen to somebody else's server and asks.
fn confirm(settings: &Settings, target: &Target) -> Result<()> {
    let mut opened = 0;
    let mut at_once = 0;
    for pattern in &settings.patterns {
        let (opens, holds) = pattern.server_load(settings);
        opened += opens;
        at_once = at_once.max(holds);
    }
    let plan = format!("about {opened} connections and as many logins, up to {at_once} at once");
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

/// As shells report a process that Ctrl-C ended.
const INTERRUPTED: i32 = 130;
/// Far past what one machine can start; a typing error should not try.
const TASKS_MAX: usize = 100_000;
