//! Who holds a connection, since when, and whether it rests meanwhile. The unit of work says what its
//! client does; the pool decides what that means for those who wait.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

use crate::clients::Listed;
use crate::locks::{Rank, Ranked};
use crate::unit::Rest;

/// One connection's, as long as that exists.
#[derive(Debug)]
pub(crate) struct Hold(Ranked<Mutex<Holding>>);

#[derive(Debug, Default)]
struct Holding {
    holder: Option<Holder>,
    resting: Option<(Rest, Instant)>,
    mark: Mark,
    /// Wakes the unit of work.
    waker: Option<Waker>,
}

/// Whoever has a connection.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub client: Arc<Listed>,
    pub since: Instant,
}

/// What the pool has made of a rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mark {
    #[default]
    None,
    /// Another connection may be open in its stead.
    Parked,
    /// The unit of work is to give it back, and has not heard so yet.
    Contended,
    /// It is on its way back.
    Leaving,
}

/// A holder, for those who ask.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub holder: Holder,
    /// How its client lets the connection rest, if it does.
    pub rest: Option<Rest>,
}

impl Default for Hold {
    fn default() -> Self {
        Self(Ranked::mutex(Rank::Hold, Holding::default()))
    }
}

/// For the unit of work.
impl Hold {
    pub fn begin(&self, client: Arc<Listed>, since: Instant) {
        self.0.lock().holder = Some(Holder { client, since });
    }

    /// Notes whether the connection rests now. Returns whether the pool has to hear that it does not
    /// any more.
    pub fn rests(&self, resting: Option<(Rest, Instant)>) -> bool {
        let mut holding = self.0.lock();
        holding.resting = resting;
        let goes_on = resting.is_none() && matches!(holding.mark, Mark::Parked | Mark::Contended);
        if goes_on {
            holding.mark = Mark::None;
        }
        goes_on
    }

    /// Ready when the client shall give the connection back. If not, the task is woken when it shall.
    pub fn poll_contended(&self, cx: &Context<'_>) -> Poll<()> {
        let mut holding = self.0.lock();
        if holding.mark == Mark::Contended {
            return Poll::Ready(());
        }
        match &mut holding.waker {
            Some(known) => known.clone_from(cx.waker()),
            None => holding.waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// The work is being ended.
    pub fn leaves(&self) {
        self.0.lock().mark = Mark::Leaving;
    }
}

/// For the pool.
impl Hold {
    /// Nobody holds the connection any more.
    pub fn end(&self) {
        *self.0.lock() = Holding::default();
    }

    /// Parks the connection if it rests at least since `before`. Returns whether it is parked.
    pub fn park(&self, before: Instant) -> bool {
        let mut holding = self.0.lock();
        let rests = holding.resting.is_some_and(|(_, since)| since <= before);
        if rests && holding.mark == Mark::None {
            holding.mark = Mark::Parked;
        }
        rests
    }

    /// Since when it has rested, if its client may be told to give it back.
    pub fn rests_since(&self) -> Option<Instant> {
        let holding = self.0.lock();
        holding.resting.filter(|_| holding.mark == Mark::Parked).map(|(_, since)| since)
    }

    /// The client shall give the connection back. Returns how to wake it.
    pub fn contend(&self) -> Option<Waker> {
        let mut holding = self.0.lock();
        holding.mark = Mark::Contended;
        holding.waker.take()
    }

    pub fn held(&self) -> Option<Held> {
        let holding = self.0.lock();
        let rest = holding.resting.map(|(rest, _)| rest);
        holding.holder.clone().map(|holder| Held { holder, rest })
    }
}

/// How long a connection rests before others may be opened in its stead.
pub(super) const PARKED_AFTER: Duration = Duration::from_secs(1);
