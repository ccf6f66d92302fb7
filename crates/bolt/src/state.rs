//! The server's states and the requests that it still owes an answer. It decides nothing by
//! itself: who forwards tells it what was sent and what came back, and asks before reusing a
//! connection.

use std::collections::VecDeque;

use thiserror::Error;

use crate::message::RequestTag;

/// The states of the Bolt specification, after the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServerState {
    /// HELLO is awaited.
    Negotiation,
    /// LOGON is awaited (Bolt 5.1 and later).
    Authentication,
    Ready,
    Streaming,
    TxReady,
    TxStreaming,
    Failed,
    Interrupted,
    Defunct,
}

impl ServerState {
    /// Requests but RESET are IGNORED here. BEGIN, LOGON, LOGOFF and HELLO are not even that:
    /// Neo4j answers FAILURE and closes (measured on 5.26 and 2026.09, against the specification).
    pub fn ignores(self) -> bool {
        matches!(self, Self::Failed | Self::Interrupted)
    }

    /// Whether the client has logged in and has not logged off.
    pub fn is_logged_in(self) -> bool {
        !matches!(self, Self::Negotiation | Self::Authentication | Self::Defunct)
    }

    pub fn is_in_transaction(self) -> bool {
        matches!(self, Self::TxReady | Self::TxStreaming)
    }

    /// Whether `request` is legal here; a server answers an illegal one with FAILURE and closes.
    pub fn accepts(self, request: RequestTag) -> bool {
        if request == RequestTag::Goodbye {
            return true;
        }
        match self {
            Self::Negotiation => request == RequestTag::Hello,
            Self::Authentication => request == RequestTag::Logon,
            Self::Ready => matches!(
                request,
                RequestTag::Run
                    | RequestTag::Begin
                    | RequestTag::Route
                    | RequestTag::Reset
                    | RequestTag::Logoff
                    | RequestTag::Telemetry
            ),
            Self::Streaming => {
                matches!(request, RequestTag::Pull | RequestTag::Discard | RequestTag::Reset)
            }
            // In TX_READY a PULL fails, as no result is open, and the connection stays (measured on
            // 5.26, against the specification).
            Self::TxReady | Self::TxStreaming => matches!(
                request,
                RequestTag::Run
                    | RequestTag::Pull
                    | RequestTag::Discard
                    | RequestTag::Commit
                    | RequestTag::Rollback
                    | RequestTag::Reset
            ),
            Self::Failed | Self::Interrupted => !matches!(
                request,
                RequestTag::Begin | RequestTag::Logon | RequestTag::Logoff | RequestTag::Hello
            ),
            Self::Defunct => false,
        }
    }
}

/// What of a summary the next state depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Summary {
    Success { has_more: bool },
    Ignored,
    Failure,
}

/// Follows one connection from the outside: requests go in as they are sent, summaries as they
/// arrive, first come, first answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tracker {
    state: ServerState,
    unanswered: VecDeque<RequestTag>,
    /// Results of the open transaction that still have records.
    open_results: usize,
    has_logon: bool,
}

impl Tracker {
    /// A connection after the handshake. `has_logon`: see [`crate::Version::has_logon`].
    pub fn new(has_logon: bool) -> Self {
        Self {
            state: ServerState::Negotiation,
            unanswered: VecDeque::new(),
            open_results: 0,
            has_logon,
        }
    }

    /// A connection that has logged in and owes nothing.
    pub fn ready() -> Self {
        Self { state: ServerState::Ready, ..Self::new(true) }
    }

    /// The state after the last answer.
    pub fn state(&self) -> ServerState {
        self.state
    }

    /// Requests without a summary, oldest first.
    pub fn unanswered(&self) -> impl ExactSizeIterator<Item = RequestTag> {
        self.unanswered.iter().copied()
    }

    /// A late answer must never reach the next client, so an unanswered request pins the connection.
    pub fn can_release(&self) -> bool {
        self.unanswered.is_empty() && self.state == ServerState::Ready
    }

    /// A RESET that overtakes one of these makes the server close the connection (measured: 37 of
    /// 40 times for BEGIN on 5.26).
    pub fn may_reset(&self) -> bool {
        self.state != ServerState::Defunct
            && !self.unanswered.iter().any(|tag| {
                matches!(*tag, RequestTag::Begin | RequestTag::Logon | RequestTag::Logoff)
            })
    }

    /// This request was sent.
    pub fn sent(&mut self, request: RequestTag) {
        if request == RequestTag::Goodbye {
            self.state = ServerState::Defunct;
        } else {
            self.unanswered.push_back(request);
        }
    }

    /// A summary arrived; returns the request that it answers.
    ///
    /// # Errors
    /// Nothing was owed. Whatever the server means by it (it says SUCCESS to the victim of
    /// `dbms.killConnection`), the connection can't be used any more.
    pub fn answered(&mut self, summary: Summary) -> Result<RequestTag, Unsolicited> {
        let Some(request) = self.unanswered.pop_front() else {
            self.state = ServerState::Defunct;
            return Err(Unsolicited);
        };
        if self.state == ServerState::Defunct {
            return Ok(request);
        }
        self.state = match summary {
            Summary::Success { has_more } => self.after_success(request, has_more),
            Summary::Failure => self.after_failure(request),
            Summary::Ignored if self.state == ServerState::Ready => ServerState::Interrupted,
            Summary::Ignored => self.state,
        };
        if !matches!(self.state, ServerState::TxReady | ServerState::TxStreaming) {
            self.open_results = 0;
        }
        Ok(request)
    }

    /// The connection has ended.
    pub fn closed(&mut self) {
        self.state = ServerState::Defunct;
    }

    fn after_success(&mut self, request: RequestTag, has_more: bool) -> ServerState {
        match request {
            RequestTag::Hello if self.has_logon => ServerState::Authentication,
            RequestTag::Logoff => ServerState::Authentication,
            RequestTag::Hello
            | RequestTag::Logon
            | RequestTag::Commit
            | RequestTag::Rollback
            | RequestTag::Reset => ServerState::Ready,
            RequestTag::Begin => ServerState::TxReady,
            RequestTag::Run if self.state.is_in_transaction() => {
                self.open_results += 1;
                ServerState::TxStreaming
            }
            RequestTag::Run => ServerState::Streaming,
            RequestTag::Pull | RequestTag::Discard if has_more => self.state,
            RequestTag::Pull | RequestTag::Discard if self.state.is_in_transaction() => {
                self.open_results = self.open_results.saturating_sub(1);
                if self.open_results == 0 { ServerState::TxReady } else { ServerState::TxStreaming }
            }
            RequestTag::Pull | RequestTag::Discard => ServerState::Ready,
            _ => self.state,
        }
    }

    fn after_failure(&self, request: RequestTag) -> ServerState {
        let ends = matches!(
            request,
            RequestTag::Hello | RequestTag::Logon | RequestTag::Logoff | RequestTag::Reset
        );
        if ends { ServerState::Defunct } else { ServerState::Failed }
    }
}

#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the server sent a summary that no request had asked for")]
pub struct Unsolicited;

#[cfg(test)]
mod tests {
    use super::*;

    const DONE: Summary = Summary::Success { has_more: false };
    const MORE: Summary = Summary::Success { has_more: true };

    fn after(steps: &[(RequestTag, Summary)]) -> Tracker {
        let mut tracker = Tracker::ready();
        for (request, summary) in steps {
            tracker.sent(*request);
            assert_eq!(tracker.answered(*summary), Ok(*request));
        }
        tracker
    }

    #[test]
    fn an_auto_commit_query_is_over_when_its_stream_has_ended() {
        assert!(!after(&[(RequestTag::Run, DONE)]).can_release());
        assert!(!after(&[(RequestTag::Run, DONE), (RequestTag::Pull, MORE)]).can_release());
        assert!(
            after(&[
                (RequestTag::Run, DONE),
                (RequestTag::Pull, MORE),
                (RequestTag::Discard, DONE)
            ])
            .can_release()
        );
    }

    #[test]
    fn a_pipelined_request_pins_the_connection() {
        let mut tracker = Tracker::ready();
        tracker.sent(RequestTag::Run);
        tracker.sent(RequestTag::Pull);
        tracker.answered(DONE).unwrap();
        assert!(!tracker.can_release());
        tracker.answered(DONE).unwrap();
        assert!(tracker.can_release());
    }

    #[test]
    fn a_transaction_counts_its_open_results() {
        let two_open = [
            (RequestTag::Begin, DONE),
            (RequestTag::Run, DONE),
            (RequestTag::Run, DONE),
            (RequestTag::Pull, DONE),
        ];
        assert_eq!(after(&two_open).state(), ServerState::TxStreaming);
        let none_open = [&two_open[..], &[(RequestTag::Pull, DONE)]].concat();
        assert_eq!(after(&none_open).state(), ServerState::TxReady);
        let committed = [&two_open[..], &[(RequestTag::Commit, DONE)]].concat();
        assert!(after(&committed).can_release());
    }

    #[test]
    fn a_failure_lasts_until_reset() {
        let failed = [(RequestTag::Run, Summary::Failure), (RequestTag::Pull, Summary::Ignored)];
        assert_eq!(after(&failed).state(), ServerState::Failed);
        assert!(after(&[&failed[..], &[(RequestTag::Reset, DONE)]].concat()).can_release());
    }

    #[test]
    fn reset_must_wait_for_begin_and_login() {
        for pending in [RequestTag::Begin, RequestTag::Logon, RequestTag::Logoff] {
            let mut tracker = Tracker::ready();
            tracker.sent(pending);
            assert!(!tracker.may_reset());
        }
        let mut tracker = Tracker::ready();
        tracker.sent(RequestTag::Run);
        tracker.sent(RequestTag::Pull);
        assert!(tracker.may_reset());
    }

    #[test]
    fn an_answer_that_nobody_asked_for_ends_the_connection() {
        let mut tracker = Tracker::ready();
        assert_eq!(tracker.answered(DONE), Err(Unsolicited));
        assert_eq!(tracker.state(), ServerState::Defunct);
        assert!(!tracker.can_release());
    }

    #[test]
    fn goodbye_ends_the_connection_whatever_is_still_answered() {
        let mut tracker = Tracker::ready();
        tracker.sent(RequestTag::Run);
        tracker.sent(RequestTag::Goodbye);
        tracker.answered(DONE).unwrap();
        assert_eq!(tracker.state(), ServerState::Defunct);
        assert!(!tracker.can_release());
    }

    #[test]
    fn login_takes_one_request_or_two() {
        let mut old = Tracker::new(false);
        old.sent(RequestTag::Hello);
        old.answered(DONE).unwrap();
        assert_eq!(old.state(), ServerState::Ready);

        let mut new = Tracker::new(true);
        for request in [RequestTag::Hello, RequestTag::Logon] {
            assert!(!new.can_release());
            new.sent(request);
            new.answered(DONE).unwrap();
        }
        assert!(new.can_release());
        new.sent(RequestTag::Logoff);
        new.answered(DONE).unwrap();
        assert_eq!(new.state(), ServerState::Authentication);
    }
}
