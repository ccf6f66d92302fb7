//! What happened, in numbers. Names are PgBouncer's where it has the thing; times are histograms,
//! never averages.

mod applications;
#[cfg(test)]
mod exposition;

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::clients::ClientNumbers;
use crate::pool::NotShared;
use crate::pool_numbers::PoolNumbers;
use crate::reason::Reason;
use crate::unit::{Kind, Side};

use applications::ByApplication;
pub(crate) use applications::{Series, Share};

/// Cheap to clone; all clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Metrics(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    clients_accepted: Counter,
    clients_refused: Counter,
    upstream_opened: Counter,
    upstream_closed: Counter,
    logins: Family<LoginLabels, Counter>,
    units: Family<UnitLabels, Counter>,
    errors: Family<ErrorLabels, Counter>,
    bytes: Family<ByteLabels, Counter>,
    every_unit: EveryUnit,
    acquisition: Times,
    transaction: Times,
    clients: Family<StateLabels, Gauge>,
    pools: Family<PoolLabels, Gauge>,
    maxwait: Family<PoolNameLabels, Gauge<f64, AtomicU64>>,
    not_shared: Family<ReasonLabels, Gauge>,
    by_application: ByApplication,
}

/// Counters of [`Inner::units`] and [`Inner::bytes`] that every unit of work raises: found once instead of
/// each time.
#[derive(Debug, Default)]
struct EveryUnit {
    auto_commit: Counter,
    transaction: Counter,
    route: Counter,
    client: Traffic,
    upstream: Traffic,
}

#[derive(Debug, Default)]
struct Traffic {
    received: Counter,
    sent: Counter,
}

impl EveryUnit {
    fn new(units: &Family<UnitLabels, Counter>, bytes: &Family<ByteLabels, Counter>) -> Self {
        let unit = |kind| units.get_or_create(&UnitLabels { kind }).clone();
        let traffic = |side| {
            let bytes = |direction| bytes.get_or_create(&ByteLabels { side, direction }).clone();
            Traffic { received: bytes("received"), sent: bytes("sent") }
        };
        Self {
            auto_commit: unit("auto_commit"),
            transaction: unit("transaction"),
            route: unit("route"),
            client: traffic("client"),
            upstream: traffic("upstream"),
        }
    }
}

#[derive(Debug)]
struct Times(Histogram);

impl Default for Times {
    /// From 50 µs, a query on loopback, doubling to 27 minutes.
    fn default() -> Self {
        Self(Histogram::new(exponential_buckets(50e-6, 2.0, 25)))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LoginOutcome {
    /// Recognised by its digest; the upstream was not asked.
    Cached,
    Verified,
    Refused,
    RateLimited,
    Unavailable,
}

impl LoginOutcome {
    const ALL: [Self; 5] =
        [Self::Cached, Self::Verified, Self::Refused, Self::RateLimited, Self::Unavailable];

    fn label(self) -> &'static str {
        match self {
            Self::Cached => "cached",
            Self::Verified => "verified",
            Self::Refused => "refused",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
        }
    }
}

impl From<Reason> for ErrorLabels {
    fn from(reason: Reason) -> Self {
        Self { fault: reason.fault().label(), reason: reason.label() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LoginLabels {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UnitLabels {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorLabels {
    fault: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByteLabels {
    side: &'static str,
    direction: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PoolLabels {
    user: Name,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    user: Name,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PoolNameLabels {
    user: Name,
}

/// A name from outside. The encoder would write it as it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Name(String);

impl EncodeLabelValue for Name {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(&harmless::label(&self.0))
    }
}

/// What is looked up when somebody asks for the metrics.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub clients: ClientNumbers,
    /// Each with the name of its user; several may have the same.
    pub pools: Vec<(String, PoolNumbers, BTreeMap<NotShared, usize>)>,
    pub applications: Vec<Share>,
}

/// Counts an upstream connection as closed when it is dropped.
#[derive(Debug)]
pub(crate) struct OpenUpstream(Metrics);

impl Drop for OpenUpstream {
    fn drop(&mut self) {
        self.0.0.upstream_closed.inc();
    }
}

impl Inner {
    /// A series that begins with what it counts first hides that from whoever asks for an increase.
    fn count_from_zero(&self) {
        for reason in Reason::ALL {
            drop(self.errors.get_or_create(&ErrorLabels::from(*reason)));
        }
        for outcome in LoginOutcome::ALL {
            drop(self.logins.get_or_create(&LoginLabels { outcome: outcome.label() }));
        }
    }
}

impl Metrics {
    /// With the registry from which they can be read.
    pub fn new() -> (Self, Registry) {
        let mut inner = Inner::default();
        inner.every_unit = EveryUnit::new(&inner.units, &inner.bytes);
        inner.count_from_zero();
        let inner = Arc::new(inner);
        let mut registry = Registry::with_prefix("boltbouncer");
        macro_rules! register {
            ($($field:ident: $name:literal, $help:literal;)*) => {
                $(registry.register($name, $help, inner.$field.clone());)*
            };
        }
        register! {
            clients_accepted: "client_connections", "Client connections accepted";
            clients_refused: "client_connections_refused", "Client connections closed on arrival: max_client_connections";
            upstream_opened: "upstream_connections_opened", "Upstream connections opened, credential checks included";
            upstream_closed: "upstream_connections_closed", "Upstream connections closed";
            logins: "logins", "Logins of clients by what became of them";
            units: "transactions", "Units of work: auto-commit queries, explicit transactions, routing requests";
            errors: "errors", "Errors by whose fault they were";
            bytes: "bytes", "Bytes by side and direction";
            clients: "clients", "Clients by state, in PgBouncer's words";
            pools: "pool_connections", "Of each pool: clients (cl_*) and upstream connections (sv_*) by state";
            maxwait: "pool_maxwait_seconds", "How long the first client in the queue of a pool has waited";
            not_shared: "pool_connections_not_shared", "Connections that nobody else can have now, by reason";
        }
        let seconds = || Unit::Seconds;
        let (acquisition, transaction) = (inner.acquisition.0.clone(), inner.transaction.0.clone());
        registry.register_with_unit(
            "acquisition",
            "Wait for an upstream connection",
            seconds(),
            acquisition,
        );
        registry.register_with_unit(
            "transaction",
            "How long a unit of work held its upstream connection",
            seconds(),
            transaction,
        );
        inner.by_application.register(&mut registry);
        (Self(inner), registry)
    }

    pub fn client_accepted(&self) {
        self.0.clients_accepted.inc();
    }

    pub fn client_refused(&self) {
        self.0.clients_refused.inc();
    }

    pub fn upstream_opened(&self) -> OpenUpstream {
        self.0.upstream_opened.inc();
        OpenUpstream(self.clone())
    }

    /// Upstream connections ever opened and closed.
    pub fn upstream_counts(&self) -> (u64, u64) {
        (self.0.upstream_opened.get(), self.0.upstream_closed.get())
    }

    pub fn login(&self, outcome: LoginOutcome) {
        self.0.logins.get_or_create(&LoginLabels { outcome: outcome.label() }).inc();
    }

    pub fn error(&self, reason: Reason) {
        self.0.errors.get_or_create(&ErrorLabels::from(reason)).inc();
    }

    pub fn acquired(&self, waited: Duration) {
        self.0.acquisition.0.observe(waited.as_secs_f64());
    }

    pub fn unit_ended(&self, kind: Kind, held: Duration) {
        let counters = &self.0.every_unit;
        let counter = match kind {
            Kind::AutoCommit => &counters.auto_commit,
            Kind::Transaction => &counters.transaction,
            Kind::Route => &counters.route,
        };
        counter.inc();
        self.0.transaction.0.observe(held.as_secs_f64());
    }

    /// What went through during a unit of work.
    pub fn bytes(&self, side: Side, received: u64, sent: u64) {
        let traffic = match side {
            Side::Client => &self.0.every_unit.client,
            Side::Upstream => &self.0.every_unit.upstream,
        };
        traffic.received.inc_by(received);
        traffic.sent.inc_by(sent);
    }

    /// Numbers that are looked up when somebody asks.
    pub fn refresh(&self, seen: &Seen) {
        let Seen { clients, pools, applications } = seen;
        self.0.by_application.refresh(applications);
        for (state, count) in clients.by_state() {
            self.0.clients.get_or_create(&StateLabels { state }).set(as_i64(count));
        }
        self.0.pools.clear();
        self.0.maxwait.clear();
        self.0.not_shared.clear();
        for (user, numbers, not_shared) in pools {
            let user = Name(user.clone());
            for (state, count) in numbers.by_state() {
                // Several identities may share a name.
                let labels = PoolLabels { user: user.clone(), state };
                self.0.pools.get_or_create(&labels).inc_by(as_i64(count));
            }
            for (why, count) in not_shared {
                let labels = ReasonLabels { user: user.clone(), reason: why.label() };
                self.0.not_shared.get_or_create(&labels).inc_by(as_i64(*count));
            }
            let maxwait = self.0.maxwait.get_or_create(&PoolNameLabels { user });
            maxwait.set(maxwait.get().max(numbers.maxwait.as_secs_f64()));
        }
    }
}

fn as_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
