//! What can be wrong with the text of a script. All of it is found before anything is played.

use thiserror::Error;

/// Why a line, or a part of it, means nothing.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Mistake {
    #[error("there is no {kind} `{word}`; there are: {}", known.join(", "))]
    Unknown { kind: &'static str, word: String, known: Vec<&'static str> },
    #[error("`{text}` is not {wanted}")]
    Not { text: String, wanted: &'static str },
    #[error("nothing can follow {verb}, but `{rest}` does")]
    Superfluous { verb: String, rest: String },
    #[error("a script ends with something that is heard or checked, or this would go unnoticed")]
    Unnoticed,
}

/// A mistake and where it is. Lines are counted from 1.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("line {number}, `{text}`: {mistake}")]
pub struct LineMistake {
    pub number: usize,
    pub text: String,
    pub mistake: Mistake,
}

impl Mistake {
    pub(crate) fn unknown(kind: &'static str, word: &str, known: &[&[&'static str]]) -> Self {
        Self::Unknown { kind, word: word.to_owned(), known: known.concat() }
    }

    pub(crate) fn not(text: &str, wanted: &'static str) -> Self {
        Self::Not { text: text.to_owned(), wanted }
    }
}

/// A line's first word and the rest.
pub(crate) fn split_verb(text: &str) -> (&str, &str) {
    text.split_once(' ').unwrap_or((text, ""))
}

/// Reads a number, a version or the like.
pub(crate) fn read<T: std::str::FromStr>(text: &str, wanted: &'static str) -> Result<T, Mistake> {
    text.parse().map_err(|_| Mistake::not(text, wanted))
}
