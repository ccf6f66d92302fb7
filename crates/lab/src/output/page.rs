//! The report page: what happened, what it means, and the code of each pattern.

use report::Page;

use super::charts;
use super::comparison::{change, comparison};
use crate::expectations;
use crate::results::{PatternResult, Results};
use crate::settings::Pattern;

pub(super) fn page(results: &Results) -> String {
    let target = &results.target;
    let mut page = Page::new(
        "What drivers in parallel tasks do to the server",
        &format!("{} · {} · Bolt {} · {}", results.started, target.agent, target.bolt, target.uri),
    );
    if results.interrupted {
        page.paragraph("This run was ended before its time. What follows is what had been measured until then.");
    }
    if let Some(reason) = &results.failed {
        page.paragraph(&format!("This run failed: {reason}"));
        if results.patterns.is_empty() {
            page.paragraph("No task was measured. The logs are beside this page.");
            return page.html();
        }
        page.paragraph("What follows is what had been measured until then.");
    }
    page.paragraph(&what_ran(results));
    figures(&mut page, results);
    page.chart(&charts::idle(results));
    page.chart(&charts::opened_closed(results));
    page.heading("Side by side");
    page.raw(&comparison(results).html());
    page.paragraph(&format!("Connections were counted by {}.", target.counted_by.explanation()));
    unexpected(&mut page, results);
    failures(&mut page, results);
    missed(&mut page, results);
    others(&mut page, results);
    meaning(&mut page, results);
    practices(&mut page);
    page.html()
}

fn what_ran(results: &Results) -> String {
    let settings = &results.settings;
    let at_once =
        settings.parallelism.map_or_else(String::new, |most| format!(", at most {most} at once"));
    let tasks = format!(
        "{} parallel tasks{at_once}, each a process of its own with {} database calls and {} ms of other work after each. Driver: {}. Query: {}",
        settings.tasks, settings.calls, settings.hold_ms, settings.driver, settings.query,
    );
    let Some(airflow) = &results.airflow else { return tasks };
    let parts = [&airflow.executor, &airflow.database].into_iter().flatten();
    let parts: String = parts.map(|part| format!(", {part}")).collect();
    let python = airflow.python.as_ref().map_or_else(String::new, |v| format!(", Python {v}"));
    format!("Apache Airflow {}{parts}{python} ran {tasks}", airflow.version)
}

/// The problem and its remedies in big numbers, and below them in small ones how much the last remedy
/// changes.
fn figures(page: &mut Page, results: &Results) {
    let find = |name| results.patterns.iter().find(|pattern| pattern.name == name);
    let shown: Vec<_> = [Pattern::Problematic, Pattern::Improved, Pattern::Hook, Pattern::Pooled]
        .into_iter()
        .filter_map(find)
        .collect();
    let [first, .., last] = shown[..] else { return };
    let names: Vec<_> = shown.iter().map(|pattern| pattern.name.name()).collect();
    page.paragraph(&format!("{}:", names.join(" → ")));
    let figure = |name: &str, of: fn(&PatternResult) -> u64| {
        let values: Vec<_> = shown.iter().map(|pattern| of(pattern).to_string()).collect();
        let changed = change(of(first) as f64, of(last) as f64);
        let note = if changed.is_empty() { name.to_owned() } else { format!("{name} ({changed})") };
        (values.join(" → "), note)
    };
    page.figures(&[
        figure("connections opened", |p| p.connections.opened),
        figure("peak open at once", |p| p.connections.peak_open),
        figure("peak idle", |p| p.connections.peak_idle),
        figure("failed tasks", |p| p.tasks.failed),
    ]);
}

fn unexpected(page: &mut Page, results: &Results) {
    let unmet = expectations::unmet(results);
    if !unmet.is_empty() {
        page.heading("Not as expected");
        page.list(&unmet);
    }
}

fn failures(page: &mut Page, results: &Results) {
    let line = |pattern: &PatternResult| {
        let codes = pattern.tasks.failures.iter();
        let codes: Vec<_> = codes.map(|(code, count)| format!("{count} × {code}")).collect();
        format!("{}: {}", pattern.name, codes.join(", "))
    };
    let failed: Vec<_> = results.patterns.iter().filter(|p| p.tasks.failed > 0).map(line).collect();
    if !failed.is_empty() {
        page.heading("Failed tasks");
        page.list(&failed);
    }
}

fn missed(page: &mut Page, results: &Results) {
    let line = |pattern: &PatternResult| {
        let why = pattern.counting_error.as_deref().unwrap_or("the totals are complete");
        format!("{}: {} samples missed; {why}", pattern.name, pattern.missed_samples)
    };
    let is_missing =
        |pattern: &&PatternResult| pattern.missed_samples > 0 || pattern.counting_error.is_some();
    let missed: Vec<_> = results.patterns.iter().filter(is_missing).map(line).collect();
    if !missed.is_empty() {
        page.heading("What could not be counted");
        page.paragraph("The server did not always answer the lab's own questions. Peaks may have been higher than shown.");
        page.list(&missed);
    }
}

fn others(page: &mut Page, results: &Results) {
    let others: Vec<_> = results
        .patterns
        .iter()
        .filter(|pattern| pattern.connections.others > 0)
        .map(|pattern| format!("{}: {} connections", pattern.name, pattern.connections.others))
        .collect();
    if !others.is_empty() {
        page.heading("Other applications on the server");
        page.paragraph("They opened connections during the run; these are told apart by user agent and not counted above.");
        page.list(&others);
    }
}

fn meaning(page: &mut Page, results: &Results) {
    page.heading("What it means");
    for pattern in &results.patterns {
        page.paragraph(&explanation(pattern, results));
    }
    page.paragraph(
        "Why reuse can't go below one connection for each running task: Airflow runs every task in an operating-system process of its own, under every executor. A driver is memory and sockets of one process; another process can't use it. So a task that talks to the database has a driver of its own and with it one connection at least, and as many tasks as run at once hold as many connections. Only something outside the processes can share connections between them: a connection pooler for the Bolt protocol, which the pattern pooled goes through.",
    );
    page.paragraph(
        "What it costs: an idle connection costs the server little. Opening one costs it a login, with a password hash to compute, and each open transaction takes one of its threads (400 unless configured otherwise); transactions past that are refused, not queued.",
    );
}

fn explanation(pattern: &PatternResult, results: &Results) -> String {
    let c = pattern.connections;
    let ran = format!(
        "{}: {} tasks created {} drivers. That opened {} connections, {} at once.",
        pattern.name, pattern.tasks.total, pattern.drivers_created, c.opened, c.peak_open
    );
    let why = match pattern.name {
        Pattern::Problematic | Pattern::Stress => {
            "Every call made a driver, every driver brought its own pool, and all of them stayed until the process ended: connections pile up while the task does other work, idle nearly all the time.".to_owned()
        }
        Pattern::Improved => {
            "Each task made one driver, checked it before using it again, and closed it at its end. What remains is the number of tasks that run at once.".to_owned()
        }
        Pattern::Hook => {
            "The official provider's hook makes a driver for each hook object, with no settings for its pool, and nothing closes it but the garbage collector: a task that keeps its hooks keeps their connections, as the problematic pattern does.".to_owned()
        }
        Pattern::Pooled => pooled(pattern, results),
    };
    format!("{ran} {why}")
}

fn pooled(pattern: &PatternResult, results: &Results) -> String {
    let Some(numbers) = pattern.pooler else {
        return "These are the problematic tasks, unchanged but for the address, which was a pooler's that ran already. What it held before the pattern is in the peaks, not in what was opened.".to_owned();
    };
    let mut text = format!(
        "These are the problematic tasks, unchanged but for the address, which was a pooler's with a pool of {}. All their connections went to it, {} at once; it checked the password at the server, and lent one of its own connections to whoever had a query, for as long as that ran.",
        results.settings.pool_size, numbers.peak_clients
    );
    if results.target.embedded {
        text.push_str(" It shared a process with the embedded server, so that the server's processor time includes its own.");
    }
    text
}

fn practices(page: &mut Page) {
    page.heading("Best practices");
    page.list(
        &[
            "One driver for each database and process, made at first use and not at import: schedulers import DAG files again and again.",
            "Set the pool's size to what one task needs, which is mostly one to five connections, and an acquisition time-out that fails before the task's own.",
            "Check the driver before using it again, and make it anew if the check fails.",
            "Never carry a driver across a fork: two processes on one socket get each other's answers.",
            "Close sessions with the block that uses them, and the driver at the end of the task.",
            "Run work in managed transactions, so that transient errors are retried; auto-commit queries are not.",
            "Name tasks in the user agent or the transaction's metadata, so that the server's lists show who holds what.",
            "Where tasks can't be changed, or more run at once than the server should hold connections for, let NEO4J_URI name a pooler: boltbouncer serve.",
            "Watch the server: open connections, open transactions, logins.",
        ]
        .map(String::from),
    );
    page.code("problematic: a driver for each call, never closed", PROBLEMATIC_CODE);
    page.code("improved: one driver for each process", IMPROVED_CODE);
}

const PROBLEMATIC_CODE: &str = r#"
def run_query(query):
    # A new pool, a new connection, a new login, each time.
    driver = GraphDatabase.driver(URI, auth=AUTH)
    DRIVERS.append(driver)  # a hook, a cache, a traceback: something refers to it
    with driver.session() as session:
        return session.run(query).data()
"#;

const IMPROVED_CODE: &str = r#"
_driver, _pid = None, None

def get_driver():
    global _driver, _pid
    if _driver is not None and _pid == os.getpid():
        try:
            _driver.verify_connectivity()
            return _driver
        except DriverError:
            _driver.close()
    _driver, _pid = GraphDatabase.driver(
        URI,
        auth=AUTH,
        user_agent="my-dag/1.0",
        max_connection_pool_size=5,
        connection_acquisition_timeout=30,
        max_connection_lifetime=50 * 60,
    ), os.getpid()
    atexit.register(_driver.close)
    return _driver

def run_query(query):
    with get_driver().session() as session:
        return session.run(query).data()
"#;
