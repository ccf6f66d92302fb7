//! Watches an Airflow come up until a DAG run can begin: everything runs, the DAG files have been read, and what
//! tasks will ask has answered quickly several times in a row. A task whose first request meets a web server
//! that still loads its modules would wait for longer than its time-out.

use std::time::{Duration, Instant};

use super::{DAGS, Login};
use crate::api::Api;

/// What is still to come, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Awaited {
    /// After "waiting until".
    pub what: String,
    /// The service that has it to do; its log tells more.
    pub service: &'static str,
}

#[derive(Debug, Default)]
pub(super) struct WarmUp {
    /// The first heartbeat that was seen.
    heartbeat: Option<String>,
    /// Rounds of questions in a row that were answered quickly.
    quick: u32,
    /// When the first round was asked.
    asked: Option<Instant>,
}

impl WarmUp {
    /// Looks at what runs, and returns what is still to come. `None`: a DAG run can begin.
    pub fn look(
        &mut self,
        api: &mut Api,
        login: &Login,
        dag_reader: &'static str,
    ) -> Option<Awaited> {
        let awaited = |what: &str, service| Some(Awaited { what: what.into(), service });
        if !api.is_logged_in() && api.log_in(&login.user, &login.password).is_err() {
            return awaited("the web server answers", WEB_SERVER);
        }
        match api.unhealthy() {
            Err(_) => return awaited("the web server answers", WEB_SERVER),
            Ok(Some("scheduler")) => return awaited("the scheduler runs", SCHEDULER),
            Ok(Some(part)) => return awaited(&format!("the {part} runs"), dag_reader),
            Ok(None) => {}
        }
        let heartbeat = api.heartbeat().ok().flatten();
        self.heartbeat = self.heartbeat.take().or_else(|| heartbeat.clone());
        if let Some(dag) = DAGS.iter().find(|dag| api.dag(dag).is_err()) {
            return awaited(&format!("the DAG {dag} has been read"), dag_reader);
        }
        if heartbeat.is_none() || heartbeat == self.heartbeat {
            return awaited("the scheduler's heart has beaten twice", SCHEDULER);
        }
        let answer = api.slowest_answer(DAGS[0], &login.user, &login.password);
        let is_quick = answer.is_ok_and(|time| time < QUICK);
        (!self.is_warm(is_quick, Instant::now())).then(|| Awaited {
            what: format!("{QUICK_ROUNDS} rounds of questions have been answered quickly"),
            service: WEB_SERVER,
        })
    }

    /// Whether some answers were slow to the end. Airflow works then all the same, with the patience that its
    /// parts have with each other.
    pub fn is_slow(&self) -> bool {
        self.quick < QUICK_ROUNDS
    }

    fn is_warm(&mut self, is_quick: bool, now: Instant) -> bool {
        self.quick = if is_quick { self.quick + 1 } else { 0 };
        let asked = *self.asked.get_or_insert(now);
        self.quick >= QUICK_ROUNDS || now - asked > QUICK_TIME_MAX
    }
}

pub(super) const WEB_SERVER: &str = "web server";
pub(super) const SCHEDULER: &str = "scheduler";
pub(super) const DAG_PROCESSOR: &str = "dag-processor";

/// An idle machine answers within a tenth of this.
const QUICK: Duration = Duration::from_secs(1);
const QUICK_ROUNDS: u32 = 3;
/// A machine that is busy for longer is simply slow.
const QUICK_TIME_MAX: Duration = Duration::from_secs(90);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_quick_answers_in_a_row_count() {
        let mut warm_up = WarmUp::default();
        let now = Instant::now();
        for (is_quick, is_warm) in [
            (true, false),
            (true, false),
            (false, false),
            (true, false),
            (true, false),
            (true, true),
        ] {
            assert_eq!(warm_up.is_warm(is_quick, now), is_warm);
        }
        assert!(!warm_up.is_slow());
    }

    #[test]
    fn a_machine_that_stays_slow_is_not_waited_for_without_end() {
        let mut warm_up = WarmUp::default();
        let now = Instant::now();
        assert!(!warm_up.is_warm(false, now));
        assert!(!warm_up.is_warm(false, now + QUICK_TIME_MAX));
        assert!(warm_up.is_warm(false, now + QUICK_TIME_MAX + Duration::from_millis(1)));
        assert!(warm_up.is_slow());
    }
}
