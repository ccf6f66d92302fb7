//! Conditions that a run must meet: `query.p50 pooled/direct <= 1.25`.

use std::fmt;
use std::str::FromStr;

use crate::measure::{Measure, Unit};
use crate::results::{CheckResult, WorkloadResult};
use crate::workload::Workload;

/// `WORKLOAD.METRIC TARGET <= NUMBER[UNIT]` or `WORKLOAD.METRIC TARGET/TARGET <= NUMBER`; also with
/// `>=`, `<` and `>`. Ratios and quotients are the median over the rounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    text: String,
    workload: Workload,
    measure: Measure,
    target: String,
    base: Option<String>,
    comparison: Comparison,
    /// Times in microseconds, memory in bytes.
    bound: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    AtMost,
    AtLeast,
    Below,
    Above,
}

impl Check {
    /// Whether a run of these workloads, targets and processes can meet the condition at all.
    ///
    /// # Errors
    /// The condition names a workload, a target or a process that is not in the run.
    pub fn fits(
        &self,
        workloads: &[Workload],
        targets: &[&str],
        processes: &[&str],
    ) -> Result<(), String> {
        let text = &self.text;
        if !workloads.contains(&self.workload) {
            return Err(format!("--check '{text}': {} is not in --workload", self.workload));
        }
        let is_named = |name: &str| processes.contains(&name);
        for target in [Some(&self.target), self.base.as_ref()].into_iter().flatten() {
            if !targets.contains(&target.as_str()) {
                return Err(format!("--check '{text}': there is no --target {target}=…"));
            }
            if self.measure.needs_own_process() && !is_named(target) {
                return Err(format!("--check '{text}' needs --pid {target}=…"));
            }
        }
        match self.measure.processes().into_iter().find(|name| !is_named(name)) {
            Some(name) => Err(format!("--check '{text}' needs --pid {name}=…")),
            None => Ok(()),
        }
    }

    /// Compares what was measured with the bound. A number that was not measured does not meet it.
    pub(crate) fn evaluate(&self, workloads: &[WorkloadResult]) -> CheckResult {
        let value = self.value(workloads);
        let holds = value.is_some_and(|value| match self.comparison {
            Comparison::AtMost => value <= self.bound,
            Comparison::AtLeast => value >= self.bound,
            Comparison::Below => value < self.bound,
            Comparison::Above => value > self.bound,
        });
        CheckResult { check: self.text.clone(), value, holds }
    }

    fn value(&self, workloads: &[WorkloadResult]) -> Option<f64> {
        let workload = workloads.iter().find(|run| run.workload == self.workload)?;
        let find = |name: &str| workload.targets.iter().find(|target| target.name == name);
        let target = find(&self.target)?;
        match &self.base {
            Some(base) => Some(target.ratio(&self.measure, find(base)?)?.median),
            None => target.value(&self.measure),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Check {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [what, targets, comparison, bound @ ..] = &words[..] else { return Err(form(text)) };
        let (workload, measure) = what.split_once('.').ok_or_else(|| form(text))?;
        let measure: Measure = measure.parse()?;
        let (target, base) = match targets.split_once('/') {
            Some((target, base)) => (target, Some(base)),
            None => (*targets, None),
        };
        let comparison = match *comparison {
            "<=" => Comparison::AtMost,
            ">=" => Comparison::AtLeast,
            "<" => Comparison::Below,
            ">" => Comparison::Above,
            _ => return Err(form(text)),
        };
        let unit = if base.is_some() { None } else { measure.unit() };
        let bound = read_bound(&bound.concat(), unit).ok_or_else(|| match unit {
            Some(Unit::Microseconds) => {
                format!("`{text}` needs a time at its end, such as 60us or 5ms")
            }
            Some(Unit::Bytes) => format!("`{text}` needs a size at its end, such as 20MiB"),
            _ => format!("`{text}` needs a number at its end"),
        })?;
        Ok(Self {
            text: words.join(" "),
            workload: workload.parse()?,
            measure,
            target: target.to_owned(),
            base: base.map(str::to_owned),
            comparison,
            bound,
        })
    }
}

fn form(text: &str) -> String {
    format!("`{text}` is not a check; write for example 'query.p50 pooled/direct <= 1.25'")
}

fn read_bound(text: &str, unit: Option<Unit>) -> Option<f64> {
    let digits = text.find(|c: char| !matches!(c, '0'..='9' | '.')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let factor = match (unit, suffix) {
        (Some(Unit::Microseconds), "us" | "µs") => 1.0,
        (Some(Unit::Microseconds), "ms") => 1e3,
        (Some(Unit::Microseconds), "s") => 1e6,
        (Some(Unit::Bytes), "B") => 1.0,
        (Some(Unit::Bytes), "KiB") => 1024.0,
        (Some(Unit::Bytes), "MiB") => 1024.0 * 1024.0,
        (Some(Unit::PerSecond), "/s") => 1.0,
        (None | Some(Unit::PerSecond | Unit::Count), "") => 1.0,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Check {
        text.parse().unwrap()
    }

    fn refused(text: &str) -> String {
        text.parse::<Check>().unwrap_err()
    }

    #[test]
    fn ratios_absolute_numbers_and_units_are_read() {
        let ratio = parsed("query.p99.9  pooled/direct <= 1.25");
        assert_eq!(ratio.to_string(), "query.p99.9 pooled/direct <= 1.25");
        assert_eq!((ratio.workload, &ratio.measure), (Workload::Query, &Measure::P999));
        assert_eq!((ratio.target.as_str(), ratio.base.as_deref()), ("pooled", Some("direct")));
        assert_eq!((ratio.comparison, ratio.bound), (Comparison::AtMost, 1.25));
        assert_eq!(parsed("query.p50 direct < 60us").bound, 60.0);
        assert_eq!(parsed("tx.max direct <= 1.5 ms").bound, 1500.0);
        assert_eq!(parsed("query.memory.pooler pooled <= 20MiB").bound, 20_971_520.0);
        assert_eq!(parsed("stream.throughput a >= 12").comparison, Comparison::AtLeast);
        assert_eq!(parsed("query.errors pooled <= 0").bound, 0.0);
        assert_eq!(parsed("query.p99/p50 pooled <= 1.1").bound, 1.1);
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(refused("query.p50 <= 1").contains("is not a check"));
        assert!(refused("query.p95 a/b <= 1").contains("no metric `p95`"));
        assert!(refused("reed.p50 a/b <= 1").contains("no workload reed"));
        assert!(refused("query.p50 a/b == 1").contains("is not a check"));
        assert!(refused("query.p50 a <= 60").contains("needs a time"));
        assert!(refused("query.p50 a/b <= 60us").contains("needs a number"));
        assert!(refused("query.memory.x a <= 60").contains("needs a size"));
        assert!(refused("query.p50 a/b <=").contains("needs a number"));
    }

    #[test]
    fn a_check_of_something_that_is_not_run_is_refused_before_the_run() {
        let targets = ["direct", "pooled"];
        let fits = |text: &str| parsed(text).fits(&[Workload::Query], &targets, &["pooled"]);
        fits("query.p50 pooled/direct <= 1.25").unwrap();
        fits("query.cpu pooled <= 50us").unwrap();
        assert!(fits("tx.p50 pooled/direct <= 1").unwrap_err().contains("not in --workload"));
        assert!(fits("query.p50 polled/direct <= 1").unwrap_err().contains("no --target polled"));
        assert!(fits("query.cpu pooled/direct <= 1").unwrap_err().contains("--pid direct="));
        assert!(fits("query.cpu.neo4j pooled <= 1us").unwrap_err().contains("--pid neo4j="));
    }
}
