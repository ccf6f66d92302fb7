//! Every limit that can pass during a unit of work, each stated once: when it is reached, and what
//! is done about it. The soonest of them sets the alarm.

use std::time::Duration;

use bolt::Tracker;
use tokio::time::Instant;

use super::rest::owes_more_than_reset;
use super::{Effect, Effects, Lag, Phase, Recovery, Reset, Rest, Unit, is_ending};
use crate::config::Limits;
use crate::reason::Reason;

/// The limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Expiry {
    /// The wait for a connection: `connection_acquisition_timeout`.
    Acquisition,
    /// The same wait: the client's own `tx_timeout`, which counts from when it has asked.
    OwnTimeout,
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
    pub const ALL: [Self; 7] = [
        Self::Acquisition,
        Self::OwnTimeout,
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
    /// How the client lets the connection rest, and since when.
    pub resting: Option<(Rest, Instant)>,
    /// How long the client has given the work by itself.
    own: Option<Duration>,
    /// The client has last been told, or had a chance to be told, that the connection is alive.
    told_alive: Instant,
    /// The server could have said something that we would have heard, and has not.
    silent: Option<Instant>,
    /// Nobody waits for the answers.
    abandoned: Instant,
    pub lag: Lag,
}

impl Times {
    pub fn new(limits: UnitLimits, now: Instant) -> Self {
        Self {
            limits,
            began: now,
            resting: None,
            own: None,
            told_alive: now,
            silent: None,
            abandoned: now,
            lag: Lag::None,
        }
    }

    pub fn begin_work(&mut self, now: Instant) {
        (self.began, self.told_alive) = (now, now);
    }

    /// The server has given a sign of life.
    pub fn heard(&mut self, now: Instant) {
        self.silent = self.silent.map(|_| now);
    }

    /// A rest lasts until the client goes on; what else arrives from it meanwhile does not count.
    pub fn rest(&mut self, rest: Option<Rest>, now: Instant) {
        self.resting = match (rest, self.resting) {
            (Some(rest), Some((before, since))) if rest == before => Some((rest, since)),
            (rest, _) => rest.map(|rest| (rest, now)),
        };
    }

    /// The client has sent or taken a fair amount, though not all.
    pub fn progress(&mut self, now: Instant) {
        self.resting = self.resting.map(|(rest, _)| (rest, now));
    }

    pub fn client_lags(&mut self, lag: Lag) {
        self.lag = lag;
    }

    /// A server that we did not listen to is not silent: we don't while the client lags.
    pub fn listen(&mut self, listens: bool, now: Instant) {
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

    /// How long the wait for a connection may be.
    pub fn patience(&self) -> Duration {
        let Times { limits, own, .. } = self.times;
        own.map_or(limits.acquisition, |own| own.min(limits.acquisition))
    }

    /// The client has said how long the work may take, the wait for a connection included.
    pub fn set_own_timeout(&mut self, timeout: Duration) {
        self.times.own = Some(timeout);
    }

    /// When a limit is reached, if it can be as things stand.
    #[inline]
    pub fn due(&self, tracker: &Tracker, expiry: Expiry) -> Option<Instant> {
        let Times { limits, began, own, told_alive, silent, abandoned, .. } = self.times;
        let works = matches!(
            self.phase,
            Phase::Serving | Phase::Sending | Phase::Recovering(Recovery::Asked, _)
        );
        match expiry {
            Expiry::Acquisition => self.is_waiting().then(|| began + limits.acquisition),
            Expiry::OwnTimeout => own.filter(|_| self.is_waiting()).map(|limit| began + limit),
            Expiry::KeepAlive => (!self.is_abandoned()).then(|| told_alive + limits.keep_alive),
            Expiry::IdleInTransaction => {
                let idle = self.times.resting.filter(|_| self.awaits_client(tracker));
                limits.idle_in_transaction.zip(idle).map(|(limit, (_, since))| since + limit)
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
                self.waited_in_vain(Reason::ConnectionAcquisitionTimeout, effects);
            }
            Expiry::OwnTimeout => self.waited_in_vain(Reason::TxTimeout, effects),
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

    fn waited_in_vain(&mut self, reason: Reason, effects: &mut Effects) {
        effects.push(Effect::Count(reason));
        self.refused(reason, effects);
    }

    /// The work is ended. A client that waits for an answer hears why with that answer, any other
    /// with its next request.
    pub(super) fn time_out(&mut self, tracker: &Tracker, reason: Reason, effects: &mut Effects) {
        effects.push(Effect::Count(reason));
        let half_sent = self.phase == Phase::Sending;
        let reset = match self.phase {
            Phase::Recovering(_, reset) => reset,
            _ => Reset::Wanted,
        };
        let why = if owes_more_than_reset(tracker) {
            Recovery::Overdue(reason)
        } else {
            effects.push(Effect::Owe(reason));
            Recovery::Owed
        };
        self.phase = Phase::Recovering(why, reset);
        if half_sent {
            effects.push(Effect::Lose(Reason::RequestBrokenOff));
        }
    }
}

/// How long making a connection usable again may take, its running query included, when nobody
/// waits for that any more.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(10);
