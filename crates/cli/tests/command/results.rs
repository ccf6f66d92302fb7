//! What a run of the lab has written, and what must hold for it on every server.

use std::path::{Path, PathBuf};

use serde_json::Value;

pub fn run_folder(out: &Path) -> PathBuf {
    let folders: Vec<_> =
        std::fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders[0].clone()
}

pub fn results(out: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(run_folder(out).join("results.json")).unwrap()).unwrap()
}

pub fn assert_fits_the_schema(results: &Value) {
    assert_fits(results, include_str!("../../../lab/results.schema.json"));
}

/// Holds a value against the text of a JSON schema.
pub fn assert_fits(value: &Value, schema: &str) {
    let schema = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    let errors: Vec<_> = schema.iter_errors(value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
}

/// Opened is exact for every server; the peaks of a few short tasks are not.
pub fn assert_counts(results: &Value, tasks: u64, calls: u64) {
    assert_fits_the_schema(results);
    for (index, opened) in [tasks * calls, tasks].into_iter().enumerate() {
        let pattern = &results["patterns"][index];
        assert_eq!(pattern["tasks"]["succeeded"], tasks, "{pattern}");
        assert_eq!(pattern["connections"]["opened"], opened, "{pattern}");
        assert_eq!(pattern["connections"]["closed"], opened, "{pattern}");
        assert_eq!(pattern["drivers_created"], opened, "{pattern}");
        assert_eq!(pattern["pooler"], Value::Null, "{pattern}");
    }
    assert_pooled(&results["patterns"][2], tasks, calls, 4);
}

/// The same tasks as `problematic`, behind a pool of this size.
pub fn assert_pooled(pattern: &Value, tasks: u64, calls: u64, pool_size: u64) {
    assert_eq!(pattern["name"], "pooled");
    assert_eq!(pattern["tasks"]["succeeded"], tasks, "{pattern}");
    assert_eq!(pattern["drivers_created"], tasks * calls, "{pattern}");
    let count = |name: &str| pattern["connections"][name].as_u64().unwrap();
    // One on top of the pool for the check of the password.
    assert!((1..=pool_size + 1).contains(&count("opened")), "{pattern}");
    assert!((1..=pool_size + 1).contains(&count("peak_open")), "{pattern}");
    assert!(count("peak_in_use") <= pool_size, "{pattern}");
    assert_eq!(count("closed"), count("opened"), "{pattern}");
    assert_eq!(count("others"), 0, "{pattern}");
    // Two that know nothing of each other.
    assert_eq!(pattern["pooler"]["upstream_opened"], count("opened"), "{pattern}");
    assert!(pattern["pooler"]["peak_clients"].as_u64().unwrap() <= tasks * calls, "{pattern}");
}

pub const SMALL: [&str; 11] = [
    "lab",
    "--tasks",
    "6",
    "--parallelism",
    "3",
    "--calls",
    "3",
    "--hold-ms",
    "20",
    "--rounds",
    "1",
];
