//! A path through the exploration as a conversation, in the words of the scripts: `A>` is said by a
//! client, `A<` is heard by it, `1<` reaches the server on a connection, `1>` is its answer.

use bolt::RequestTag;

use super::client::{Said, Summary};
use super::server::Outcome;
use crate::reason::Reason;
use crate::unit::expiry::Expiry;

/// The lines so far, if anybody wants them.
#[derive(Debug, Default)]
pub struct Trace(Option<Vec<String>>);

impl Trace {
    pub fn recording() -> Self {
        Self(Some(Vec::new()))
    }

    pub fn lines(self) -> Vec<String> {
        self.0.unwrap_or_default()
    }

    pub fn said(&mut self, client: usize, said: Said) {
        self.add(|| format!("{}> {}", name(client), word(said)));
    }

    pub fn left(&mut self, client: usize) {
        self.add(|| format!("{}> EOF", name(client)));
    }

    pub fn told(&mut self, client: usize, summary: Summary) {
        self.add(|| {
            let summary = match summary {
                Summary::Success { more: true } => "SUCCESS has_more=true",
                Summary::Success { more: false } => "SUCCESS",
                Summary::Failure => "FAILURE",
                Summary::Ignored => "IGNORED",
            };
            format!("{}< {summary}", name(client))
        });
    }

    pub fn closed(&mut self, client: usize) {
        self.add(|| format!("{}< EOF", name(client)));
    }

    pub fn forwarded(&mut self, connection: usize, said: Said) {
        self.add(|| format!("{}< {}", connection + 1, word(said)));
    }

    pub fn reset(&mut self, connection: usize) {
        self.add(|| format!("{}< RESET", connection + 1));
    }

    pub fn released(&mut self, connection: usize) {
        self.add(|| format!("# {} is released", connection + 1));
    }

    pub fn lost(&mut self, connection: usize, reason: Reason) {
        self.add(|| format!("# {} is lost: {}", connection + 1, reason.label()));
    }

    pub fn served(&mut self, connection: usize, outcome: Outcome) {
        self.add(|| {
            let answer = match outcome {
                Outcome::Success => "SUCCESS fields=[x]",
                Outcome::More => "SUCCESS has_more=true",
                Outcome::Failure => "FAILURE",
                Outcome::Unavailable => "FAILURE TransientError.General.DatabaseUnavailable",
                Outcome::Ignored | Outcome::KilledIgnored => "IGNORED",
                Outcome::Record => "half a RECORD",
                Outcome::Killed => "SUCCESS",
                Outcome::Unreadable => "something unreadable",
            };
            format!("{}> {answer}", connection + 1)
        });
    }

    pub fn ended(&mut self, connection: usize) {
        self.add(|| format!("{}> EOF", connection + 1));
    }

    pub fn expired(&mut self, client: usize, expiry: Expiry) {
        self.add(|| format!("WAIT # until a limit of {} is reached: {expiry:?}", name(client)));
    }

    pub fn note(&mut self, what: &str) {
        self.add(|| what.to_owned());
    }

    fn add(&mut self, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.0 {
            lines.push(line());
        }
    }
}

fn name(client: usize) -> char {
    char::from(b'A' + u8::try_from(client).unwrap_or(25))
}

fn word(said: Said) -> String {
    match said {
        Said::Request(request) => request.to_string(),
        Said::RunBegins => format!("half of {}", RequestTag::Run),
        Said::TooLarge => format!("{} that is too large", RequestTag::Pull),
        Said::RunEnds => format!("the rest of {}", RequestTag::Run),
    }
}
