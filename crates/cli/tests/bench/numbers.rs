//! The numbers that a run has written.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// All numbers of a run, in the shape that the schema says.
pub fn json(path: &Path) -> Value {
    let results = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let schema = include_str!("../../../bench/results.schema.json");
    let schema = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    let errors: Vec<_> = schema.iter_errors(&results).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    results
}

pub fn rounds(results: &Value, target: usize) -> usize {
    results["workloads"][0]["targets"][target]["rounds"].as_array().unwrap().len()
}

/// A relay is never early; how late it is depends on the machine, and on a very slow one there may be
/// nothing.
pub fn assert_at_least(results: &Value, target: usize, us: f64) {
    let latency = &results["workloads"][0]["targets"][target]["total"]["latency_us"];
    if !latency.is_null() {
        assert!(latency["p50"].as_f64().unwrap() >= us, "{latency}");
    }
}
