//! Who speaks in a script.

use std::fmt;

/// Somebody who speaks in a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// A client, `A` to `Z`.
    Client(char),
    /// An upstream connection, from 1 to 9, in the order in which they were opened.
    Upstream(usize),
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(name) => write!(f, "{name}"),
            Self::Upstream(number) => write!(f, "{number}"),
        }
    }
}
