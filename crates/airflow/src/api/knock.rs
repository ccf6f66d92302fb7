//! Knocks at what an Airflow will be asked during a run, and measures how long the slowest answer takes. The
//! first answers of a web server that has just started take many times as long as the next ones.

use std::time::{Duration, Instant};

use super::{Api, ApiError, Generation};

impl Api {
    /// How long the slowest of the answers took. Nothing is changed by the questions.
    ///
    /// # Errors
    /// One of them was not answered, or with an error of the server's own.
    pub(crate) fn slowest_answer(
        &self,
        dag: &str,
        user: &str,
        password: &str,
    ) -> Result<Duration, ApiError> {
        let mut slowest = Duration::ZERO;
        let mut timed = |ask: &dyn Fn() -> Result<(), ApiError>| {
            let began = Instant::now();
            let answer = ask();
            slowest = slowest.max(began.elapsed());
            answer
        };
        timed(&|| self.dag(dag).map(|_| ()))?;
        timed(&|| self.clone().log_in(user, password))?;
        for (method, path) in self.doors() {
            timed(&|| self.knock(method, path))?;
        }
        Ok(slowest)
    }

    /// When the scheduler said last that it is alive.
    ///
    /// # Errors
    /// Airflow is not there.
    pub(crate) fn heartbeat(&self) -> Result<Option<String>, ApiError> {
        let path = match self.generation {
            Generation::V1 => "/health",
            Generation::V2 => "/monitor/health",
        };
        let health = self.get(path)?;
        Ok(health["scheduler"]["latest_scheduler_heartbeat"].as_str().map(str::to_owned))
    }

    /// What tasks and people ask beside the REST API.
    fn doors(&self) -> &'static [(&'static str, &'static str)] {
        match self.generation {
            Generation::V1 => &[("GET", "/login/")],
            Generation::V2 => &[
                ("GET", "/execution/health"),
                // Without a task's token this is refused, by the same code that a task's first words go through.
                ("PATCH", "/execution/task-instances/00000000-0000-7000-8000-000000000000/run"),
            ],
        }
    }

    fn knock(&self, method: &str, path: &str) -> Result<(), ApiError> {
        let mut stranger = self.client.clone();
        stranger.log_out();
        let response = match method {
            "GET" => stranger.get(path)?,
            _ => stranger.send(method, path, &serde_json::json!({}))?,
        };
        if response.status >= 500 {
            let what = path.to_owned();
            return Err(ApiError::Unexpected {
                status: response.status,
                what,
                detail: response.detail(),
            });
        }
        Ok(())
    }
}
