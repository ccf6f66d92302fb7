//! Airflow's REST API, as far as the lab needs it: v1 of Airflow 2, v2 of Airflow 3. All calls block.

mod answers;
mod client;
mod error;
mod knock;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::version::Version;
pub use answers::{Dag, DagRun, TaskInstance};
use answers::{line, unwrapped};
use client::{Client, Credential, Response};
pub use error::ApiError;

#[derive(Clone, Debug)]
pub struct Api {
    client: Client,
    generation: Generation,
    user: String,
    /// The version, as Airflow itself names it.
    version: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Generation {
    V1,
    V2,
}

impl Api {
    /// The API of an Airflow whose version is known. It need not run yet.
    pub(crate) fn of(url: &str, version: Version) -> Self {
        let generation = match version {
            Version::V2_8_1 => Generation::V1,
            Version::V3_3_2 => Generation::V2,
        };
        Self {
            client: Client::new(url),
            generation,
            user: String::new(),
            version: version.name().into(),
        }
    }

    /// Finds out which Airflow answers at `url` and logs in.
    ///
    /// # Errors
    /// Nobody answers, what answers is no Airflow or too old, or it refuses the login.
    pub fn connect(url: &str, user: &str, password: &str) -> Result<Self, ApiError> {
        let client = Client::new(url);
        let mut found = None;
        for (generation, path) in
            [(Generation::V2, "/api/v2/version"), (Generation::V1, "/api/v1/version")]
        {
            let response = client.get(path)?;
            if let Some(version) =
                response.json().as_ref().and_then(|body| body["version"].as_str())
            {
                found = Some((generation, version.to_owned()));
                break;
            }
        }
        let Some((generation, version)) = found else {
            return Err(ApiError::NotAirflow(client.url().to_owned()));
        };
        if !is_supported(&version) {
            return Err(ApiError::Unsupported(version));
        }
        let mut api = Self { client, generation, user: String::new(), version };
        api.log_in(user, password)?;
        Ok(api)
    }

    pub fn version(&self) -> &str {
        &self.version
    }

    pub fn is_logged_in(&self) -> bool {
        !self.user.is_empty()
    }

    /// # Errors
    /// Airflow is not there or refuses the user.
    pub fn log_in(&mut self, user: &str, password: &str) -> Result<(), ApiError> {
        let refused = |status| matches!(status, 400 | 401 | 403 | 422);
        match self.generation {
            Generation::V1 => {
                self.client
                    .log_in(Credential::Basic { user: user.into(), password: password.into() });
                let response = self.client.get("/api/v1/dags?limit=1")?;
                if refused(response.status) {
                    return Err(ApiError::RefusedV1 { user: user.into() });
                }
                self.checked(response, "the login")?;
            }
            Generation::V2 => {
                let body = json!({ "username": user, "password": password });
                let response = self.client.send("POST", "/auth/token", &body)?;
                if refused(response.status) {
                    return Err(ApiError::RefusedV2 { user: user.into() });
                }
                let body = self.checked(response, "the login")?;
                let token = body["access_token"].as_str().unwrap_or_default().to_owned();
                self.client.log_in(Credential::Token(token));
            }
        }
        self.user = user.into();
        Ok(())
    }

    /// A part of Airflow that does not run although the lab needs it, if there is one.
    ///
    /// # Errors
    /// Airflow is not there.
    pub fn unhealthy(&self) -> Result<Option<&'static str>, ApiError> {
        let (path, parts): (_, &[(&str, &str)]) = match self.generation {
            Generation::V1 => ("/health", &[("scheduler", "scheduler")]),
            Generation::V2 => (
                "/monitor/health",
                &[("scheduler", "scheduler"), ("dag_processor", "DAG processor")],
            ),
        };
        let health = self.get(path)?;
        let ill = parts.iter().find(|(key, _)| health[key]["status"] != "healthy");
        Ok(ill.map(|(_, name)| *name))
    }

    /// # Errors
    /// [`ApiError::NotFound`] if Airflow does not know the DAG (yet).
    pub fn dag(&self, dag: &str) -> Result<Dag, ApiError> {
        self.read(&format!("/dags/{dag}"))
    }

    /// # Errors
    /// The user is not allowed to.
    pub fn unpause(&self, dag: &str) -> Result<(), ApiError> {
        let body = json!({ "is_paused": false });
        self.write("PATCH", &format!("/dags/{dag}?update_mask=is_paused"), &body).map(|_| ())
    }

    /// Triggers a run. If it is there already, nothing changes, so this can be repeated when an answer was
    /// lost.
    ///
    /// # Errors
    /// The user is not allowed to.
    pub fn trigger(&self, dag: &str, run: &str, conf: &Value) -> Result<(), ApiError> {
        let body = match self.generation {
            Generation::V1 => json!({ "dag_run_id": run, "conf": conf }),
            Generation::V2 => json!({ "dag_run_id": run, "conf": conf, "logical_date": null }),
        };
        match self.write("POST", &format!("/dags/{dag}/dagRuns"), &body) {
            Ok(_) | Err(ApiError::Unexpected { status: 409, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// # Errors
    /// Airflow is not there any more.
    pub fn run(&self, dag: &str, run: &str) -> Result<DagRun, ApiError> {
        self.read(&format!("/dags/{dag}/dagRuns/{}", escaped(run)))
    }

    /// Marks a run as failed, which ends its tasks.
    ///
    /// # Errors
    /// Airflow is not there any more.
    pub fn fail(&self, dag: &str, run: &str) -> Result<(), ApiError> {
        let path = format!("/dags/{dag}/dagRuns/{}", escaped(run));
        self.write("PATCH", &path, &json!({ "state": "failed" })).map(|_| ())
    }

    /// All task instances of a run.
    ///
    /// # Errors
    /// Airflow is not there any more.
    pub fn task_instances(&self, dag: &str, run: &str) -> Result<Vec<TaskInstance>, ApiError> {
        #[derive(Deserialize)]
        struct Page {
            task_instances: Vec<TaskInstance>,
            total_entries: usize,
        }
        // v1 has no order, so a page may repeat what another page had.
        let mut found = BTreeMap::new();
        for _ in 0..READ_AGAIN_MAX {
            let mut offset = 0;
            loop {
                let path = format!("/dags/{dag}/dagRuns/{}/taskInstances", escaped(run));
                let page: Page = self.read(&format!("{path}?limit={PAGE}&offset={offset}"))?;
                offset += page.task_instances.len();
                let is_last = page.task_instances.is_empty() || offset >= page.total_entries;
                let keyed = page.task_instances.into_iter();
                found.extend(keyed.map(|task| ((task.task_id.clone(), task.map_index), task)));
                if found.len() >= page.total_entries {
                    return Ok(found.into_values().collect());
                }
                if is_last {
                    break;
                }
            }
        }
        Ok(found.into_values().collect())
    }

    /// What a task has left under `key`, which was JSON as text. `None` if it left nothing.
    ///
    /// # Errors
    /// Airflow is not there any more.
    pub fn xcom(
        &self,
        dag: &str,
        run: &str,
        task: &TaskInstance,
        key: &str,
    ) -> Result<Option<Value>, ApiError> {
        let path = format!(
            "/dags/{dag}/dagRuns/{}/taskInstances/{}/xcomEntries/{key}?map_index={}",
            escaped(run),
            task.task_id,
            task.map_index
        );
        match self.get(&path) {
            Ok(body) => Ok(unwrapped(body["value"].clone())),
            Err(ApiError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A task's log, as lines of text.
    ///
    /// # Errors
    /// Airflow is not there any more, or has no log.
    pub fn log(&self, dag: &str, run: &str, task: &TaskInstance) -> Result<String, ApiError> {
        let path = format!(
            "/dags/{dag}/dagRuns/{}/taskInstances/{}/logs/{}?map_index={}&full_content=true",
            escaped(run),
            task.task_id,
            task.try_number.max(1),
            task.map_index
        );
        let body = self.get(&path)?;
        Ok(match &body["content"] {
            Value::Array(events) => events.iter().filter_map(line).collect::<Vec<_>>().join("\n"),
            Value::String(text) => text.replace("\\n", "\n"),
            _ => String::new(),
        })
    }

    fn read<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        let body = self.get(path)?;
        serde_json::from_value(body).map_err(|error| ApiError::Unexpected {
            status: 200,
            what: path.to_owned(),
            detail: error.to_string(),
        })
    }

    fn get(&self, path: &str) -> Result<Value, ApiError> {
        self.checked(self.client.get(&format!("{}{path}", self.base()))?, path)
    }

    fn write(&self, method: &str, path: &str, body: &Value) -> Result<Value, ApiError> {
        self.checked(self.client.send(method, &format!("{}{path}", self.base()), body)?, path)
    }

    fn base(&self) -> &'static str {
        match self.generation {
            Generation::V1 => "/api/v1",
            Generation::V2 => "/api/v2",
        }
    }

    fn checked(&self, response: Response, what: &str) -> Result<Value, ApiError> {
        let what = what.split('?').next().unwrap_or(what).to_owned();
        match response.status {
            200..=299 => {
                response.json().ok_or_else(|| ApiError::NotAirflow(self.client.url().to_owned()))
            }
            401 | 403 => Err(ApiError::Forbidden { user: self.user.clone(), what }),
            404 => Err(ApiError::NotFound(what)),
            status => Err(ApiError::Unexpected { status, what, detail: response.detail() }),
        }
    }
}

/// Before 2.7 or so, the API does not give what a mapped task has left (2.6.3 does not, 2.8.1 was tried).
fn is_supported(version: &str) -> bool {
    let mut numbers = version.split('.').map_while(|part| part.parse::<u32>().ok());
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    major > 2 || (major, minor) >= (2, 8)
}

/// Run ids that Airflow has chosen hold `:` and `+`, which a URL can't hold as they are.
fn escaped(id: &str) -> String {
    id.bytes().fold(String::new(), |mut text, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                text.push(byte as char)
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
        text
    })
}

/// How many entries Airflow gives at once, unless it is configured to give more.
const PAGE: usize = 100;
const READ_AGAIN_MAX: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_map_tasks_are_supported() {
        let supported = ["2.8.0", "2.8.1", "2.10.5", "3.0.0", "3.3.2", "4.0.0"];
        assert!(supported.iter().all(|version| is_supported(version)));
        assert!(["1.10.15", "2.6.3", "2.0.0", "", "next"].iter().all(|v| !is_supported(v)));
    }

    #[test]
    fn run_ids_travel_in_paths() {
        assert_eq!(
            escaped("manual__2026-01-02T03:04:05+00:00"),
            "manual__2026-01-02T03%3A04%3A05%2B00%3A00"
        );
    }
}
