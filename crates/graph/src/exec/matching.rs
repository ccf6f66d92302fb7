//! MATCH: a search with backtracking, one step for each node and relationship of the patterns. The
//! plan knows which variables have values when a step runs, so nothing has to be undone in the row.

mod expansion;
mod frame;
mod plan;

use std::sync::Arc;

use super::fit::{node_fits, walk};
use super::rows::Rows;
use super::shortest;
use crate::bound::Pattern;
use crate::context::Context;
use crate::error::Result;
use crate::row::{Row, get, set};
use crate::value::{Value, mismatch};
use expansion::{Expansion, known_relationships};
use frame::{Candidate, Frame};
use plan::{Step, StepKind, plan, scan_label};

/// Every way in which the patterns fit the graph, from `row`.
pub fn matches(context: &Context, patterns: Arc<[Pattern]>, row: Row) -> Result<Rows> {
    let steps = plan(context, &patterns)?;
    let width = patterns.iter().map(|pattern| pattern.nodes.len()).max().unwrap_or(0);
    let nodes = vec![vec![0; width]; patterns.len()];
    let hops = vec![vec![Vec::new(); width]; patterns.len()];
    Ok(Box::new(Matcher {
        context: context.clone(),
        patterns,
        steps,
        row,
        nodes,
        hops,
        frames: Vec::new(),
        state: Search::New,
    }))
}

#[derive(Debug, PartialEq, Eq)]
enum Search {
    New,
    Searching,
    Over,
}

struct Matcher {
    context: Context,
    patterns: Arc<[Pattern]>,
    steps: Vec<Step>,
    row: Row,
    /// The node that was found for each place of each pattern, so far.
    nodes: Vec<Vec<u64>>,
    hops: Vec<Vec<Vec<u64>>>,
    frames: Vec<Frame>,
    state: Search,
}

impl Iterator for Matcher {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Result<Row>> {
        if self.state == Search::Over {
            return None;
        }
        let found = self.search();
        if !matches!(found, Ok(Some(_))) {
            self.state = Search::Over;
        }
        found.transpose()
    }
}

impl Matcher {
    fn search(&mut self) -> Result<Option<Row>> {
        if self.state == Search::New {
            self.state = Search::Searching;
            self.push()?;
        }
        loop {
            self.context.control.check()?;
            let depth = self.frames.len();
            let Some(step) = depth.checked_sub(1).map(|index| self.steps[index]) else {
                return Ok(None);
            };
            let Some(candidate) = self.next_candidate(depth - 1)? else {
                self.frames.pop();
                continue;
            };
            if !self.try_candidate(step, candidate)? {
                continue;
            }
            if depth == self.steps.len() {
                return self.result().map(Some);
            }
            self.push()?;
        }
    }

    fn next_candidate(&mut self, depth: usize) -> Result<Option<Candidate>> {
        loop {
            let frame = &mut self.frames[depth];
            if let Some(candidate) = frame.candidates.next() {
                return Ok(Some(candidate));
            }
            let Some(from) = frame.scan.take() else { return Ok(None) };
            let step = self.steps[depth];
            let StepKind::Scan { node, .. } = step.kind else { return Ok(None) };
            let label = scan_label(&self.patterns[step.pattern].nodes[node]);
            let ids = self.context.graph.node_ids(label, from, SCAN_BATCH);
            let frame = &mut self.frames[depth];
            frame.scan = ids.last().map(|last| last + 1).filter(|_| ids.len() == SCAN_BATCH);
            let candidates: Vec<_> = ids.into_iter().map(Candidate::of_node).collect();
            frame.candidates = candidates.into_iter();
        }
    }

    /// Prepares the candidates of the next step.
    fn push(&mut self) -> Result<()> {
        let step = self.steps[self.frames.len()];
        let pattern = &self.patterns[step.pattern];
        let (candidates, scan) = match step.kind {
            StepKind::Scan { node, bound: true } => {
                let variable =
                    pattern.nodes[node].variable.as_ref().expect("a bound node has a variable");
                (bound_node(get(&self.row, variable.slot))?, None)
            }
            StepKind::Scan { .. } => (Vec::new(), Some(0)),
            StepKind::Expand { hop, forwards, .. } => {
                let from = self.nodes[step.pattern][if forwards { hop } else { hop + 1 }];
                (self.expand(step.pattern, hop, forwards, from)?, None)
            }
            StepKind::Shortest => {
                let ends = (self.nodes[step.pattern][0], self.nodes[step.pattern][1]);
                let paths = shortest::paths(&self.context, pattern, ends, &self.row)?;
                let candidate = |relationships| Candidate { node: ends.1, relationships };
                (paths.into_iter().map(candidate).collect(), None)
            }
        };
        self.frames.push(Frame { candidates: candidates.into_iter(), used: Vec::new(), scan });
        Ok(())
    }

    /// Puts a candidate into the row, and says whether it fits.
    fn try_candidate(&mut self, step: Step, candidate: Candidate) -> Result<bool> {
        let patterns = self.patterns.clone();
        let pattern = &patterns[step.pattern];
        let (place, hop) = match step.kind {
            StepKind::Scan { node, .. } => (node, None),
            StepKind::Expand { hop, forwards, .. } => {
                (if forwards { hop + 1 } else { hop }, Some(hop))
            }
            StepKind::Shortest => (1, Some(0)),
        };
        if let StepKind::Expand { target_bound: true, .. } = step.kind {
            let variable =
                pattern.nodes[place].variable.as_ref().expect("a bound node has a variable");
            if *get(&self.row, variable.slot) != Value::Node(candidate.node) {
                return Ok(false);
            }
        }
        let node = &pattern.nodes[place];
        if let Some(variable) = &node.variable {
            set(&mut self.row, variable.slot, Value::Node(candidate.node));
        }
        self.nodes[step.pattern][place] = candidate.node;
        if let Some(hop) = hop {
            self.take_relationships(step.pattern, hop, &candidate.relationships);
        }
        let frame = self.frames.last_mut().expect("a candidate comes from a frame");
        frame.used = candidate.relationships;
        node_fits(&self.context, node, candidate.node, &mut self.row)
    }

    fn take_relationships(&mut self, pattern: usize, hop: usize, relationships: &[u64]) {
        let relationship = &self.patterns[pattern].relationships[hop];
        if let Some(slot) = relationship.slot {
            let value = match (relationship.length, relationships) {
                (None, [id]) => Value::Relationship(*id),
                _ => Value::list(relationships.iter().map(|id| Value::Relationship(*id)).collect()),
            };
            set(&mut self.row, slot, value);
        }
        self.hops[pattern][hop] = relationships.to_vec();
    }

    fn result(&self) -> Result<Row> {
        let mut row = self.row.clone();
        for (index, pattern) in self.patterns.iter().enumerate() {
            let Some(slot) = pattern.path else { continue };
            let relationships = self.hops[index][..pattern.relationships.len()].concat();
            let path = walk(&self.context, self.nodes[index][0], relationships)?;
            set(&mut row, slot, Value::Path(Arc::new(path)));
        }
        Ok(row)
    }

    fn expand(
        &self,
        pattern: usize,
        hop: usize,
        forwards: bool,
        from: u64,
    ) -> Result<Vec<Candidate>> {
        let pattern = &self.patterns[pattern];
        let relationship = &pattern.relationships[hop];
        let direction =
            if forwards { relationship.direction } else { relationship.direction.reversed() };
        let known = known_relationships(relationship, pattern.bound_below, &self.row);
        let expansion =
            Expansion::new(&self.context, &self.frames, relationship, known, self.row.clone());
        let mut found = expansion.run(from, direction)?;
        if !forwards {
            found.iter_mut().for_each(|candidate| candidate.relationships.reverse());
        }
        Ok(found)
    }
}

fn bound_node(value: &Value) -> Result<Vec<Candidate>> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Node(id) => Ok(vec![Candidate::of_node(*id)]),
        other => Err(mismatch("NODE", other)),
    }
}

const SCAN_BATCH: usize = 256;
