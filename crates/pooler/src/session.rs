//! One client from handshake to end: who it is, and whose pool it uses. Between units of work a
//! client holds nothing but its socket. What a message needs while it is handled lives in a box,
//! because most clients are idle most of the time.

pub(crate) mod identity;
mod login;

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bolt::{Dictionary, Failure, RequestTag, ServerState};
use net::{Socket, Wire};
use tokio::time::Instant;
use tracing::debug;

use crate::alarm::Alarm;
use crate::client::{Client, Drain, Handling, View, Woken};
use crate::clients::{ClientId, Entry};
use crate::end::End;
use crate::failures;
use crate::handshake;
use crate::reason::Reason;
use crate::relay;
use crate::shared::Shared;
use identity::Identity;

struct Session {
    shared: Arc<Shared>,
    client: Client,
    identity: Identity,
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
            session.client.count_bytes(session.shared.metrics());
            note(end, session.client.entry.id(), &session.shared);
        }
    }
}

/// From the first byte to an agreed version.
async fn arrive(socket: Socket, entry: Entry, shared: Arc<Shared>) -> Option<Box<Session>> {
    let until = Instant::now() + shared.limits().client_login_timeout.0;
    let mut wire = Wire::new(socket);
    let accepted = {
        let accepting = pin!(handshake::accept(&mut wire, shared.server(), &entry));
        entry.before(until, accepting).await.flatten()
    };
    match accepted {
        Ok(negotiated) => {
            let client = Client::new(wire, entry, negotiated, until);
            Some(Box::new(Session { shared, client, identity: Identity::default() }))
        }
        Err(end) => {
            note(end, entry.id(), &shared);
            None
        }
    }
}

fn note(end: End, client: ClientId, shared: &Shared) {
    if let End::Because(reason) = end {
        shared.metrics().error(reason);
    }
    debug!(%client, ?end, "client connection ended");
}

impl Session {
    async fn run(&mut self) -> End {
        loop {
            let step = match self.client.next_request() {
                Err(end) => Err(end),
                Ok(Some(request)) => {
                    self.client.request_is_whole();
                    Box::pin(self.handle(request)).await
                }
                Ok(None) => {
                    self.client.note_idle();
                    self.wait().await
                }
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// Does what is to be done about the request that is next.
    async fn handle(&mut self, request: RequestTag) -> Result<(), End> {
        let handling = self.client.view().handling(request, self.client.resets());
        if self.client.is_next_too_large() && handling.carries_out() {
            return self.refuse_too_large(request);
        }
        if let Handling::Unit(kind) = handling {
            let Self { shared, client, identity } = self;
            return relay::serve_unit(shared, client, identity, kind).await;
        }
        let Some(piece) = self.client.pop() else { return Ok(()) };
        match handling {
            Handling::Goodbye => return Err(End::ClientLeft),
            Handling::Unknown => return Err(End::Because(Reason::UnknownMessage)),
            Handling::Reset if self.asks_for_life() && self.shared.server().down().is_some() => {
                return Err(End::Because(Reason::ServerDown));
            }
            Handling::Reset => self.client.reset(),
            Handling::Ignore => self.client.ignored(),
            Handling::Fail(reason) => {
                let failure = failures::of(reason, &self.shared.limits());
                self.client.fail(&failure);
            }
            Handling::Illegal => {
                let failure = failures::illegal(request, self.client.view().state());
                return self.refuse(&failure, Reason::IllegalMessage).await;
            }
            Handling::Local | Handling::Unit(_) => return self.answer_here(request, &piece).await,
        }
        Ok(())
    }

    /// Whether a RESET of this client has nothing to end: it asks whether anybody is there, and means
    /// the server.
    fn asks_for_life(&self) -> bool {
        *self.client.view() == View::At(ServerState::Ready)
    }

    /// Says how large a request may be. Drivers would send it again if this closed the connection.
    fn refuse_too_large(&mut self, request: RequestTag) -> Result<(), End> {
        self.client.pop();
        self.shared.metrics().error(Reason::MessageTooLarge);
        self.client.fail(&failures::too_large(request));
        Ok(())
    }

    /// Says why, and closes.
    async fn refuse(&mut self, failure: &Failure, reason: Reason) -> Result<(), End> {
        self.client.fail(failure);
        self.client.finish().await;
        Err(End::Because(reason))
    }

    /// A client with nothing to do: what was collected is written, buffers are given back, and the
    /// client's next bytes, or its end, are waited for.
    async fn wait(&mut self) -> Result<(), End> {
        self.client.flush_at_once().await;
        self.client.release_buffers();
        let mut alarm = Alarm::default();
        loop {
            let nothing_else = |_: &mut Context<'_>, room| (Poll::<()>::Pending, room);
            let (client, shared) = (&mut self.client, &self.shared);
            let woken = client.wait(shared, Drain::Heeded, &mut alarm, None, nothing_else).await;
            // Whatever woke it: somebody who never stops talking does not escape a limit.
            if client.due(shared).is_some()
                && let Some(reason) = client.expired(shared, Instant::now())
            {
                return Err(End::Because(reason));
            }
            match woken {
                Woken::Input => return Ok(()),
                Woken::Left => return Err(End::ClientLeft),
                Woken::Draining => return Box::pin(self.drain()).await,
                Woken::Alarm | Woken::Other(()) => {}
            }
        }
    }

    /// The pooler is going: a client between two units of work is closed, one that has just begun to
    /// say something is told. Nobody is waited for who may never finish it.
    async fn drain(&mut self) -> Result<(), End> {
        let is_told = !self.client.view().state().ignores();
        if self.client.has_half_request() && is_told {
            self.client.fail(&failures::draining());
            self.client.finish_at_once().await;
            return Err(End::Because(Reason::Draining));
        }
        if self.client.has_output() {
            self.client.finish().await;
        }
        Err(End::Drained)
    }

    /// The pooler's own part of the protocol.
    async fn answer_here(&mut self, request: RequestTag, piece: &bolt::Piece) -> Result<(), End> {
        match request {
            RequestTag::Hello => Box::pin(self.hello(piece)).await,
            RequestTag::Logon => Box::pin(self.logon(piece)).await,
            RequestTag::Logoff => {
                self.logoff();
                Ok(())
            }
            _ => {
                // TELEMETRY: nothing is collected.
                self.client.success(&Dictionary::new());
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_task<A, B, C, F: Future>(_: fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    fn size_of_step<'a, A, F: Future + 'a>(_: impl Fn(&'a mut Session, A) -> F) -> usize {
        size_of::<F>()
    }

    /// What is freed when a client has come in lies between what stays. The allocator keeps pieces up to
    /// this size whole for the next client; longer ones it cuts up, and each client costs 300 bytes more.
    #[test]
    fn what_a_client_needs_to_come_in_is_small_enough_to_be_used_again() {
        const KEPT_WHOLE: usize = 1032;
        assert!(size_of_task(arrive) <= KEPT_WHOLE, "{}", size_of_task(arrive));
        let handle = size_of_step(Session::handle);
        assert!(handle <= KEPT_WHOLE, "{handle}");
    }
}
