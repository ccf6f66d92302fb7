//! A connection with a Bolt server at its other end, which may answer well or badly. What it does is
//! what real servers were seen to do, and some that they were not.

use bolt::{RequestTag, ServerState, Tracker};

use super::client::{Asked, Said, Summary};
use super::ending::Carried;
use super::violation::{self, Violation};
use super::world::{Step, World};
use crate::reason::Reason;
use crate::unit::{Answer, At, Event, Success};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Connection {
    /// What the pooler knows of it.
    pub tracker: Tracker,
    pub holder: Option<usize>,
    /// Something was sent since it was acquired.
    pub is_written: bool,
    /// Something was answered since then.
    has_answered: bool,
    /// A RECORD has begun and not ended.
    pub is_mid_record: bool,
    /// What the server is in.
    state: ServerState,
    results: u8,
    /// The auto-commit query whose result is open.
    query: Option<u8>,
    /// It was killed: it carries nothing out any more.
    is_dying: bool,
    received: Vec<Received>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Received {
    Of { asked: Asked, is_whole: bool },
    Reset,
}

/// What the server does about the request that it received first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    Success,
    /// There are more records.
    More,
    Failure,
    /// `DatabaseUnavailable`, which is said of work that was carried out, too.
    Unavailable,
    /// Because of a failure before, or of a RESET after it.
    Ignored,
    /// Half a RECORD, or the other half.
    Record,
    /// The farewell to the victim of `dbms.killConnection`.
    Killed,
    /// IGNORED although nothing has failed, which a killed connection was seen to say.
    KilledIgnored,
    Unreadable,
}

/// What comes of an answer.
struct Answered {
    answer: Answer,
    summary: Summary,
    /// The number of the request that has been carried out for good by it.
    carried_out: Option<u8>,
}

impl Connection {
    pub fn new() -> Self {
        Self {
            tracker: Tracker::ready(),
            holder: None,
            is_written: false,
            has_answered: false,
            is_mid_record: false,
            state: ServerState::Ready,
            results: 0,
            query: None,
            is_dying: false,
            received: Vec::new(),
        }
    }

    pub fn receive(&mut self, asked: Asked) {
        self.is_written = true;
        match (asked.said, self.received.last_mut()) {
            (Said::RunEnds, Some(Received::Of { is_whole, .. })) => *is_whole = true,
            (said, _) => {
                let is_whole = said != Said::RunBegins;
                self.received.push(Received::Of { asked, is_whole });
            }
        }
    }

    /// A client has it now.
    pub fn begin(&mut self) {
        (self.is_written, self.has_answered) = (false, false);
    }

    /// Whether all that was sent may still be in the pooler's own buffer.
    pub fn may_be_unsent(&self) -> bool {
        self.is_written && !self.has_answered && !self.is_mid_record
    }

    /// Whether something is still to be answered.
    pub fn has_received(&self) -> bool {
        !self.received.is_empty()
    }

    pub fn is_dying(&self) -> bool {
        self.is_dying
    }

    pub fn receive_reset(&mut self) {
        self.is_written = true;
        self.received.push(Received::Reset);
    }

    pub fn has_unanswered(&self, which: impl Fn(RequestTag) -> bool) -> bool {
        self.requests().any(|asked| asked.request().is_some_and(&which))
    }

    fn requests(&self) -> impl Iterator<Item = Asked> {
        self.received.iter().filter_map(|received| match received {
            Received::Of { asked, .. } => Some(*asked),
            Received::Reset => None,
        })
    }

    /// Whether the next client may have it, as the server sees it.
    pub fn is_clean(&self) -> bool {
        self.state == ServerState::Ready
            && self.received.is_empty()
            && self.query.is_none()
            && !self.is_mid_record
            && self.tracker.can_release()
    }

    /// By request number: what the server may still carry out, though nobody will hear of it.
    pub fn may_still_commit(&self) -> u16 {
        if self.is_dying || self.state.ignores() {
            return 0;
        }
        let mut possible = self.query.map_or(0, |number| 1 << number);
        for received in &self.received {
            let Received::Of { asked, is_whole: true } = received else { continue };
            let is_query = self.state == ServerState::Ready
                && asked.request() == Some(RequestTag::Run)
                && !self.has_unanswered(|request| request == RequestTag::Begin);
            if is_query || asked.request() == Some(RequestTag::Commit) {
                possible |= 1 << asked.number;
            }
        }
        possible
    }

    /// What the server may do next.
    pub fn outcomes(&self) -> Vec<Outcome> {
        use Outcome::{
            Failure, Ignored, Killed, KilledIgnored, More, Record, Success, Unavailable, Unreadable,
        };
        let Some(first) = self.received.first() else { return Vec::new() };
        if self.is_mid_record {
            return vec![Record];
        }
        if self.is_dying {
            return Vec::new();
        }
        let Received::Of { asked, is_whole } = first else { return vec![Success, Failure] };
        if !is_whole {
            return Vec::new();
        }
        if self.state.ignores() {
            return vec![Ignored];
        }
        let request = asked.request().unwrap_or(RequestTag::Unknown(0));
        let mut outcomes = vec![Success, Failure, Unavailable, Unreadable, Killed, KilledIgnored];
        if request.takes_records() && self.has_result() {
            outcomes.extend([More, Record]);
        }
        if self.received.contains(&Received::Reset) {
            outcomes.push(Ignored);
        }
        if self.is_late(request) {
            outcomes.retain(|outcome| *outcome != Success);
        }
        outcomes
    }

    fn has_result(&self) -> bool {
        matches!(self.state, ServerState::Streaming | ServerState::TxStreaming)
    }

    /// Whether the server closes the connection on such a message.
    fn refuses(&self, request: RequestTag) -> bool {
        !self.state.accepts(request) && !self.is_late(request)
    }

    /// A PULL that comes when the last result of a transaction has ended fails, and the connection
    /// stays (measured on 5.26).
    fn is_late(&self, request: RequestTag) -> bool {
        request.takes_records() && self.state == ServerState::TxReady
    }

    /// Moves on by one successful answer. Returns the number of what it has carried out for good.
    fn succeed(&mut self, asked: Asked, more: bool) -> Option<u8> {
        let request = asked.request()?;
        match request {
            RequestTag::Begin => self.state = ServerState::TxReady,
            RequestTag::Run if self.state == ServerState::Ready => {
                self.state = ServerState::Streaming;
                self.query = Some(asked.number);
            }
            RequestTag::Run => {
                self.state = ServerState::TxStreaming;
                self.results += 1;
            }
            RequestTag::Commit => {
                (self.state, self.results) = (ServerState::Ready, 0);
                return Some(asked.number);
            }
            RequestTag::Rollback => (self.state, self.results) = (ServerState::Ready, 0),
            _ if request.takes_records() && !more && self.state == ServerState::Streaming => {
                self.state = ServerState::Ready;
                return self.query.take();
            }
            _ if request.takes_records() && !more => {
                self.results -= 1;
                if self.results == 0 {
                    self.state = ServerState::TxReady;
                }
            }
            _ => {}
        }
        None
    }

    /// RESET is answered: whatever was open is rolled back.
    fn reset(&mut self, outcome: Outcome) -> Answer {
        (self.state, self.results, self.query) = (ServerState::Ready, 0, None);
        match outcome {
            Outcome::Success => Answer::Success(Success::Done),
            _ => Answer::Failure,
        }
    }

    /// Any other request is answered.
    fn answer(&mut self, asked: Asked, outcome: Outcome) -> Result<Answered, Violation> {
        let request = asked.request().unwrap_or(RequestTag::Unknown(0));
        if self.refuses(request) {
            return Err(Violation(violation::ILLEGAL));
        }
        let success = Summary::Success { more: false };
        let mut carried_out = None;
        let (answer, summary) = match outcome {
            Outcome::Success => {
                carried_out = self.succeed(asked, false);
                (Answer::Success(Success::Done), success)
            }
            Outcome::More => (Answer::Success(Success::HasMore), Summary::Success { more: true }),
            Outcome::Failure => {
                self.fail();
                (Answer::Failure, Summary::Failure)
            }
            Outcome::Unavailable => {
                let completes = request == RequestTag::Commit
                    || (request.takes_records() && self.state == ServerState::Streaming);
                if completes {
                    carried_out = self.succeed(asked, false);
                }
                self.fail();
                (Answer::Unavailable, Summary::Failure)
            }
            Outcome::Ignored => {
                if !self.state.ignores() {
                    self.fail();
                }
                (Answer::Ignored, Summary::Ignored)
            }
            Outcome::KilledIgnored => {
                self.is_dying = true;
                (Answer::Ignored, Summary::Ignored)
            }
            Outcome::Killed => (self.kill(asked, request), success),
            Outcome::Unreadable | Outcome::Record => {
                // It may well have been done.
                if !self.is_late(request) {
                    carried_out = self.succeed(asked, false);
                }
                (Answer::Unreadable, Summary::Failure)
            }
        };
        Ok(Answered { answer, summary, carried_out })
    }

    fn kill(&mut self, asked: Asked, request: RequestTag) -> Answer {
        self.is_dying = true;
        match request {
            // There is no routing table in it.
            RequestTag::Route => return Answer::Unreadable,
            // Where an empty SUCCESS is usual, it can't be told from an answer. Nothing depends on it
            // there: nothing is committed, and the end of the connection is noticed.
            RequestTag::Begin | RequestTag::Rollback => {
                self.succeed(asked, false);
            }
            _ => {}
        }
        Answer::Success(Success::Empty)
    }

    fn fail(&mut self) {
        (self.state, self.results, self.query) = (ServerState::Failed, 0, None);
    }
}

impl World {
    /// The server of connection `k` answers the first request that it has received.
    pub fn serve(
        &mut self,
        step: &mut Step<'_>,
        k: usize,
        outcome: Outcome,
    ) -> Result<(), Violation> {
        let Some(connection) = &mut self.connections[k] else { return Ok(()) };
        let Some(c) = connection.holder else { return Ok(()) };
        step.trace.served(k, outcome);
        connection.has_answered = true;
        if outcome == Outcome::Record {
            let at = if connection.is_mid_record { At::MidRecord } else { At::Boundary };
            connection.is_mid_record = !connection.is_mid_record;
            self.feed(step, c, Event::Records(at), None)?;
            return self.pump(step, c);
        }
        let Received::Of { asked, .. } = connection.received.remove(0) else {
            let answer = connection.reset(outcome);
            self.feed(step, c, Event::Answer(answer), None)?;
            return self.pump(step, c);
        };
        let Answered { answer, summary, carried_out } = connection.answer(asked, outcome)?;
        if let Some(number) = carried_out {
            self.clients[c].commit(number)?;
        }
        self.feed(step, c, Event::Answer(answer), Some((asked, summary)))?;
        self.pump(step, c)
    }

    /// A connection ends.
    pub fn end(
        &mut self,
        step: &mut Step<'_>,
        k: usize,
        carried: Carried,
    ) -> Result<(), Violation> {
        let Some(connection) = &mut self.connections[k] else { return Ok(()) };
        let Some(c) = connection.holder else {
            self.connections[k] = None;
            return Ok(());
        };
        step.trace.ended(k);
        if carried == Carried::Unsent {
            connection.is_written = false;
            connection.received.clear();
        }
        while carried == Carried::Everything
            && !connection.is_dying
            && !connection.state.ignores()
            && !connection.received.is_empty()
            && let Received::Of { asked, is_whole: true } = connection.received.remove(0)
        {
            let request = asked.request().unwrap_or(RequestTag::Unknown(0));
            if connection.refuses(request) || connection.is_late(request) {
                break;
            }
            if let Some(number) = connection.succeed(asked, false) {
                self.clients[c].commit(number)?;
            }
        }
        self.lose(step, c, Reason::UpstreamClosed)?;
        self.pump(step, c)
    }

    /// A message that nothing has asked for.
    pub fn intrude(&mut self, step: &mut Step<'_>, k: usize) -> Result<(), Violation> {
        step.trace.served(k, Outcome::Killed);
        let Some(connection) = &mut self.connections[k] else { return Ok(()) };
        connection.is_dying = true;
        let Some(c) = connection.holder else {
            // The pool watches connections at rest, and drops this one.
            self.connections[k] = None;
            return Ok(());
        };
        self.feed(step, c, Event::Answer(Answer::Success(Success::Empty)), None)?;
        self.pump(step, c)
    }
}
