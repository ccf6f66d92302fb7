//! What the search is trying at one of its steps.

/// A node that fits, and the relationships that lead to it.
#[derive(Clone, Debug, Default)]
pub(super) struct Candidate {
    pub node: u64,
    pub relationships: Vec<u64>,
}

#[derive(Debug)]
pub(super) struct Frame {
    pub candidates: std::vec::IntoIter<Candidate>,
    /// Relationships of the candidate that is being tried.
    pub used: Vec<u64>,
    /// Where the next batch of a scan begins.
    pub scan: Option<u64>,
}

impl Candidate {
    pub fn of_node(node: u64) -> Self {
        Self { node, relationships: Vec::new() }
    }
}
