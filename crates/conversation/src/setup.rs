//! What a test crate supplies: the thing that is tested, how a client reaches it, and verbs of its
//! own.

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::peer::{Peer, Stream};
use crate::problem::Problem;
use crate::script::Head;

/// The clock under which scripts are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// It moves on only when every task waits, so that `nothing` is certain and WAIT costs no time.
    /// This needs a setup in memory, without threads of its own.
    StandsStill,
    /// The usual clock, for setups with sockets and threads. `nothing` can't be asked for.
    Runs,
}

impl Clock {
    /// How long somebody listens before there was nothing.
    pub(crate) fn patience(self) -> Duration {
        match self {
            // The clock only gets there when nobody has anything to do.
            Self::StandsStill => Duration::from_millis(20),
            Self::Runs => Duration::from_secs(60),
        }
    }

    pub(crate) fn runtime(self) -> Runtime {
        let mut builder = Builder::new_current_thread();
        builder.enable_all().start_paused(self == Self::StandsStill);
        builder.build().expect("a runtime needs nothing that could be missing")
    }
}

/// What is tested, set up anew for each script.
pub trait Setup: Sized {
    /// Verbs of its own, each explained in this crate's README.
    const VERBS: &'static [&'static str] = &[];
    const CLOCK: Clock;
    /// The password with which LOGIN logs in unless it names another one.
    const PASSWORD: &'static str;

    /// `head` has the script's version and options.
    fn start(head: &Head) -> impl Future<Output = Result<Self, Problem>>;

    /// A new connection of a client, before its first byte.
    fn connect(&mut self) -> impl Future<Output = Result<Box<dyn Stream>, Problem>>;

    /// The next connection that what is tested opens to its upstream, once it has logged in; `None`
    /// if there will be none. It is not waited for longer than somebody listens.
    fn upstream(&mut self) -> impl Future<Output = Option<Peer>> {
        std::future::ready(None)
    }

    /// Carries out a line with one of [`Setup::VERBS`].
    fn run_line(&mut self, verb: &str, rest: &str) -> impl Future<Output = Result<(), Problem>> {
        std::future::ready(Err(Problem::Setup(format!("{verb} {rest} is not carried out"))))
    }

    /// Checks that nothing is left after all clients have gone.
    fn end(self) -> impl Future<Output = Result<(), Problem>> {
        std::future::ready(Ok(()))
    }
}
