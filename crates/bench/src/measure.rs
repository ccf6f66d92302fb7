//! Names for the numbers of a sample, such as `p50` or `cpu.neo4j`.

use std::fmt;
use std::str::FromStr;

use crate::sample::{Latency, Sample};

/// A number that a sample has, by the name that `--check` and the table give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measure {
    Mean,
    P50,
    P90,
    P99,
    P999,
    Max,
    /// Successful operations per second.
    Throughput,
    Records,
    Errors,
    /// Microseconds of processor time for each successful operation, used by the process with this name.
    /// Without a name, it is the process that has the target's name.
    Cpu(Option<String>),
    /// Bytes of resident memory of that process.
    Memory(Option<String>),
    /// One measure divided by another one of the same target.
    Quotient(Box<(Measure, Measure)>),
}

/// What a number is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Microseconds,
    PerSecond,
    Count,
    Bytes,
}

impl Measure {
    /// The ones that are compared between targets.
    pub const COMPARED: [Self; 7] =
        [Self::P50, Self::P90, Self::P99, Self::P999, Self::Mean, Self::Throughput, Self::Records];

    /// This number in a sample of `target`; `None` if the sample does not have it.
    pub fn of(&self, sample: &Sample, target: &str) -> Option<f64> {
        let latency = |of: fn(&Latency) -> f64| sample.latency_us.as_ref().map(of);
        let process = |name: &Option<String>| name.clone().unwrap_or_else(|| target.to_owned());
        match self {
            Self::Mean => latency(|l| l.mean),
            Self::P50 => latency(|l| l.p50),
            Self::P90 => latency(|l| l.p90),
            Self::P99 => latency(|l| l.p99),
            Self::P999 => latency(|l| l.p999),
            Self::Max => latency(|l| l.max),
            Self::Throughput => (sample.operations > 0).then_some(sample.throughput),
            Self::Records => (sample.records_per_s > 0.0).then_some(sample.records_per_s),
            Self::Errors => Some(sample.errors.values().sum::<u64>() as f64),
            Self::Cpu(name) => {
                let seconds = sample.cpu_s.get(&process(name))?;
                (sample.operations > 0).then(|| seconds * US_PER_S / sample.operations as f64)
            }
            Self::Memory(name) => sample.memory_bytes.get(&process(name)).map(|b| *b as f64),
            Self::Quotient(parts) => {
                Some(parts.0.of(sample, target)? / parts.1.of(sample, target)?)
            }
        }
    }

    /// Whether a single round has this number. Processor time is counted in steps of 10 ms, which is too
    /// coarse for a short round.
    pub(crate) fn is_known_per_round(&self) -> bool {
        match self {
            Self::Cpu(_) | Self::Memory(_) | Self::Errors => false,
            Self::Quotient(parts) => parts.0.is_known_per_round() && parts.1.is_known_per_round(),
            _ => true,
        }
    }

    /// `None` for a quotient.
    pub fn unit(&self) -> Option<Unit> {
        match self {
            Self::Mean
            | Self::P50
            | Self::P90
            | Self::P99
            | Self::P999
            | Self::Max
            | Self::Cpu(_) => Some(Unit::Microseconds),
            Self::Throughput | Self::Records => Some(Unit::PerSecond),
            Self::Errors => Some(Unit::Count),
            Self::Memory(_) => Some(Unit::Bytes),
            Self::Quotient(_) => None,
        }
    }

    /// The processes that it names.
    pub(crate) fn processes(&self) -> Vec<&str> {
        match self {
            Self::Cpu(Some(name)) | Self::Memory(Some(name)) => vec![name],
            Self::Quotient(parts) => [parts.0.processes(), parts.1.processes()].concat(),
            _ => Vec::new(),
        }
    }

    /// Whether it is about the process that has the target's name.
    pub(crate) fn needs_own_process(&self) -> bool {
        match self {
            Self::Cpu(None) | Self::Memory(None) => true,
            Self::Quotient(parts) => parts.0.needs_own_process() || parts.1.needs_own_process(),
            _ => false,
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mean => f.write_str("mean"),
            Self::P50 => f.write_str("p50"),
            Self::P90 => f.write_str("p90"),
            Self::P99 => f.write_str("p99"),
            Self::P999 => f.write_str("p99.9"),
            Self::Max => f.write_str("max"),
            Self::Throughput => f.write_str("throughput"),
            Self::Records => f.write_str("records"),
            Self::Errors => f.write_str("errors"),
            Self::Cpu(None) => f.write_str("cpu"),
            Self::Cpu(Some(name)) => write!(f, "cpu.{name}"),
            Self::Memory(None) => f.write_str("memory"),
            Self::Memory(Some(name)) => write!(f, "memory.{name}"),
            Self::Quotient(parts) => write!(f, "{}/{}", parts.0, parts.1),
        }
    }
}

impl FromStr for Measure {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((over, under)) = text.split_once('/') {
            return Ok(Self::Quotient(Box::new((over.parse()?, under.parse()?))));
        }
        let of_process = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        match text {
            "mean" => Ok(Self::Mean),
            "p50" => Ok(Self::P50),
            "p90" => Ok(Self::P90),
            "p99" => Ok(Self::P99),
            "p99.9" => Ok(Self::P999),
            "max" => Ok(Self::Max),
            "throughput" => Ok(Self::Throughput),
            "records" => Ok(Self::Records),
            "errors" => Ok(Self::Errors),
            "cpu" => Ok(Self::Cpu(None)),
            "memory" => Ok(Self::Memory(None)),
            _ => match text.split_once('.') {
                Some(("cpu", name)) => Ok(Self::Cpu(of_process(name))),
                Some(("memory", name)) => Ok(Self::Memory(of_process(name))),
                _ => Err(format!(
                    "there is no metric `{text}`; there are p50, p90, p99, p99.9, max, mean, throughput, records, errors, cpu[.PROCESS] and memory[.PROCESS]"
                )),
            },
        }
    }
}

const US_PER_S: f64 = 1e6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for name in ["p50", "p99.9", "throughput", "cpu", "cpu.neo4j", "memory.pooler", "p99/p50"] {
            assert_eq!(name.parse::<Measure>().unwrap().to_string(), name);
        }
        assert!("p95".parse::<Measure>().unwrap_err().contains("there is no metric `p95`"));
        assert!("p99/".parse::<Measure>().is_err());
    }

    #[test]
    fn processor_time_is_that_of_the_targets_own_process_unless_one_is_named() {
        let mut sample = Sample { operations: 1000, ..Sample::default() };
        sample.cpu_s.insert("pooled".into(), 0.5);
        sample.cpu_s.insert("neo4j".into(), 2.0);
        assert_eq!(Measure::Cpu(None).of(&sample, "pooled"), Some(500.0));
        assert_eq!(Measure::Cpu(Some("neo4j".into())).of(&sample, "pooled"), Some(2000.0));
        assert_eq!(Measure::Cpu(None).of(&sample, "direct"), None);
    }
}
