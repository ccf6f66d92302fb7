//! shortestPath and allShortestPaths. The search goes breadth first from one end, and keeps every
//! way that arrives in as few hops as the first one.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::fit::{properties_fit, walk};
use crate::bound::{Expression, Pattern};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::kinds::Shortest;
use crate::row::{Row, get};
use crate::store::Entity;
use crate::value::Value;
use crate::value::mismatch;

/// `shortestPath((a)-[*]-(b))` as an expression, between nodes that are known.
pub fn shortest_path(context: &Context, pattern: &Pattern, row: &mut Row) -> Result<Value> {
    check_shape(pattern)?;
    let mut ends = [0; 2];
    for (end, node) in ends.iter_mut().zip(&pattern.nodes) {
        let variable = node.variable.as_ref();
        let variable =
            variable.ok_or_else(|| Error::Semantic("shortestPath needs bound nodes".into()))?;
        *end = match get(row, variable.slot) {
            Value::Null => return Ok(Value::Null),
            Value::Node(id) => *id,
            other => return Err(mismatch("NODE", other)),
        };
    }
    let found = paths(context, pattern, (ends[0], ends[1]), row)?;
    let mut values = Vec::new();
    for relationships in found {
        values.push(Value::Path(Arc::new(walk(context, ends[0], relationships)?)));
    }
    Ok(match pattern.shortest {
        Some(Shortest::All) => Value::list(values),
        _ => values.into_iter().next().unwrap_or(Value::Null),
    })
}

pub(super) fn check_shape(pattern: &Pattern) -> Result<()> {
    if pattern.nodes.len() != 2 {
        return Err(Error::Semantic("shortestPath needs a pattern of one relationship".into()));
    }
    let fewest = pattern.relationships[0].length.map_or(1, |(fewest, _)| fewest);
    if fewest > 1 {
        return Err(Error::Semantic(
            "shortestPath does not support a minimal length different from 0 or 1".into(),
        ));
    }
    Ok(())
}

/// The relationships of every shortest path, or of one.
pub(super) fn paths(
    context: &Context,
    pattern: &Pattern,
    (start, end): (u64, u64),
    row: &Row,
) -> Result<Vec<Vec<u64>>> {
    let relationship = &pattern.relationships[0];
    let (_, most) = relationship.length.unwrap_or((1, Some(1)));
    if start == end {
        return Err(Error::Argument(
            "The shortest path algorithm does not work when the start and end nodes are the same."
                .into(),
        ));
    }
    let mut row = row.clone();
    // For each node reached, the relationships by which it was reached in the fewest hops.
    let mut reached: HashMap<u64, Vec<(u64, u64)>> = HashMap::from([(start, Vec::new())]);
    let mut border = vec![start];
    let mut hops = 0;
    while !border.is_empty() && !reached.contains_key(&end) && most.is_none_or(|most| hops < most) {
        hops += 1;
        let mut next: HashMap<u64, Vec<(u64, u64)>> = HashMap::new();
        for node in border {
            for id in context.graph.relationships_of(node, relationship.direction) {
                context.control.check()?;
                let found = context.graph.existing_relationship(id)?;
                let other = if found.start == node { found.end } else { found.start };
                let has_type = relationship
                    .types
                    .as_ref()
                    .is_none_or(|t| t.matches(std::slice::from_ref(&found.kind)));
                let fits = has_type
                    && !reached.contains_key(&other)
                    && properties_fit(
                        context,
                        relationship.properties.as_ref(),
                        Entity::Relationship(id),
                        &mut row,
                    )?
                    && filter_holds(context, relationship.filter.as_ref())?;
                if fits {
                    next.entry(other).or_default().push((node, id));
                }
            }
        }
        border = next.keys().copied().collect();
        context.control.charge(border.len() * 64)?;
        reached.extend(next);
    }
    let only_one = pattern.shortest != Some(Shortest::All);
    unroll(context, &reached, start, end, only_one)
}

fn filter_holds(_context: &Context, filter: Option<&Expression>) -> Result<bool> {
    match filter {
        None => Ok(true),
        Some(_) => Err(Error::Unsupported("WHERE inside the relationship of shortestPath".into())),
    }
}

fn unroll(
    context: &Context,
    reached: &HashMap<u64, Vec<(u64, u64)>>,
    start: u64,
    end: u64,
    only_one: bool,
) -> Result<Vec<Vec<u64>>> {
    if !reached.contains_key(&end) {
        return Ok(Vec::new());
    }
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    let mut stack = vec![(end, Vec::new())];
    while let Some((node, path)) = stack.pop() {
        context.control.check()?;
        if node == start {
            let path: Vec<u64> = path.into_iter().rev().collect();
            context.control.charge(8 * path.len() + 48)?;
            if seen.insert(path.clone()) {
                found.push(path);
            }
            if only_one {
                break;
            }
            continue;
        }
        for (before, id) in &reached[&node] {
            let mut longer = path.clone();
            longer.push(*id);
            stack.push((*before, longer));
        }
    }
    Ok(found)
}
