//! Those parts of Airflow's answers that the lab reads.

use serde::Deserialize;
use serde_json::Value;

#[derive(Clone, Debug, Deserialize)]
pub struct Dag {
    pub is_paused: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub struct DagRun {
    pub state: String,
}

impl DagRun {
    pub fn is_over(&self) -> bool {
        matches!(self.state.as_str(), "success" | "failed")
    }
}

#[derive(Clone, Debug, Deserialize)]
pub struct TaskInstance {
    pub task_id: String,
    /// −1 if the task is not mapped.
    pub map_index: i64,
    /// `None` before the scheduler has looked at it.
    pub state: Option<String>,
    pub start_date: Option<jiff::Timestamp>,
    pub end_date: Option<jiff::Timestamp>,
    #[serde(default)]
    pub try_number: u32,
}

impl TaskInstance {
    pub fn is_over(&self) -> bool {
        let state = self.state.as_deref().unwrap_or_default();
        matches!(state, "success" | "failed" | "upstream_failed" | "skipped" | "removed")
    }

    /// The time from start to end, if the task has ended.
    pub fn seconds(&self) -> Option<f64> {
        Some(self.end_date?.duration_since(self.start_date?).as_secs_f64())
    }
}

/// An XCom's value. The task left JSON as text, and v1 wraps that in text once more.
pub(super) fn unwrapped(mut value: Value) -> Option<Value> {
    while let Value::String(text) = &value {
        value = serde_json::from_str(text).ok()?;
    }
    (!value.is_null()).then_some(value)
}

/// One event of a log in v2's form.
pub(super) fn line(event: &Value) -> Option<String> {
    match event {
        Value::String(text) => Some(text.clone()),
        _ => {
            let text = event["event"].as_str()?;
            let level = event["level"].as_str().unwrap_or_default().to_uppercase();
            Some(format!("{level} - {text}{}", exceptions(event)))
        }
    }
}

/// What v2 keeps beside an event: each exception and its causes, in its own words.
fn exceptions(event: &Value) -> String {
    let found = event["error_detail"].as_array().into_iter().flatten();
    let named = found.filter_map(|detail| {
        let (kind, text) = (detail["exc_type"].as_str()?, detail["exc_value"].as_str()?);
        Some(format!(": {kind}: {text}"))
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_events_exception_is_part_of_its_line() {
        let event = json!({
            "level": "error", "event": "Task failed with exception",
            "error_detail": [{ "exc_type": "SettingsError", "exc_value": "NEO4J_URI is not set", "frames": [] }],
        });
        assert_eq!(
            line(&event).unwrap(),
            "ERROR - Task failed with exception: SettingsError: NEO4J_URI is not set"
        );
        assert_eq!(line(&json!({ "level": "info", "event": "one" })).unwrap(), "INFO - one");
        assert_eq!(line(&json!("plain")).unwrap(), "plain");
    }

    #[test]
    fn an_outcome_is_read_from_either_version() {
        let outcome = json!({ "drivers_created": 3 });
        assert_eq!(unwrapped(json!(r#"{"drivers_created": 3}"#)), Some(outcome.clone()));
        assert_eq!(unwrapped(json!(r#""{\"drivers_created\": 3}""#)), Some(outcome.clone()));
        assert_eq!(unwrapped(outcome.clone()), Some(outcome));
        assert_eq!(unwrapped(json!("not JSON")), None);
    }
}
