//! Metrics by application. The largest have series of their own, and all others are summed up, so that no
//! number of applications makes an exposition long. What a series has counted never goes down.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::{Name, as_i64};
use crate::applications::{Application, ApplicationName, Counted, Now, Standing};

#[derive(Clone, Debug, Default)]
pub(super) struct ByApplication {
    clients: Family<Labels, Gauge>,
    waiting: Family<Labels, Gauge>,
    connections: Family<Labels, Gauge>,
    idle_in_transaction: Family<Labels, Gauge>,
    longest_transaction: Family<Labels, Gauge<f64, AtomicU64>>,
    transactions: Family<Labels, Counter>,
    errors: Family<Labels, Counter>,
    waited: Family<Labels, Counter<f64, AtomicU64>>,
    received: Family<Labels, Counter>,
    sent: Family<Labels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    application: Name,
    dag: Name,
    task: Name,
}

impl From<&ApplicationName> for Labels {
    fn from(name: &ApplicationName) -> Self {
        let label = |part: &Option<String>| Name(part.clone().unwrap_or_default());
        Self {
            application: Name(name.name.clone()),
            dag: label(&name.dag),
            task: label(&name.task),
        }
    }
}

impl ByApplication {
    pub fn register(&self, registry: &mut Registry) {
        macro_rules! register {
            ($($field:ident: $name:literal, $help:literal;)*) => {
                $(registry.register(concat!("application_", $name), $help, self.$field.clone());)*
            };
        }
        register! {
            clients: "clients", "Clients by application";
            waiting: "waiting", "Clients that wait for a connection";
            connections: "connections", "Upstream connections that clients of the application hold";
            idle_in_transaction: "idle_in_transaction", "Of these, on which a transaction is open and nothing runs";
            transactions: "transactions", "Units of work";
            errors: "errors", "Failures that clients were told, by the server or by the pooler";
        }
        let seconds = || Unit::Seconds;
        registry.register_with_unit(
            "application_longest_transaction",
            "How long the transaction has been open that was opened first",
            seconds(),
            self.longest_transaction.clone(),
        );
        registry.register_with_unit(
            "application_wait",
            "Time for which units of work waited for a connection",
            seconds(),
            self.waited.clone(),
        );
        registry.register_with_unit(
            "application_received",
            "From clients",
            Unit::Bytes,
            self.received.clone(),
        );
        registry.register_with_unit(
            "application_sent",
            "To clients",
            Unit::Bytes,
            self.sent.clone(),
        );
    }

    /// Puts these numbers in the place of those that were there.
    pub fn refresh(&self, shares: &[Share]) {
        self.clear();
        for (name, counted, now) in shares {
            let labels = Labels::from(name);
            let gauge = |family: &Family<Labels, Gauge>, value: usize| {
                family.get_or_create(&labels).set(as_i64(value));
            };
            gauge(&self.clients, counted.clients);
            gauge(&self.waiting, now.waiting);
            gauge(&self.connections, now.connections);
            gauge(&self.idle_in_transaction, now.idle_in_transaction);
            let longest = now.longest_transaction.unwrap_or_default().as_secs_f64();
            self.longest_transaction.get_or_create(&labels).set(longest);
            let count = |family: &Family<Labels, Counter>, value: u64| {
                family.get_or_create(&labels).inc_by(value);
            };
            count(&self.transactions, counted.units);
            count(&self.errors, counted.errors);
            count(&self.received, counted.received);
            count(&self.sent, counted.sent);
            self.waited.get_or_create(&labels).inc_by(counted.waited.as_secs_f64());
        }
    }

    fn clear(&self) {
        for family in [&self.clients, &self.waiting, &self.connections, &self.idle_in_transaction] {
            family.clear();
        }
        for family in [&self.transactions, &self.errors, &self.received, &self.sent] {
            family.clear();
        }
        self.longest_transaction.clear();
        self.waited.clear();
    }
}

/// What one series tells.
pub(crate) type Share = (ApplicationName, Counted, Now);

/// Which applications have series of their own.
#[derive(Debug, Default)]
pub(crate) struct Series {
    /// With what each had counted before it got its series; that stays with the others.
    named: HashMap<ApplicationName, (Arc<Application>, Counted)>,
    /// Counted by series that are no more.
    ended: Counted,
}

impl Series {
    /// The share of each application that has series of its own, and of all others together.
    /// `standings`: all applications, the largest first.
    pub fn shares(&mut self, standings: &[Standing]) -> Vec<Share> {
        self.choose(standings);
        let (mut shares, mut total) = (Vec::new(), Counted::default());
        let (mut others, mut now) = (Counted::default(), Now::default());
        for standing in standings {
            total = total.plus(&standing.counted);
            match self.named.get(&standing.application.name) {
                Some((_, before)) => {
                    let own = standing.counted.minus(before);
                    let own = Counted { clients: standing.counted.clients, ..own };
                    shares.push((standing.application.name.clone(), own, standing.now));
                }
                None => {
                    others.clients += standing.counted.clients;
                    now.add(&standing.now);
                }
            }
        }
        let own = shares.iter().fold(self.ended, |sum, (_, counted, _)| sum.plus(counted));
        let others = Counted { clients: others.clients, ..total.minus(&own) };
        shares.push((ApplicationName::others(), others, now));
        shares
    }

    /// The largest get series, and keep them for as long as they are among twice as many.
    fn choose(&mut self, standings: &[Standing]) {
        let others = ApplicationName::others();
        let candidates = || standings.iter().filter(|one| one.application.name != others);
        let large: HashMap<_, _> = candidates()
            .take(2 * SERIES)
            .map(|one| (&one.application.name, Arc::as_ptr(&one.application)))
            .collect();
        for (_, (application, before)) in self.named.extract_if(|name, (application, _)| {
            // The same name may have come again, and counts from nothing.
            large.get(name) != Some(&Arc::as_ptr(application))
        }) {
            self.ended = self.ended.plus(&application.counted().minus(&before));
        }
        for standing in candidates().take(SERIES) {
            if self.named.len() < 2 * SERIES {
                let fresh = (standing.application.clone(), standing.counted);
                self.named.entry(standing.application.name.clone()).or_insert(fresh);
            }
        }
    }
}

impl Counted {
    fn plus(&self, other: &Self) -> Self {
        Self {
            clients: self.clients + other.clients,
            units: self.units + other.units,
            errors: self.errors + other.errors,
            waited: self.waited + other.waited,
            received: self.received + other.received,
            sent: self.sent + other.sent,
        }
    }

    /// Numbers are read one after the other while they grow: nothing is less than nothing.
    fn minus(&self, other: &Self) -> Self {
        Self {
            clients: self.clients.saturating_sub(other.clients),
            units: self.units.saturating_sub(other.units),
            errors: self.errors.saturating_sub(other.errors),
            waited: self.waited.checked_sub(other.waited).unwrap_or(Duration::ZERO),
            received: self.received.saturating_sub(other.received),
            sent: self.sent.saturating_sub(other.sent),
        }
    }
}

/// So many applications have series of their own, and twice as many keep them.
const SERIES: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::applications::Applications;

    /// As they stand, if nobody holds or waits for anything.
    fn standings(applications: &Applications) -> Vec<Standing> {
        let standing = |application: Arc<Application>| Standing {
            counted: application.counted(),
            now: Now::default(),
            application,
        };
        let mut standings: Vec<_> = applications.all().into_iter().map(standing).collect();
        standings.sort_by_key(|standing| std::cmp::Reverse(standing.size()));
        standings
    }

    fn units(shares: &[Share], name: &str) -> Option<u64> {
        let share = shares.iter().find(|(own, ..)| own.name == name);
        share.map(|(_, counted, _)| counted.units)
    }

    #[test]
    fn the_largest_have_series_and_no_series_ever_counts_down() {
        let (applications, mut named) = (Applications::default(), Series::default());
        let mut before: HashMap<String, u64> = HashMap::new();
        let mut total = 0;
        // Applications come, grow, and are overtaken by others that grow faster.
        for round in 0..300 {
            let application = applications.join(&format!("app{round}/1"));
            for _ in 0..=round {
                application.unit_ended(Duration::ZERO);
                total += 1;
            }
            applications.leave(&application);
            let shares = named.shares(&standings(&applications));
            assert!(shares.len() <= 2 * SERIES + 1, "{}", shares.len());
            for (name, counted, _) in &shares {
                let known = before.insert(name.name.clone(), counted.units).unwrap_or(0);
                assert!(
                    counted.units >= known,
                    "{name} has gone from {known} to {}",
                    counted.units
                );
            }
        }
        // Every unit of work was counted by one series, those that have ended included.
        assert_eq!(before.values().sum::<u64>(), total);
        let shares = named.shares(&standings(&applications));
        assert!(units(&shares, "app299/1").is_some() && units(&shares, "app3/1").is_none());
    }

    #[test]
    fn whoever_comes_again_counts_from_nothing() {
        let (applications, mut named) = (Applications::default(), Series::default());
        let mut last = 0;
        for _ in 0..3 {
            let application = applications.join("app/1");
            (0..5).for_each(|_| application.unit_ended(Duration::ZERO));
            applications.leave(&application);
            let shares = named.shares(&standings(&applications));
            let others = units(&shares, "others").unwrap();
            assert!(others >= last, "{others} after {last}");
            last = others;
            // It is forgotten when enough others have come.
            for number in 0..1_000 {
                let other = applications.join(&format!("other{number}/1"));
                applications.leave(&other);
            }
        }
    }
}
