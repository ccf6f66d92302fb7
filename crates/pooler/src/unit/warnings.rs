//! Notes whether a warning about a broken-off result may turn up in the next result of the same
//! connection, as on Neo4j from 2025 with Bolt before 6.0 (measured). It decides nothing.

/// What of it has happened: both records and a RESET make a result broken off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Warnings {
    #[default]
    None,
    Records,
    Reset,
    BrokenOff,
}

impl Warnings {
    /// Records were passed on.
    pub fn records(&mut self) {
        *self = match self {
            Self::None | Self::Records => Self::Records,
            Self::Reset | Self::BrokenOff => Self::BrokenOff,
        };
    }

    /// RESET was sent.
    pub fn reset(&mut self) {
        *self = match self {
            Self::None | Self::Reset => Self::Reset,
            Self::Records | Self::BrokenOff => Self::BrokenOff,
        };
    }

    pub fn may_leak(self) -> bool {
        self == Self::BrokenOff
    }
}
