//! What there is to be said of a connection wherever it is: what it is, who holds it, since when, and
//! what happens on it. The unit of work says what its client does; the pool decides what that means for
//! those who wait.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

use crate::clients::Listed;
use crate::locks::{Rank, Ranked};
use crate::unit::{Doing, Kind};

/// One connection's, as long as that exists.
#[derive(Debug)]
pub(crate) struct Hold {
    /// What the server calls the connection.
    pub id: String,
    pub opened: Instant,
    holding: Ranked<Mutex<Holding>>,
}

#[derive(Debug, Default)]
struct Holding {
    holder: Option<Holder>,
    /// What happens on it, and since when, unless that is what a unit of work begins with.
    doing: Option<(Doing, Instant)>,
    mark: Mark,
    /// Wakes the unit of work.
    waker: Option<Waker>,
}

/// Whoever has a connection.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub client: Arc<Listed>,
    pub kind: Kind,
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
    pub doing: Doing,
    /// Since when it has been doing that.
    pub since: Instant,
}

impl Held {
    /// For people: how the client lets the connection rest, or that it is at work.
    pub fn words(&self) -> &'static str {
        match self.doing {
            Doing::Resting(rest) => rest.words(),
            Doing::Running | Doing::Streaming => "at work",
        }
    }
}

impl Hold {
    pub fn new(id: String) -> Self {
        let holding = Ranked::mutex(Rank::Hold, Holding::default());
        Self { id, opened: Instant::now(), holding }
    }
}

/// For the unit of work.
impl Hold {
    pub fn begin(&self, holder: Holder) {
        self.holding.lock().holder = Some(holder);
    }

    /// Notes what happens on the connection now. Returns whether the pool has to hear that it does not
    /// rest any more.
    pub fn does(&self, doing: Doing, since: Instant) -> bool {
        let mut holding = self.holding.lock();
        holding.doing = Some((doing, since));
        let rests = matches!(doing, Doing::Resting(_));
        let goes_on = !rests && matches!(holding.mark, Mark::Parked | Mark::Contended);
        if goes_on {
            holding.mark = Mark::None;
        }
        goes_on
    }

    /// Ready when the client shall give the connection back. If not, the task is woken when it shall.
    pub fn poll_contended(&self, cx: &Context<'_>) -> Poll<()> {
        let mut holding = self.holding.lock();
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
        self.holding.lock().mark = Mark::Leaving;
    }
}

/// For the pool.
impl Hold {
    /// Nobody holds the connection any more.
    pub fn end(&self) {
        *self.holding.lock() = Holding::default();
    }

    /// Parks the connection if it rests at least since `before`. Returns whether it is parked.
    pub fn park(&self, before: Instant) -> bool {
        let mut holding = self.holding.lock();
        let rests = holding.resting_since().is_some_and(|since| since <= before);
        if rests && holding.mark == Mark::None {
            holding.mark = Mark::Parked;
        }
        rests
    }

    /// Since when it has rested, if its client may be told to give it back.
    pub fn rests_since(&self) -> Option<Instant> {
        let holding = self.holding.lock();
        holding.resting_since().filter(|_| holding.mark == Mark::Parked)
    }

    /// The client shall give the connection back. Returns how to wake it.
    pub fn contend(&self) -> Option<Waker> {
        let mut holding = self.holding.lock();
        holding.mark = Mark::Contended;
        holding.waker.take()
    }

    pub fn held(&self) -> Option<Held> {
        let holding = self.holding.lock();
        let holder = holding.holder.clone()?;
        let (doing, since) = holding.doing.unwrap_or((Doing::Running, holder.since));
        Some(Held { holder, doing, since })
    }
}

impl Holding {
    /// Since when the client has let the connection rest.
    fn resting_since(&self) -> Option<Instant> {
        match self.doing {
            Some((Doing::Resting(_), since)) => Some(since),
            _ => None,
        }
    }
}

/// How long a connection rests before others may be opened in its stead.
pub(super) const PARKED_AFTER: Duration = Duration::from_secs(1);
