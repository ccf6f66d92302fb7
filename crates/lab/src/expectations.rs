//! What the results should show on any server. If they don't, the lab says so by itself, before somebody
//! relies on the numbers.

use std::time::Duration;

use crate::results::{CountedBy, PatternResult, Results};
use crate::settings::{Pattern, pooled_connections_max};

/// What is not as it should be, each in a sentence. Nothing is expected of a run that was ended early.
pub fn unmet(results: &Results) -> Vec<String> {
    let problematic = results.patterns.iter().find(|p| p.name == Pattern::Problematic);
    let of_pattern = |pattern: &PatternResult| {
        let mut unmet = match (pattern.name, problematic) {
            (Pattern::Improved | Pattern::Pooled, Some(problematic)) => {
                beside_problematic(pattern, problematic)
            }
            _ => Vec::new(),
        };
        if pattern.name == Pattern::Pooled && pattern.pooler.is_some() {
            unmet.extend(of_pooled(pattern, results));
        }
        if pattern.tasks.succeeded > 0 && pattern.connections.peak_open == 0 {
            unmet.push("tasks succeeded, but the server saw none of their connections; do they use the same server as --uri?".into());
        }
        unmet.into_iter().map(|sentence| format!("{}: {sentence}", pattern.name)).collect()
    };
    if results.interrupted || results.failed.is_some() {
        return Vec::new();
    }
    results.patterns.iter().flat_map(|pattern| -> Vec<String> { of_pattern(pattern) }).collect()
}

/// A remedy must not be worse than the problem.
fn beside_problematic(pattern: &PatternResult, problematic: &PatternResult) -> Vec<String> {
    let (ours, theirs) = (&pattern.connections, &problematic.connections);
    let counts = [
        ("connections opened", ours.opened, theirs.opened),
        ("connections open at once", ours.peak_open, theirs.peak_open),
        ("tasks failed", pattern.tasks.failed, problematic.tasks.failed),
    ];
    let mut unmet: Vec<_> = counts
        .into_iter()
        .filter(|(_, ours, theirs)| ours > theirs)
        .map(|(what, ours, theirs)| format!("{ours} {what}, more than problematic's {theirs}"))
        .collect();
    // The pattern `improved` is not expected to be faster. Under Airflow, the scheduler decides how long
    // a pattern takes.
    let is_slow = pattern.airflow.is_none() && pattern.wall_s > problematic.wall_s * WALL_NOISE;
    if pattern.name == Pattern::Pooled && is_slow {
        unmet.push(format!(
            "it took {:.2} s, longer than problematic's {:.2} s",
            pattern.wall_s, problematic.wall_s
        ));
    }
    unmet
}

fn of_pooled(pattern: &PatternResult, results: &Results) -> Vec<String> {
    let (connections, pool_size) = (&pattern.connections, results.settings.pool_size);
    let opened_max = opened_max(pool_size, Duration::from_secs_f64(pattern.wall_s));
    let limits = [
        ("connections opened", connections.opened, opened_max),
        ("connections open at once", connections.peak_open, pooled_connections_max(pool_size)),
    ];
    let mut unmet: Vec<_> = limits
        .into_iter()
        .filter(|(_, counted, most)| *counted > *most as u64)
        .map(|(what, counted, most)| {
            format!("{counted} {what}, where a pool of {pool_size} allows {most}")
        })
        .collect();
    let is_exact = results.target.counted_by != CountedBy::Sockets;
    if let Some(pooler) = pattern.pooler.filter(|_| is_exact && pattern.counting_error.is_none())
        && pooler.upstream_opened != connections.opened
    {
        unmet.push(format!(
            "the server counted {} connections opened and the pooler {}; did somebody else connect meanwhile?",
            connections.opened, pooler.upstream_opened
        ));
    }
    unmet
}

/// The most connections that a pooler opens for one user in this time. In a run of usual length that is
/// its pool and one more. In a longer run it checks the password again, and replaces old connections.
fn opened_max(pool_size: usize, time: Duration) -> usize {
    let limits = pooler::Limits::default();
    let times = |every: Duration| (time.as_secs_f64() / every.as_secs_f64()) as usize;
    // The pooler closes a connection up to a tenth of its lifetime early.
    let generations = times(limits.max_connection_lifetime.0.mul_f64(0.9));
    pooled_connections_max(pool_size)
        .saturating_add(times(limits.auth_cache_ttl.0))
        .saturating_add(pool_size.saturating_mul(generations))
}

/// The same pattern on the same quiet machine takes up to this much longer from one run to the next.
const WALL_NOISE: f64 = 1.05;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{
        Connections, Machine, PoolerNumbers, SCHEMA, SettingsInfo, TargetInfo, Tasks,
    };

    fn pattern(name: Pattern, opened: u64, peak_open: u64, wall_s: f64) -> PatternResult {
        PatternResult {
            name,
            user_agent: String::new(),
            tasks: Tasks::default(),
            calls_per_task: 0,
            drivers_created: 0,
            connections: Connections { opened, closed: opened, peak_open, ..Default::default() },
            pooler: (name == Pattern::Pooled)
                .then_some(PoolerNumbers { peak_clients: 160, upstream_opened: opened }),
            airflow: None,
            first_answer: None,
            query_ms: None,
            from_ms: 0,
            to_ms: 0,
            wall_s,
            task_cpu_s: 0.0,
            task_memory_bytes: 0,
            server_cpu_s: None,
            server_memory_bytes: None,
            missed_samples: 0,
            counting_error: None,
            samples: Vec::new(),
        }
    }

    fn results(pooled: PatternResult) -> Results {
        let improved = pattern(Pattern::Improved, 100, 32, 6.0);
        let problematic = pattern(Pattern::Problematic, 500, 160, 5.0);
        Results {
            schema: SCHEMA,
            boltbouncer: String::new(),
            started: String::new(),
            interrupted: false,
            failed: None,
            machine: Machine { os: String::new(), arch: String::new(), cpus: 1 },
            target: TargetInfo {
                uri: String::new(),
                embedded: true,
                agent: String::new(),
                bolt: String::new(),
                counted_by: CountedBy::Books,
            },
            airflow: None,
            settings: SettingsInfo {
                tasks: 100,
                parallelism: Some(32),
                calls: 5,
                hold_ms: 200,
                query: String::new(),
                pool_size: 4,
                worker: String::new(),
                driver: String::new(),
                database: None,
            },
            patterns: vec![problematic, improved, pooled],
        }
    }

    fn assert_unmet(results: &Results, parts: &[&str]) {
        let unmet = unmet(results);
        assert_eq!(unmet.len(), parts.len(), "{unmet:?}");
        for (sentence, part) in unmet.iter().zip(parts) {
            assert!(sentence.contains(part), "{sentence} lacks {part}");
        }
    }

    #[test]
    fn a_pool_and_one_more_is_what_is_expected() {
        assert_unmet(&results(pattern(Pattern::Pooled, 5, 5, 5.2)), &[]);
    }

    #[test]
    fn each_broken_promise_is_named() {
        let mut pooled = pattern(Pattern::Pooled, 501, 6, 5.5);
        pooled.tasks = Tasks { total: 100, failed: 2, ..Tasks::default() };
        let parts = [
            "pooled: 501 connections opened, more than problematic's 500",
            "pooled: 2 tasks failed, more than problematic's 0",
            "pooled: it took 5.50 s, longer than problematic's 5.00 s",
            "pooled: 501 connections opened, where a pool of 4 allows 5",
            "pooled: 6 connections open at once, where a pool of 4 allows 5",
        ];
        assert_unmet(&results(pooled.clone()), &parts);
        assert_unmet(&Results { interrupted: true, ..results(pooled) }, &[]);
    }

    #[test]
    fn the_server_and_the_pooler_must_have_counted_the_same() {
        let mut pooled = pattern(Pattern::Pooled, 5, 5, 4.0);
        pooled.pooler = Some(PoolerNumbers { peak_clients: 160, upstream_opened: 4 });
        let mut results = results(pooled);
        assert_unmet(&results, &["the server counted 5 connections opened and the pooler 4"]);
        // Sockets are sampled: some come and go between two samples.
        results.target.counted_by = CountedBy::Sockets;
        assert_unmet(&results, &[]);
    }

    #[test]
    fn long_runs_may_renew_connections() {
        let limit = |minutes: u64| opened_max(4, Duration::from_secs(60 * minutes));
        assert_eq!((limit(1), limit(11), limit(50)), (5, 7, 19));
    }
}
