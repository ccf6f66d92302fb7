//! Every limit that can pass during a unit of work, each stated once: when it is reached, and what
//! is done about it. The soonest of them sets the alarm.

use std::time::Duration;

use bolt::Tracker;
use tokio::time::Instant;

use super::{Effect, Effects, Lag, Phase, Recovery, Reset, Side, Unit, is_ending};
use crate::config::Limits;
use crate::reason::Reason;

/// The limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Expiry {
    /// The wait for a connection: `connection_acquisition_timeout`.
    Acquisition,
    /// The client has to hear that the connection is alive: `keep_alive_interval`.
    KeepAlive,
    /// The open transaction or result waits for its client: `idle_in_transaction_timeout`.
    IdleInTransaction,
    /// All of the unit: `transaction_timeout`.
    Transaction,
    /// The server, which owes an answer, gives no sign of life for longer than it promised.
    Silence,
    /// Nobody waits for the answers any more, and the connection is still not usable.
    Recovery,
}

impl Expiry {
    pub const ALL: [Self; 6] = [
        Self::Acquisition,
        Self::KeepAlive,
        Self::IdleInTransaction,
        Self::Transaction,
        Self::Silence,
        Self::Recovery,
    ];
}

/// How long each of them is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct UnitLimits {
    pub acquisition: Duration,
    pub keep_alive: Duration,
    pub idle_in_transaction: Option<Duration>,
    pub transaction: Option<Duration>,
    /// The server's hint `connection.recv_timeout_seconds`.
    pub silence: Option<Duration>,
}

impl UnitLimits {
    pub fn new(limits: &Limits, silence: Option<Duration>) -> Self {
        Self {
            acquisition: limits.connection_acquisition_timeout.0,
            keep_alive: limits.keep_alive_interval.0,
            idle_in_transaction: limits.idle_in_transaction_timeout.limit(),
            transaction: limits.transaction_timeout.limit(),
            silence,
        }
    }
}

/// Since when what has lasted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Times {
    limits: UnitLimits,
    /// The wait for a connection, then the work on it.
    began: Instant,
    /// Neither side has sent anything.
    quiet: Instant,
    /// The client has last been told, or had a chance to be told, that the connection is alive.
    told_alive: Instant,
    /// The server could have said something that we would have heard, and has not.
    silent: Option<Instant>,
    /// Nobody waits for the answers.
    abandoned: Instant,
    lag: Lag,
}

impl Times {
    pub fn new(limits: UnitLimits, now: Instant) -> Self {
        Self {
            limits,
            began: now,
            quiet: now,
            told_alive: now,
            silent: None,
            abandoned: now,
            lag: Lag::None,
        }
    }

    pub fn begin_work(&mut self, now: Instant) {
        (self.began, self.quiet, self.told_alive) = (now, now, now);
    }

    pub fn traffic(&mut self, side: Side, now: Instant) {
        self.quiet = now;
        if side == Side::Upstream {
            self.silent = self.silent.map(|_| now);
        }
    }

    pub fn client_lags(&mut self, lag: Lag) {
        self.lag = lag;
    }

    /// A server that we did not listen to is not silent: we don't while the client lags.
    pub fn listen(&mut self, awaits_server: bool, now: Instant) {
        let listens = awaits_server && self.lag == Lag::None;
        self.silent = listens.then(|| self.silent.unwrap_or(now));
    }

    pub fn recover_from(&mut self, now: Instant) {
        self.abandoned = now;
    }
}

impl Unit {
    /// Puts other limits in force.
    pub fn set_limits(&mut self, limits: UnitLimits) {
        self.times.limits = limits;
    }

    /// When a limit is reached, if it can be as things stand.
    pub fn due(&self, tracker: &Tracker, expiry: Expiry) -> Option<Instant> {
        let Times { limits, began, quiet, told_alive, silent, abandoned, .. } = self.times;
        let works = matches!(self.phase, Phase::Serving | Phase::Sending);
        match expiry {
            Expiry::Acquisition => self.is_waiting().then(|| began + limits.acquisition),
            Expiry::KeepAlive => (!self.is_abandoned()).then(|| told_alive + limits.keep_alive),
            Expiry::IdleInTransaction => {
                let limit = limits.idle_in_transaction.filter(|_| self.awaits_client(tracker));
                limit.map(|limit| quiet + limit)
            }
            Expiry::Transaction => limits.transaction.filter(|_| works).map(|limit| began + limit),
            Expiry::Silence => limits.silence.zip(silent).map(|(limit, silent)| silent + limit),
            // A COMMIT under way is waited for as long as the server gives signs of life.
            Expiry::Recovery => {
                (self.is_abandoned() && !is_ending(tracker)).then(|| abandoned + RECOVERY_TIMEOUT)
            }
        }
    }

    /// When the first of them is reached.
    pub fn next_due(&self, tracker: &Tracker) -> Option<Instant> {
        Expiry::ALL.into_iter().filter_map(|expiry| self.due(tracker, expiry)).min()
    }

    /// A limit that has been reached by `now`.
    pub fn expired(&self, tracker: &Tracker, now: Instant) -> Option<Expiry> {
        Expiry::ALL
            .into_iter()
            .find(|expiry| self.due(tracker, *expiry).is_some_and(|due| due <= now))
    }

    pub(super) fn on_expiry(
        &mut self,
        tracker: &Tracker,
        expiry: Expiry,
        now: Instant,
        effects: &mut Effects,
    ) {
        match expiry {
            Expiry::Acquisition => {
                let reason = Reason::ConnectionAcquisitionTimeout;
                effects.push(Effect::Count(reason));
                self.refused(reason, effects);
            }
            Expiry::KeepAlive => {
                self.times.told_alive = now;
                if self.is_waiting() || (self.awaits_server(tracker) && self.times.lag == Lag::None)
                {
                    effects.push(Effect::Noop);
                }
            }
            Expiry::IdleInTransaction => {
                self.time_out(tracker, Reason::IdleInTransactionTimeout, effects);
            }
            Expiry::Transaction => self.time_out(tracker, Reason::TransactionTimeout, effects),
            Expiry::Silence => effects.push(Effect::Lose(Reason::UpstreamSilent)),
            Expiry::Recovery => effects.push(Effect::Lose(Reason::RecoveryTimeout)),
        }
    }

    /// The work is ended. A client that waits for an answer hears why with that answer, any other
    /// with its next request.
    fn time_out(&mut self, tracker: &Tracker, reason: Reason, effects: &mut Effects) {
        effects.push(Effect::Count(reason));
        let half_sent = self.phase == Phase::Sending;
        let why = if tracker.unanswered().len() > 0 {
            Recovery::Overdue(reason)
        } else {
            effects.push(Effect::Owe(reason));
            Recovery::Owed
        };
        self.phase = Phase::Recovering(why, Reset::Wanted);
        if half_sent {
            effects.push(Effect::Lose(Reason::RequestBrokenOff));
        }
    }
}

/// How long making a connection usable again may take, its running query included, when nobody
/// waits for that any more.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(10);
