//! One message of a line: what somebody says, or what somebody must hear.

use std::fmt;

use bolt::{Request, Response};

use crate::mistake::{Mistake, read, split_verb};
use crate::request::{REQUESTS, describe_request, request};
use crate::response::{RESPONSES, describe_response, response};
use crate::who::Who;

/// What a client or an upstream connection says.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    Request(Request),
    Response(Response),
    /// Two zero bytes, which say nothing but that somebody is there.
    Noop,
    /// Bytes as they are.
    Raw(Vec<u8>),
    /// The first half of a RUN with a parameter of so many bytes.
    RunHalf(usize),
    /// Records until nobody takes them any more.
    Flood,
    /// The connection is closed.
    Eof,
}

/// What somebody must hear next.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// Exactly this request.
    Request(Request),
    /// An answer that [`fits`](crate::fits) this text.
    Response(String),
    /// Records, one or more, and whatever is in them.
    Records,
    Noop,
    /// No message, and the connection is still open.
    Nothing,
    /// The end of the connection.
    Eof,
}

impl Said {
    pub(crate) fn parse(who: Who, text: &str) -> Result<Self, Mistake> {
        let (verb, rest) = split_verb(text);
        check_alone(verb, rest)?;
        match (verb, who) {
            ("NOOP", _) => Ok(Self::Noop),
            ("EOF", _) => Ok(Self::Eof),
            ("RAW", _) => rest.split(' ').map(hex).collect::<Result<_, _>>().map(Self::Raw),
            ("RUN-HALF", Who::Client(_)) => read(rest, "a number of bytes").map(Self::RunHalf),
            ("FLOOD", Who::Upstream(_)) => Ok(Self::Flood),
            (_, Who::Client(_)) if REQUESTS.contains(&verb) => request(text).map(Self::Request),
            (_, Who::Client(_)) => {
                Err(Mistake::unknown("request", verb, &[REQUESTS, SAID_BY_CLIENTS, SAID_BY_ALL]))
            }
            (_, Who::Upstream(_)) if is_answer(verb) => response(text).map(Self::Response),
            (_, Who::Upstream(_)) => {
                Err(Mistake::unknown("answer", verb, &[RESPONSES, SAID_BY_UPSTREAMS, SAID_BY_ALL]))
            }
        }
    }
}

fn check_alone(verb: &str, rest: &str) -> Result<(), Mistake> {
    let stands_alone = matches!(verb, "NOOP" | "nothing" | "EOF" | "FLOOD" | "IGNORED" | "RECORDS");
    if rest.is_empty() || !stands_alone {
        return Ok(());
    }
    Err(Mistake::Superfluous { verb: verb.to_owned(), rest: rest.to_owned() })
}

fn is_answer(verb: &str) -> bool {
    verb == "TABLE" || RESPONSES.contains(&verb)
}

fn hex(byte: &str) -> Result<u8, Mistake> {
    u8::from_str_radix(byte, 16).map_err(|_| Mistake::not(byte, "a byte in hexadecimal"))
}

impl Heard {
    pub(crate) fn parse(who: Who, text: &str) -> Result<Self, Mistake> {
        let (verb, rest) = split_verb(text);
        check_alone(verb, rest)?;
        match (verb, who) {
            ("NOOP", _) => Ok(Self::Noop),
            ("nothing", _) => Ok(Self::Nothing),
            ("EOF", _) => Ok(Self::Eof),
            ("RECORDS", Who::Client(_)) => Ok(Self::Records),
            (_, Who::Client(_)) if RESPONSES.contains(&verb) => Ok(Self::Response(text.into())),
            (_, Who::Client(_)) => {
                Err(Mistake::unknown("answer", verb, &[RESPONSES, HEARD_BY_CLIENTS, HEARD_BY_ALL]))
            }
            (_, Who::Upstream(_)) if REQUESTS.contains(&verb) => request(text).map(Self::Request),
            (_, Who::Upstream(_)) => {
                Err(Mistake::unknown("request", verb, &[REQUESTS, HEARD_BY_ALL]))
            }
        }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(request) => f.write_str(&describe_request(request)),
            Self::Response(response) => f.write_str(&describe_response(response)),
            Self::Noop => f.write_str("NOOP"),
            Self::Raw(bytes) => {
                f.write_str("RAW")?;
                bytes.iter().try_for_each(|byte| write!(f, " {byte:02X}"))
            }
            Self::RunHalf(size) => write!(f, "RUN-HALF {size}"),
            Self::Flood => f.write_str("FLOOD"),
            Self::Eof => f.write_str("EOF"),
        }
    }
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(request) => f.write_str(&describe_request(request)),
            Self::Response(text) => f.write_str(text),
            Self::Records => f.write_str("RECORDS"),
            Self::Noop => f.write_str("NOOP"),
            Self::Nothing => f.write_str("nothing"),
            Self::Eof => f.write_str("EOF"),
        }
    }
}

impl From<Request> for Said {
    fn from(request: Request) -> Self {
        Self::Request(request)
    }
}

impl From<Response> for Said {
    fn from(response: Response) -> Self {
        Self::Response(response)
    }
}

impl From<Request> for Heard {
    fn from(request: Request) -> Self {
        Self::Request(request)
    }
}

/// This response, with exactly these entries or more.
impl From<&Response> for Heard {
    fn from(response: &Response) -> Self {
        Self::Response(describe_response(response))
    }
}

pub(crate) const SAID_BY_ALL: &[&str] = &["NOOP", "RAW", "EOF"];
pub(crate) const SAID_BY_CLIENTS: &[&str] = &["RUN-HALF"];
pub(crate) const SAID_BY_UPSTREAMS: &[&str] = &["TABLE", "FLOOD"];
pub(crate) const HEARD_BY_CLIENTS: &[&str] = &["RECORDS"];
pub(crate) const HEARD_BY_ALL: &[&str] = &["NOOP", "nothing", "EOF"];
