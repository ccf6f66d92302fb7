//! Whose connections a pattern's are, by the user agents that clients tell the server.

use std::fmt;

#[derive(Clone, Debug)]
pub struct Origin {
    pub tasks: Names,
    /// The pooler between the tasks and the server, if there is one. A task that gets past it and
    /// connects to the server itself still counts: hiding that would flatter the pooler.
    pub pooler: Option<PoolerOrigin>,
}

impl Default for Origin {
    fn default() -> Self {
        Self { tasks: Names::Exactly(String::new()), pooler: None }
    }
}

/// How a pattern's tasks call themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Names {
    /// All tasks have this name, and no other run's tasks have it.
    Exactly(String),
    /// Each task has a name of its own, by its place in the DAG run. All of them share these words.
    Containing(String),
    /// The tasks have the name that their driver has by default, which begins like this. Connections
    /// that were there before the pattern are somebody else's.
    NewFrom(&'static str),
}

impl Names {
    /// Whether a connection of this user agent is the pattern's. `is_new` says whether it was opened
    /// since the pattern's start.
    pub(super) fn fit(&self, user_agent: &str, is_new: bool) -> bool {
        match self {
            Self::Exactly(name) => user_agent == name,
            Self::Containing(words) => user_agent.contains(words.as_str()),
            Self::NewFrom(start) => is_new && user_agent.starts_with(start),
        }
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(name) => f.write_str(name),
            Self::Containing(words) => write!(f, "…{words}…"),
            Self::NewFrom(start) => write!(f, "{start}…"),
        }
    }
}

/// Which connections are a pooler's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolerOrigin {
    /// Those that have this user agent and were opened since the pattern's start: the pooler was
    /// started for the pattern.
    New(&'static str),
    /// Those of any BoltBouncer: the pooler was there before the pattern and stays after it.
    Any,
}

impl PoolerOrigin {
    pub(super) fn fit(self, user_agent: &str, is_new: bool) -> bool {
        match self {
            Self::New(name) => is_new && user_agent == name,
            Self::Any => user_agent.starts_with("boltbouncer/"),
        }
    }
}
