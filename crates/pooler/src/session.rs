//! One client from handshake to end. Between units of work it holds nothing but its socket; what a
//! message needs while it is handled lives in a box, because most clients are idle most of the time.

mod login;
mod waiting;

use std::io;
use std::sync::Arc;

use bolt::message::{put_failure, put_success, tag};
use bolt::{ChunkError, Dictionary, Failure, Piece, Response, ServerState};
use net::{Inbox, Negotiated, Socket, Wire};
use tokio::time::{Instant, timeout_at};
use tracing::debug;

use crate::auth::Member;
use crate::class::Class;
use crate::clients::{ClientState, Entry};
use crate::failures;
use crate::handshake::{self, Rejection};
use crate::inbox::INBOX_LIMITS;
use crate::metrics::{Fault, Side};
use crate::relay;
use crate::shared::Shared;

/// Why a client's connection is over.
#[derive(Debug)]
pub(crate) enum End {
    ClientLeft,
    /// The client does not take what it asked for.
    ClientStalled,
    /// The client was told why; the reason is a metric's label.
    Refused(Fault, &'static str),
    Protocol(&'static str),
    LoginTimedOut,
    /// The upstream ended when nobody could say any more whether a commit had happened.
    OutcomeUnknown,
    Drained,
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::ClientLeft
    }
}

impl From<ChunkError> for End {
    fn from(_: ChunkError) -> Self {
        Self::Protocol("message_too_large")
    }
}

impl From<Rejection> for End {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::ClientLeft => Self::ClientLeft,
            Rejection::Http => Self::Protocol("http"),
            Rejection::NotBolt => Self::Protocol("not_bolt"),
            Rejection::Version => Self::Refused(Fault::Client, "version"),
            Rejection::Malformed => Self::Protocol("handshake"),
        }
    }
}

impl End {
    fn fault(&self) -> Option<(Fault, &'static str)> {
        match self {
            Self::ClientLeft | Self::Drained => None,
            Self::ClientStalled => Some((Fault::Client, "client_write_timeout")),
            Self::Refused(fault, reason) => Some((*fault, reason)),
            Self::Protocol(reason) => Some((Fault::Client, reason)),
            Self::LoginTimedOut => Some((Fault::Client, "client_login_timeout")),
            Self::OutcomeUnknown => Some((Fault::Upstream, "outcome_unknown")),
        }
    }
}

pub(crate) struct Session {
    pub shared: Arc<Shared>,
    pub client: Wire,
    pub inbox: Inbox,
    pub entry: Entry,
    /// As the client sees it while no unit of work is under way.
    pub state: ServerState,
    /// What the client has to be told as soon as it says something: Bolt has no other way.
    pub pending_failure: Option<Box<Failure>>,
    pub negotiated: Negotiated,
    /// The address that the client dialled, if it said so.
    pub dialled: Option<Box<str>>,
    pub class: Option<Arc<Class>>,
    pub member: Option<Member>,
    pub login_deadline: Instant,
    /// Bytes that the metrics know of already.
    counted: (u64, u64),
}

/// Serves a client until it ends. What only the beginning needs is gone by the time that the client
/// has nothing to do: a task keeps room for all that it may ever await.
pub(crate) fn serve(
    socket: Socket,
    entry: Entry,
    shared: Arc<Shared>,
) -> impl Future<Output = ()> + Send {
    let arriving = Box::pin(arrive(socket, entry, shared));
    async move {
        if let Some(mut session) = arriving.await {
            let end = session.run().await;
            session.count_bytes();
            note(&end, session.entry.id(), &session.shared);
        }
    }
}

/// From the first byte to an agreed version.
async fn arrive(socket: Socket, entry: Entry, shared: Arc<Shared>) -> Option<Box<Session>> {
    let login_deadline = Instant::now() + shared.limits().client_login_timeout.0;
    let mut client = Wire::new(socket);
    let accepting = handshake::accept(&mut client, shared.server());
    let accepted = match timeout_at(login_deadline, accepting).await {
        Ok(accepted) => accepted.map_err(End::from),
        Err(_) => Err(End::LoginTimedOut),
    };
    let negotiated = match accepted {
        Ok(negotiated) => negotiated,
        Err(end) => {
            note(&end, entry.id(), &shared);
            return None;
        }
    };
    Some(Box::new(Session {
        shared,
        client,
        inbox: Inbox::unauthenticated(&INBOX_LIMITS),
        entry,
        state: ServerState::Negotiation,
        pending_failure: None,
        negotiated,
        dialled: None,
        class: None,
        member: None,
        login_deadline,
        counted: (0, 0),
    }))
}

fn note(end: &End, client: u64, shared: &Shared) {
    if let Some((fault, reason)) = end.fault() {
        shared.metrics().error(fault, reason);
    }
    debug!(client, ?end, "client connection ended");
}

impl Session {
    async fn run(&mut self) -> End {
        loop {
            let step = match self.take_in() {
                Err(end) => Err(end),
                Ok(()) => match self.inbox.pop() {
                    Some(piece) => Box::pin(self.handle(piece)).await,
                    None => self.wait().await,
                },
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// Moves requests into the inbox. A stranger's are taken one by one: the next may come from
    /// somebody who has logged in, under other limits.
    pub fn take_in(&mut self) -> Result<(), End> {
        if self.state.is_logged_in() {
            self.inbox.take_in(&mut self.client.input)?;
        } else if self.inbox.is_empty() {
            self.inbox.take_one(&mut self.client.input)?;
        }
        Ok(())
    }

    async fn handle(&mut self, piece: Piece) -> Result<(), End> {
        let tag = match &piece {
            Piece::Message { tag, .. } => *tag,
            Piece::Begun { .. } => tag::RUN,
            // The rest of a request that was refused when it began.
            Piece::More { .. } => return Ok(()),
        };
        match tag {
            tag::GOODBYE => return Err(End::ClientLeft),
            tag::RESET if self.state.is_logged_in() => return self.reset(),
            tag if !KNOWN_TAGS.contains(&tag) => return Err(End::Protocol("unknown_message")),
            _ => {}
        }
        if self.inbox.resets > 0 && self.state.is_logged_in() {
            self.ignored();
            return Ok(());
        }
        if !self.state.accepts(tag) {
            let failure = failures::illegal(tag, self.state);
            return Box::pin(self.refuse(&failure, Fault::Client, "illegal_message")).await;
        }
        if let Some(failure) = self.pending_failure.take() {
            match tag {
                // What it asks for has happened.
                tag::ROLLBACK => return self.reset(),
                _ => self.fail(&failure),
            }
            return Ok(());
        }
        if self.state.ignores() {
            self.ignored();
            return Ok(());
        }
        match tag {
            tag::HELLO => Box::pin(self.hello(&piece)).await,
            tag::LOGON => Box::pin(self.logon(&piece)).await,
            tag::LOGOFF => self.logoff(),
            tag::TELEMETRY => {
                self.success(&Dictionary::new());
                Ok(())
            }
            _ => relay::serve_unit(self, piece, tag).await,
        }
    }

    fn reset(&mut self) -> Result<(), End> {
        self.pending_failure = None;
        self.state = ServerState::Ready;
        self.success(&Dictionary::new());
        Ok(())
    }

    pub fn success(&mut self, metadata: &Dictionary) {
        put_success(&mut self.client.output, metadata);
    }

    pub fn ignored(&mut self) {
        Response::Ignored.put(&mut self.client.output, self.negotiated.version);
    }

    /// Answers the current request with a failure that lasts until RESET.
    pub fn fail(&mut self, failure: &Failure) {
        put_failure(&mut self.client.output, failure, self.negotiated.version);
        self.state = ServerState::Failed;
    }

    /// Says why, and closes.
    pub async fn refuse(
        &mut self,
        failure: &Failure,
        fault: Fault,
        reason: &'static str,
    ) -> Result<(), End> {
        put_failure(&mut self.client.output, failure, self.negotiated.version);
        self.client.finish().await;
        Err(End::Refused(fault, reason))
    }

    pub fn count_bytes(&mut self) {
        let now = self.client.counts();
        let before = std::mem::replace(&mut self.counted, now);
        self.shared.metrics().bytes(Side::Client, now.0 - before.0, now.1 - before.1);
    }

    pub fn set_client_state(&self, state: ClientState) {
        self.entry.set_state(state);
    }
}

const KNOWN_TAGS: [u8; 12] = [
    tag::HELLO,
    tag::RESET,
    tag::RUN,
    tag::BEGIN,
    tag::COMMIT,
    tag::ROLLBACK,
    tag::DISCARD,
    tag::PULL,
    tag::TELEMETRY,
    tag::ROUTE,
    tag::LOGON,
    tag::LOGOFF,
];
