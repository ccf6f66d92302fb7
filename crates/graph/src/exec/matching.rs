//! MATCH: backtracking over candidates, one step for each node and relationship of the patterns.
//! Which variables are bound when a step runs is known beforehand, so that nothing is undone.

mod plan;

use std::sync::Arc;

use crate::bound::{Expression, NodePattern, Pattern, RelationshipPattern};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::exec::Rows;
use crate::exec::shortest;
use crate::row::{Row, get, set};
use crate::store::{Direction, Entity};
use crate::value::mismatch;
use crate::value::{Path, Value, map_get};
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
        state: State::New,
    }))
}

/// A node that fits, and the relationships that lead to it.
#[derive(Clone, Debug, Default)]
struct Candidate {
    node: u64,
    relationships: Vec<u64>,
}

#[derive(Debug)]
struct Frame {
    candidates: std::vec::IntoIter<Candidate>,
    /// Relationships of the candidate that is being tried.
    used: Vec<u64>,
    /// Where the next batch of a scan begins.
    scan: Option<u64>,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    New,
    Searching,
    Over,
}

struct Matcher {
    context: Context,
    patterns: Arc<[Pattern]>,
    steps: Vec<Step>,
    row: Row,
    /// The node at each place of each pattern, as far as the search has come.
    nodes: Vec<Vec<u64>>,
    hops: Vec<Vec<Vec<u64>>>,
    frames: Vec<Frame>,
    state: State,
}

impl Iterator for Matcher {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Result<Row>> {
        if self.state == State::Over {
            return None;
        }
        let found = self.search();
        if !matches!(found, Ok(Some(_))) {
            self.state = State::Over;
        }
        found.transpose()
    }
}

impl Matcher {
    fn search(&mut self) -> Result<Option<Row>> {
        if self.state == State::New {
            self.state = State::Searching;
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

    /// Takes a candidate into the row if it fits.
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
        let relationship = &self.patterns[pattern].relationships[hop];
        let direction =
            if forwards { relationship.direction } else { relationship.direction.reversed() };
        let (fewest, most) = relationship.length.unwrap_or((1, Some(1)));
        let mut search = Expansion {
            matcher: self,
            relationship,
            // A relationship variable with a value from an earlier clause names the only candidate.
            known: known_relationships(relationship, self.patterns[pattern].bound_below, &self.row),
            direction,
            fewest,
            most: most.unwrap_or(u64::MAX),
            path: Vec::new(),
            found: Vec::new(),
            row: self.row.clone(),
        };
        search.run(from)?;
        let mut found = search.found;
        if !forwards {
            found.iter_mut().for_each(|candidate| candidate.relationships.reverse());
        }
        Ok(found)
    }

    /// A relationship appears once in everything that one MATCH finds.
    fn is_used(&self, relationship: u64) -> bool {
        self.frames.iter().any(|frame| frame.used.contains(&relationship))
    }
}

/// All paths of `fewest..=most` hops from a node, depth first, without recursion.
struct Expansion<'a> {
    matcher: &'a Matcher,
    relationship: &'a RelationshipPattern,
    known: Option<Vec<u64>>,
    direction: Direction,
    fewest: u64,
    most: u64,
    path: Vec<u64>,
    found: Vec<Candidate>,
    row: Row,
}

impl Expansion<'_> {
    fn run(&mut self, from: u64) -> Result<()> {
        if self.fewest == 0 {
            self.keep(from)?;
        }
        let graph = &self.matcher.context.graph;
        let next = |node| graph.relationships_of(node, self.direction).into_iter();
        let mut stack = vec![(from, next(from))];
        while let Some((node, relationships)) = stack.last_mut() {
            self.matcher.context.control.check()?;
            let (node, depth) = (*node, self.path.len() as u64);
            let Some(id) = relationships.next().filter(|_| depth < self.most) else {
                stack.pop();
                self.path.pop();
                continue;
            };
            if self.path.contains(&id) || self.matcher.is_used(id) || !self.fits(id)? {
                continue;
            }
            let found = graph.existing_relationship(id)?;
            let other = if found.start == node { found.end } else { found.start };
            self.path.push(id);
            if depth + 1 >= self.fewest {
                self.keep(other)?;
            }
            stack.push((other, graph.relationships_of(other, self.direction).into_iter()));
        }
        Ok(())
    }

    fn keep(&mut self, node: u64) -> Result<()> {
        if self.known.as_ref().is_none_or(|known| *known == self.path) {
            let candidate = Candidate { node, relationships: self.path.clone() };
            self.found.push(candidate);
            let bytes = self.found.len() * (size_of::<Candidate>() + 8 * self.path.len());
            self.matcher.context.control.fits(bytes)?;
        }
        Ok(())
    }

    fn fits(&mut self, id: u64) -> Result<bool> {
        let context = &self.matcher.context;
        let found = context.graph.existing_relationship(id)?;
        let has_type = self
            .relationship
            .types
            .as_ref()
            .is_none_or(|types| types.matches(std::slice::from_ref(&found.kind)));
        if !has_type {
            return Ok(false);
        }
        let entity = Entity::Relationship(id);
        if !properties_fit(context, self.relationship.properties.as_ref(), entity, &mut self.row)? {
            return Ok(false);
        }
        let Some(filter) = &self.relationship.filter else { return Ok(true) };
        if let Some(slot) = self.relationship.slot {
            set(&mut self.row, slot, Value::Relationship(id));
        }
        context.is_true(filter, &mut self.row)
    }
}

impl Candidate {
    fn of_node(node: u64) -> Self {
        Self { node, relationships: Vec::new() }
    }
}

impl Direction {
    fn reversed(self) -> Self {
        match self {
            Self::Outgoing => Self::Incoming,
            Self::Incoming => Self::Outgoing,
            Self::Both => Self::Both,
        }
    }
}

fn bound_node(value: &Value) -> Result<Vec<Candidate>> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Node(id) => Ok(vec![Candidate::of_node(*id)]),
        other => Err(mismatch("NODE", other)),
    }
}

fn known_relationships(
    relationship: &RelationshipPattern,
    bound_below: usize,
    row: &Row,
) -> Option<Vec<u64>> {
    let slot = relationship.slot.filter(|slot| *slot < bound_below)?;
    let id = |value: &Value| match value {
        Value::Relationship(id) => Some(*id),
        _ => None,
    };
    match get(row, slot) {
        Value::List(list) => Some(list.iter().filter_map(id).collect()),
        // Null names no relationship, so that nothing matches.
        value => Some(id(value).into_iter().collect()),
    }
}

pub(super) fn node_fits(
    context: &Context,
    node: &NodePattern,
    id: u64,
    row: &mut Row,
) -> Result<bool> {
    let found = context.graph.existing_node(id)?;
    if !node.labels.as_ref().is_none_or(|labels| labels.matches(&found.labels)) {
        return Ok(false);
    }
    if !properties_fit(context, node.properties.as_ref(), Entity::Node(id), row)? {
        return Ok(false);
    }
    node.filter.as_ref().map_or(Ok(true), |filter| context.is_true(filter, row))
}

pub(super) fn properties_fit(
    context: &Context,
    wanted: Option<&Expression>,
    entity: Entity,
    row: &mut Row,
) -> Result<bool> {
    let Some(wanted) = wanted else { return Ok(true) };
    let Value::Map(wanted) = context.eval(wanted, row)? else {
        return Err(Error::Type("a pattern's properties must be a map".into()));
    };
    let have = context.graph.properties(entity)?;
    Ok(wanted.iter().all(|(key, value)| {
        map_get(have, key).is_some_and(|found| found.equals(value) == Some(true))
    }))
}

/// The path from `start` along relationships, each taken from whichever end has been reached.
pub(super) fn walk(context: &Context, start: u64, relationships: Vec<u64>) -> Result<Path> {
    let mut nodes = vec![start];
    let mut at = start;
    for id in &relationships {
        let r = context.graph.existing_relationship(*id)?;
        at = if r.start == at { r.end } else { r.start };
        nodes.push(at);
    }
    Ok(Path { nodes, relationships })
}

const SCAN_BATCH: usize = 256;
