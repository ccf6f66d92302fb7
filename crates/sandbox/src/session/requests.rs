//! One request: it is decoded, checked against the state of the connection, and carried out.

use bolt::chunk::payload;
use bolt::failure::code;
use bolt::{Dictionary, Failure, MessageError, Piece, Request, ServerState};
use bytes::BytesMut;

use super::{End, Session};

impl Session {
    pub(super) async fn take(&mut self, piece: Piece) -> Result<(), End> {
        // Requests come whole: these limits cut none into pieces.
        let Piece::Message { wire, .. } = piece else { return Err(End::Protocol) };
        match self.decode(wire).await {
            Ok(request) => self.handle(request).await,
            Err(MessageError::UnknownTag(_)) => Err(End::Protocol),
            Err(error) => {
                let failure = Failure::new(code::REQUEST_INVALID_FORMAT, error.to_string());
                self.failure(&failure);
                if !self.state.is_logged_in() {
                    return self.close(End::Protocol).await;
                }
                self.fail();
                Ok(())
            }
        }
    }

    /// Decoding a large message takes a while, which others need not wait for.
    async fn decode(&mut self, wire: BytesMut) -> Result<Request, MessageError> {
        let version = self.dialect.version;
        if !self.state.is_logged_in() {
            return Request::decode_unauthenticated(&payload(&wire), version);
        }
        if wire.len() <= SMALL_MESSAGE_BYTES {
            return Request::decode(&payload(&wire), version);
        }
        let decoding =
            self.shared.threads().spawn_blocking(move || Request::decode(&payload(&wire), version));
        decoding.await.unwrap_or(Err(MessageError::Field("the message could not be decoded")))
    }

    async fn handle(&mut self, request: Request) -> Result<(), End> {
        let is_reset = request == Request::Reset;
        if self.inbox.resets > 0 && !is_reset && self.state.is_logged_in() {
            self.state = ServerState::Interrupted;
        }
        if !self.state.accepts(request.tag()) {
            let message = format!(
                "Message '{:#04X}' cannot be handled by a session in the {:?} state.",
                u8::from(request.tag()),
                self.state
            );
            self.failure(&Failure::new(code::REQUEST_INVALID, message));
            return self.close(End::Protocol).await;
        }
        if self.state.ignores() && !is_reset && request != Request::Goodbye {
            self.ignored();
            return Ok(());
        }
        match request {
            Request::Hello(hello) => self.hello(hello).await,
            Request::Logon(auth) => self.logon(auth, Dictionary::new()).await,
            Request::Logoff => self.logoff(),
            Request::Goodbye => Err(End::ClientLeft),
            Request::Reset => self.reset().await,
            Request::Telemetry { .. } => self.succeed(),
            Request::Route(route) => self.route(route),
            Request::Begin(extra) => self.begin(extra).await,
            Request::Run { query, parameters, extra } => {
                self.run_query(query, parameters, extra).await
            }
            Request::Pull(stream) => self.pull(stream, None).await,
            Request::Discard(stream) => self.discard(stream).await,
            Request::Commit => self.commit().await,
            Request::Rollback => {
                self.end_work().await;
                self.state = ServerState::Ready;
                self.succeed()
            }
        }
    }

    /// If several RESETs have come, only the last one is answered with SUCCESS, as Neo4j does it.
    async fn reset(&mut self) -> Result<(), End> {
        self.end_work().await;
        if self.inbox.resets > 0 {
            self.state = ServerState::Interrupted;
            self.ignored();
            return Ok(());
        }
        self.state = ServerState::Ready;
        self.succeed()
    }
}

/// A longer message is decoded on a thread of the engine.
const SMALL_MESSAGE_BYTES: usize = 16 * 1024;
