//! What the report says beside its numbers. All of it is here, so that it can be said in another
//! language one day.

use report::Link;

use crate::settings::Pattern;

/// Before the first thing to do, and above all of them.
pub(super) const NEXT: &str = "What to do now";
pub(super) const NUMBERS: &str = "The numbers that matter";
pub(super) const ALL: &str = "All numbers";
pub(super) const HOW: &str = "What ran, and how it was counted";
pub(super) const MEANING: &str = "What each pattern does, and why it comes to this";
pub(super) const PRACTICES: &str = "Best practices, and the code of the two ways";
pub(super) const UNEXPECTED: &str = "Not as expected";
pub(super) const FAILURES: &str = "Why tasks failed";
pub(super) const MISSED: &str = "What could not be counted";
pub(super) const OTHERS: &str = "Other applications on the server";
pub(super) const OTHERS_ARE: &str = "They opened connections during the run; these are told apart by user agent and not counted above.";
pub(super) const MISSED_ARE: &str = "The server did not always answer the lab's own questions. Peaks may have been higher than shown.";
pub(super) const INTERRUPTED: &str =
    "This run was ended before its time. What follows is what had been measured until then.";

/// Before the reason.
pub(super) const FAILED_RUN: &str = "This run failed:";
pub(super) const NOTHING_MEASURED: &str = "No task was measured. The logs are beside this page.";
pub(super) const MEASURED_UNTIL_THEN: &str =
    "What follows is what had been measured until then. The logs are beside this page.";

/// Why numbers that did not fall did not.
pub(super) const NO_GAIN: &str = "“None” means: no more than the rounds differ among themselves. The tasks' own processor time and memory are a driver's and its language's, and stay what they are. A query through the pooler takes a little longer than on a connection that is there already, and much less time than connecting.";

pub(super) const REUSE: &str = "Why reuse can't go below one connection for each running task: Airflow runs every task in an operating-system process of its own, under every executor. A driver is memory and sockets of one process; another process can't use it. So a task that talks to the database has a driver of its own and with it one connection at least, and as many tasks as run at once hold as many connections. Only something outside the processes can share connections between them: a connection pooler for the Bolt protocol, which the pattern pooled goes through.";
pub(super) const COSTS: &str = "What it costs: an idle connection costs the server little but its place: a file descriptor, and one of the connections that a service allows. Opening one costs round trips, and a login with a password hash to compute. Each open transaction takes one of the server's threads (400 unless configured otherwise); transactions past that are refused, not queued.";

/// What to do, by what was seen.
pub(super) fn try_pooler(uri: &str) -> String {
    format!(
        "Put the pooler in front of your server and change nothing but the address: boltbouncer serve --upstream {uri}, then NEO4J_URI=bolt://localhost:7688 for the tasks. docs/pooler.md says how to size it."
    )
}

pub(super) const REUSE_DRIVERS: &str = "Make one driver for each process and not one for each call. It is a change in one place of your code, and it can't go below one connection for each task that runs.";
pub(super) const NO_RETRIES_NEEDED: &str = "Don't cure refused connections with retries: each try opens connections again, and competes with the tasks that still hold theirs.";
pub(super) const ON_YOUR_SERVER: &str = "See the same on your own server: boltbouncer lab --uri bolt://… --user … (it asks before it begins).";
pub(super) const ON_AIRFLOW: &str =
    "See the same on a real Airflow, set up by itself: boltbouncer lab --engine airflow.";

pub(super) fn driver_manual() -> Link {
    link("Neo4j: drivers", "https://neo4j.com/docs/python-manual/current/performance/")
}

pub(super) fn neo4j_threads() -> Link {
    link(
        "Neo4j: threads for Bolt",
        "https://neo4j.com/docs/operations-manual/current/performance/bolt-thread-pool-configuration/",
    )
}

pub(super) fn airflow_retries() -> Link {
    link(
        "Airflow: tasks and retries",
        "https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/tasks.html",
    )
}

fn link(text: &str, address: &str) -> Link {
    Link { text: text.into(), address: address.into() }
}

pub(super) fn why(pattern: Pattern) -> &'static str {
    match pattern {
        Pattern::Problematic | Pattern::Stress => {
            "Every call made a driver, every driver brought its own pool, and all of them stayed until the process ended: connections pile up while the task does other work, idle nearly all the time."
        }
        Pattern::Improved => {
            "Each task made one driver, checked it before using it again, and closed it at its end. What remains is the number of tasks that run at once."
        }
        Pattern::Hook => {
            "The official provider's hook makes a driver for each hook object, with no settings for its pool, and nothing closes it but the garbage collector: a task that keeps its hooks keeps their connections, as the problematic pattern does."
        }
        Pattern::Pooled => {
            "These are the problematic tasks, unchanged but for the address, which was a pooler's."
        }
    }
}

pub(super) const BEST_PRACTICES: [&str; 9] = [
    "One driver for each database and process, made at first use and not at import: schedulers import DAG files again and again.",
    "Set the pool's size to what one task needs, which is mostly one to five connections, and an acquisition time-out that fails before the task's own.",
    "Check the driver before using it again, and make it anew if the check fails.",
    "Never carry a driver across a fork: two processes on one socket get each other's answers.",
    "Close sessions with the block that uses them, and the driver at the end of the task.",
    "Run work in managed transactions, so that transient errors are retried; auto-commit queries are not.",
    "Name tasks in the user agent or the transaction's metadata, so that the server's lists show who holds what.",
    "Where tasks can't be changed, or more run at once than the server should hold connections for, let NEO4J_URI name a pooler: boltbouncer serve.",
    "Watch the server: open connections, open transactions, logins.",
];

pub(super) const PROBLEMATIC_CODE: &str = r#"
def run_query(query):
    # A new pool, a new connection, a new login, each time.
    driver = GraphDatabase.driver(URI, auth=AUTH)
    DRIVERS.append(driver)  # a hook, a cache, a traceback: something refers to it
    with driver.session() as session:
        return session.run(query).data()
"#;

pub(super) const IMPROVED_CODE: &str = r#"
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
