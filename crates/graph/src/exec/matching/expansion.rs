//! From a node along one relationship of a pattern, which may stand for several hops.

use super::frame::{Candidate, Frame};
use crate::bound::RelationshipPattern;
use crate::context::Context;
use crate::error::Result;
use crate::exec::fit::properties_fit;
use crate::row::{Row, get, set};
use crate::store::{Direction, Entity};
use crate::value::Value;

/// All paths of `fewest..=most` hops from a node, depth first, without recursion.
pub(super) struct Expansion<'a> {
    context: &'a Context,
    /// What the search has taken so far: a relationship appears once in everything that one MATCH
    /// finds.
    frames: &'a [Frame],
    relationship: &'a RelationshipPattern,
    /// The relationships that the variable has from an earlier clause: the only ones that fit.
    known: Option<Vec<u64>>,
    fewest: u64,
    most: u64,
    path: Vec<u64>,
    found: Vec<Candidate>,
    row: Row,
}

impl<'a> Expansion<'a> {
    pub fn new(
        context: &'a Context,
        frames: &'a [Frame],
        relationship: &'a RelationshipPattern,
        known: Option<Vec<u64>>,
        row: Row,
    ) -> Self {
        let (fewest, most) = relationship.length.unwrap_or((1, Some(1)));
        let most = most.unwrap_or(u64::MAX);
        let (path, found) = (Vec::new(), Vec::new());
        Self { context, frames, relationship, known, fewest, most, path, found, row }
    }

    /// The nodes that are reached from `from`, each with the relationships on the way.
    pub fn run(mut self, from: u64, direction: Direction) -> Result<Vec<Candidate>> {
        if self.fewest == 0 {
            self.keep(from)?;
        }
        let graph = &self.context.graph;
        let next = |node| graph.relationships_of(node, direction).into_iter();
        let mut stack = vec![(from, next(from))];
        while let Some((node, relationships)) = stack.last_mut() {
            self.context.control.check()?;
            let (node, depth) = (*node, self.path.len() as u64);
            let Some(id) = relationships.next().filter(|_| depth < self.most) else {
                stack.pop();
                self.path.pop();
                continue;
            };
            if self.path.contains(&id) || self.is_used(id) || !self.fits(id)? {
                continue;
            }
            let found = graph.existing_relationship(id)?;
            let other = if found.start == node { found.end } else { found.start };
            self.path.push(id);
            if depth + 1 >= self.fewest {
                self.keep(other)?;
            }
            stack.push((other, graph.relationships_of(other, direction).into_iter()));
        }
        Ok(self.found)
    }

    fn keep(&mut self, node: u64) -> Result<()> {
        if self.known.as_ref().is_none_or(|known| *known == self.path) {
            let candidate = Candidate { node, relationships: self.path.clone() };
            self.found.push(candidate);
            let bytes = self.found.len() * (size_of::<Candidate>() + 8 * self.path.len());
            self.context.control.fits(bytes)?;
        }
        Ok(())
    }

    fn fits(&mut self, id: u64) -> Result<bool> {
        let context = self.context;
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

    fn is_used(&self, relationship: u64) -> bool {
        self.frames.iter().any(|frame| frame.used.contains(&relationship))
    }
}

/// The relationships that a pattern's variable names already, if it has a value.
pub(super) fn known_relationships(
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
