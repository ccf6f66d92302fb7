//! Tests that are lines of text: clients, the server or pooler that is tested, and what they say to
//! each other. This crate reads such scripts, plays them and says what went otherwise; a test crate
//! adds how a connection is opened.
//!
//! - [`script`]: a file's scripts, read and checked before the first one is played
//! - [`step`]: what one line asks for; [`message`]: one message in it
//! - [`request`], [`response`], [`value`], [`options`]: messages as text, both ways
//! - [`peer`], [`handshake`], [`login`]: one end of a connection, as a script speaks and listens on
//!   it
//! - [`setup`]: what a test crate supplies; [`player`]: carries a script out
//! - [`mistake`], [`problem`]: what can be wrong with a script, and with what it found
//!
//! To print messages in the form that a script has, build a [`Step`] and display it:
//!
//! ```
//! use bolt::{Request, Response};
//! use conversation::{Step, Who};
//!
//! let asked = Step::Say { who: Who::Client('A'), messages: vec![Request::Commit.into()] };
//! assert_eq!(asked.to_string(), "A> COMMIT");
//! let answered = Step::Say { who: Who::Upstream(1), messages: vec![Response::Ignored.into()] };
//! assert_eq!(answered.to_string(), "1> IGNORED");
//! ```
//!
#![doc = include_str!("../README.md")]

mod handshake;
mod login;
mod message;
mod mistake;
mod options;
mod peer;
mod player;
mod problem;
mod request;
mod response;
mod script;
mod setup;
mod step;
mod value;
mod who;

pub use handshake::{accept_version, opening};
pub use login::Login;
pub use message::{Heard, Said};
pub use mistake::{LineMistake, Mistake};
pub use peer::{Found, Peer, Stream};
pub use player::{play, run};
pub use problem::{Failed, Place, Problem, expect_equal};
pub use request::{describe_request, request};
pub use response::{describe_response, fits, response};
pub use script::{Head, Line, Script, scripts};
pub use setup::{Clock, Setup};
pub use step::Step;
pub use who::Who;

const README: &str = include_str!("../README.md");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_explained_in_the_readme() {
        let words = [
            step::STEPS,
            request::REQUESTS,
            response::RESPONSES,
            message::SAID_BY_ALL,
            message::SAID_BY_CLIENTS,
            message::SAID_BY_UPSTREAMS,
            message::HEARD_BY_CLIENTS,
            message::HEARD_BY_ALL,
        ];
        let rows: Vec<_> = README.lines().filter(|line| line.starts_with("| `")).collect();
        let explained = |word: &str| {
            rows.iter()
                .any(|row| row.contains(&format!("`{word}`")) || row.contains(&format!("`{word} ")))
        };
        for word in words.concat() {
            assert!(explained(word), "README.md has no row for {word}");
        }
    }
}
