//! What an application is called, as its clients' user agents say.

use std::fmt;

use harmless::{NAME_CHARS, short};
use serde::Serialize;

/// Clients with the same name are summed up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub(crate) struct ApplicationName {
    /// `airflow`, or the user agent's first product with its version.
    pub name: String,
    /// Of Airflow's tasks.
    pub dag: Option<String>,
    /// Of Airflow's tasks, without a map index.
    pub task: Option<String>,
}

impl ApplicationName {
    /// Reads `airflow/3.3.2 (dag=load; run=…; task=extract[4]; try=1) neo4j-python/5.28.1`, which BoltBouncer's
    /// connection classes for Airflow send, and what others send.
    pub fn of(user_agent: &str) -> Self {
        airflow(user_agent).unwrap_or_else(|| Self {
            name: short(product(user_agent), NAME_CHARS).into_owned(),
            ..Self::default()
        })
    }

    /// Nobody in particular: applications that are not told apart any more.
    pub fn others() -> Self {
        Self { name: OTHERS.into(), ..Self::default() }
    }

    /// Without the task, for people: the DAG's tasks hold connections together.
    pub fn group(&self) -> String {
        match &self.dag {
            Some(dag) => format!("{} dag={dag}", self.name),
            None => self.name.clone(),
        }
    }
}

/// For example `airflow dag=load task=extract`.
impl fmt::Display for ApplicationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (key, value) in [("dag", &self.dag), ("task", &self.task)] {
            if let Some(value) = value {
                write!(f, " {key}={value}")?;
            }
        }
        Ok(())
    }
}

fn airflow(user_agent: &str) -> Option<ApplicationName> {
    let rest = user_agent.strip_prefix("airflow/")?;
    let (_, comment) = rest.split_once(" (")?;
    let (comment, _) = comment.split_once(')')?;
    let find = |key: &str| {
        comment.split("; ").find_map(|entry| entry.strip_prefix(key)?.strip_prefix('='))
    };
    let named = |value: &str| short(value, NAME_CHARS).into_owned();
    let (dag, task) = (find("dag")?, find("task")?);
    Some(ApplicationName {
        name: "airflow".into(),
        dag: Some(named(dag)),
        task: Some(named(without_map_index(task))),
    })
}

fn without_map_index(task: &str) -> &str {
    let index = task.strip_suffix(']').and_then(|task| task.rsplit_once('['));
    match index {
        Some((task, number)) if number.bytes().all(|digit| digit.is_ascii_digit()) => task,
        _ => task,
    }
}

/// `load.py/1.2` of `load.py/1.2 neo4j-python/5.28`; all before a comment where no product has a version.
fn product(user_agent: &str) -> &str {
    let user_agent = user_agent.trim();
    let first = user_agent.split_whitespace().next().unwrap_or(UNKNOWN);
    if first.contains('/') {
        return first;
    }
    match user_agent.split('(').next().unwrap_or_default().trim() {
        "" => first,
        name => name,
    }
}

/// Whoever has not said HELLO.
const UNKNOWN: &str = "unknown";
const OTHERS: &str = "others";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn airflows_tasks_are_known_by_dag_and_task_and_all_others_by_their_product() {
        let long = "x".repeat(10_000);
        for (user_agent, name) in [
            (
                "airflow/3.3.2 (dag=load; run=manual__2026; task=extract[14]; try=2) neo4j-python/6.0",
                "airflow dag=load task=extract",
            ),
            ("airflow/2.8.1 (dag=a b; run=x; task=t[x]; try=1)", "airflow dag=a b task=t[x]"),
            ("airflow/2.8.1 (dag=a", "airflow/2.8.1"),
            ("airflow/2.8.1 (run=a; task=b)", "airflow/2.8.1"),
            ("neo4j-python/5.28.1 Python/3.11.2-final-0 (linux)", "neo4j-python/5.28.1"),
            ("My Tool (beta) x", "My Tool"),
            ("(only a comment)", "(only"),
            ("", "unknown"),
            ("  ", "unknown"),
        ] {
            assert_eq!(ApplicationName::of(user_agent).to_string(), name, "{user_agent}");
        }
        assert!(ApplicationName::of(&long).name.chars().count() <= NAME_CHARS + 1);
    }

    #[test]
    fn a_dag_is_one_holder_whatever_its_tasks_are() {
        let of = |task: &str| ApplicationName::of(&format!("airflow/3 (dag=d; task={task}; x=)"));
        assert_ne!(of("a"), of("b"));
        assert_eq!(
            (of("a").group(), of("b").group()),
            ("airflow dag=d".into(), "airflow dag=d".into())
        );
    }
}
