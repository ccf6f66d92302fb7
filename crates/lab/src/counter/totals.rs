//! What a counter says of a pattern that is over.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    pub opened: u64,
    pub closed: u64,
    /// Still open, whenever they were opened.
    pub open: u64,
    /// Exact peaks, if the server keeps them.
    pub peaks: Option<Peaks>,
}

/// The most connections at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peaks {
    pub open: u64,
    pub idle: u64,
    pub in_use: u64,
}
