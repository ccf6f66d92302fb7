//! Says on standard error what goes on while an Airflow is installed and started, and for how long already:
//! a line when a phase begins, and one every few seconds while it goes on. On a terminal a clock runs below.

use std::cell::RefCell;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

#[derive(Debug)]
pub(crate) struct Phases {
    began: Instant,
    phase: RefCell<Phase>,
    /// Where a person watches.
    clock: Option<ProgressBar>,
}

impl Phases {
    pub fn on_standard_error() -> Self {
        let clock = std::io::stderr().is_terminal().then(clock);
        Self { began: Instant::now(), phase: RefCell::default(), clock }
    }

    /// A phase begins, named as "waiting until …" or "making …". The same phase again is not said again.
    pub fn begin(&self, what: &str) {
        let line = self.phase.borrow_mut().begin(self.began.elapsed(), what);
        if let Some(line) = line {
            self.say(&line);
        }
        if let Some(clock) = &self.clock {
            clock.set_message(harmless::line(what).into_owned());
        }
    }

    /// The phase goes on. `detail` is asked for only when there is something to say.
    pub fn go_on(&self, detail: &dyn Fn() -> String) {
        let line = self.phase.borrow_mut().go_on(self.began.elapsed(), detail);
        if let Some(line) = line {
            self.say(&line);
        }
    }

    /// Says something that is no phase.
    pub fn note(&self, words: &str) {
        self.say(&line(self.began.elapsed(), words));
    }

    fn say(&self, line: &str) {
        let line = harmless::line(line);
        match &self.clock {
            Some(clock) => clock.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }
}

impl Drop for Phases {
    fn drop(&mut self) {
        if let Some(clock) = &self.clock {
            clock.finish_and_clear();
        }
    }
}

/// What was said, and when. Moments are times since the beginning.
#[derive(Debug, Default)]
struct Phase {
    what: String,
    said: Duration,
}

impl Phase {
    fn begin(&mut self, at: Duration, what: &str) -> Option<String> {
        if what == self.what {
            return self.go_on(at, &String::new);
        }
        *self = Self { what: what.to_owned(), said: at };
        Some(line(at, what))
    }

    fn go_on(&mut self, at: Duration, detail: &dyn Fn() -> String) -> Option<String> {
        if self.what.is_empty() || at < self.said + REMINDER_INTERVAL {
            return None;
        }
        self.said = at;
        let detail = detail();
        let detail = if detail.is_empty() { detail } else { format!(": {detail}") };
        Some(line(at, &format!("still {}{detail}", self.what)))
    }
}

fn line(at: Duration, words: &str) -> String {
    format!("{:>4} s  {words}", at.as_secs())
}

fn clock() -> ProgressBar {
    let clock = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("{elapsed:>6}  {spinner} {wide_msg}");
    clock.set_style(style.expect("the template is valid"));
    clock.enable_steady_tick(CLOCK_INTERVAL);
    clock
}

const REMINDER_INTERVAL: Duration = Duration::from_secs(15);
const CLOCK_INTERVAL: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_is_said_once_and_then_every_few_seconds() {
        let at = Duration::from_secs;
        let mut phase = Phase::default();
        assert_eq!(phase.go_on(at(1), &String::new), None, "nothing has begun");
        assert_eq!(
            phase.begin(at(2), "making a database").as_deref(),
            Some("   2 s  making a database")
        );
        assert_eq!(phase.begin(at(3), "making a database"), None);
        assert_eq!(phase.go_on(at(16), &|| unreachable!("nobody asks for details yet")), None);
        assert_eq!(
            phase.go_on(at(17), &String::new).as_deref(),
            Some("  17 s  still making a database")
        );
        assert_eq!(phase.go_on(at(31), &String::new), None);
        assert_eq!(
            phase.go_on(at(132), &|| "3 of 157".into()).as_deref(),
            Some(" 132 s  still making a database: 3 of 157")
        );
        assert_eq!(phase.begin(at(133), "next").as_deref(), Some(" 133 s  next"));
        assert_eq!(phase.begin(at(148), "next").as_deref(), Some(" 148 s  still next"));
    }
}
