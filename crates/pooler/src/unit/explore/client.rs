//! One client as the exploration sees it: what it has asked, what it was told, and what the server has
//! really done for it.

use std::hash::{Hash, Hasher};

use bolt::{RequestTag, ServerState};

use super::violation::{self, Violation};
use crate::client::View;
use crate::unit::{Kind, Lag, Unit};

/// What a client sends at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Said {
    Request(RequestTag),
    /// The beginning of a RUN that is passed on in pieces.
    RunBegins,
    RunEnds,
    /// A request that passes the limit, PULL for example.
    TooLarge,
}

/// A request with its number among those of its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Asked {
    pub said: Said,
    pub number: u8,
}

impl Asked {
    pub fn request(self) -> Option<RequestTag> {
        match self.said {
            Said::Request(request) => Some(request),
            Said::RunBegins => Some(RequestTag::Run),
            Said::TooLarge => Some(RequestTag::Pull),
            Said::RunEnds => None,
        }
    }
}

/// What a client hears about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Summary {
    Success { more: bool },
    Failure,
    Ignored,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    pub view: View,
    pub unit: Option<Unit>,
    /// The number of the request that began the unit.
    pub first: u8,
    pub connection: Option<usize>,
    /// Requests that have arrived and were not passed on.
    pub inbox: Vec<Asked>,
    /// Requests without a summary.
    pub unanswered: Vec<Asked>,
    pub asked: u8,
    pub is_mid_request: bool,
    /// It has been sent half a RECORD.
    pub is_mid_record: bool,
    /// It does not take what it is sent.
    pub lag: Lag,
    /// It has left, or was closed.
    pub is_gone: bool,
    /// By request number: passed on; carried out by the server for good; may have been; the client
    /// was told that it was not.
    pub forwarded: u16,
    pub done: u16,
    pub possible: u16,
    pub denied: u16,
    /// By the number of the request that takes them: records were kept from the client.
    pub kept_back: u16,
}

/// Times are left out: none of them passes, the exploration lets any limit be reached at any time that
/// can be reached as things stand.
impl Hash for Client {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let unit = self.unit.as_ref().map(|unit| (unit.kind, unit.phase));
        (self.view, unit, self.first, self.connection).hash(state);
        (&self.inbox, &self.unanswered, self.asked).hash(state);
        (self.is_mid_request, self.is_mid_record, self.lag, self.is_gone).hash(state);
        (self.forwarded, self.done, self.possible, self.denied, self.kept_back).hash(state);
    }
}

impl Client {
    /// A client that has logged in and has nothing under way.
    pub fn new() -> Self {
        Self {
            view: View::At(ServerState::Ready),
            unit: None,
            first: 0,
            connection: None,
            inbox: Vec::new(),
            unanswered: Vec::new(),
            asked: 0,
            is_mid_request: false,
            is_mid_record: false,
            lag: Lag::None,
            is_gone: false,
            forwarded: 0,
            done: 0,
            possible: 0,
            denied: 0,
            kept_back: 0,
        }
    }

    /// Whether what the client is told about its work is true, and stays so.
    pub fn check_outcome(&mut self, asked: Asked, summary: Summary) -> Result<(), Violation> {
        let request = asked.request();
        let kind = self.unit.as_ref().filter(|unit| !unit.is_waiting()).map(|unit| unit.kind);
        let decisive = match (kind, request) {
            (Some(Kind::AutoCommit), _) if asked.number >= self.first => Some(self.first),
            (_, Some(RequestTag::Commit)) => Some(asked.number),
            _ => None,
        };
        let Some(number) = decisive else { return Ok(()) };
        let bit = 1 << number;
        match summary {
            Summary::Failure | Summary::Ignored => {
                self.denied |= bit;
                if (self.done | self.possible) & bit != 0 {
                    return Err(Violation(violation::UNKNOWN_TOLD));
                }
            }
            Summary::Success { more: false } if request != Some(RequestTag::Run) => {
                if self.done & bit == 0 {
                    return Err(Violation(violation::NOT_DONE));
                }
            }
            Summary::Success { .. } => {}
        }
        Ok(())
    }

    /// Whether the client knows why it is ignored: it was told of a failure, or has sent RESET.
    pub fn check_cause(&self, summary: Summary) -> Result<(), Violation> {
        let is_reset = |asked: &Asked| asked.request() == Some(RequestTag::Reset);
        let knows = self.view == View::Failed || self.unanswered.iter().any(is_reset);
        match summary {
            Summary::Ignored if !knows => Err(Violation(violation::IGNORED_ALONE)),
            _ => Ok(()),
        }
    }

    /// Whether a client that is told of the end of a result has its records.
    pub fn check_records(&self, asked: Asked, summary: Summary) -> Result<(), Violation> {
        if self.is_mid_record {
            return Err(Violation(violation::MID_RECORD));
        }
        match summary {
            Summary::Success { .. } if self.kept_back & 1 << asked.number != 0 => {
                Err(Violation(violation::RECORDS_MISSING))
            }
            _ => Ok(()),
        }
    }

    /// The server has carried something out for good.
    pub fn commit(&mut self, number: u8) -> Result<(), Violation> {
        self.done |= 1 << number;
        if self.denied & 1 << number != 0 {
            return Err(Violation(violation::DONE_LATER));
        }
        Ok(())
    }
}
