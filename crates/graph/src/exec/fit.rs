//! Whether a node or a relationship of the graph is as a pattern wants it.

use crate::bound::{Expression, NodePattern};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::row::Row;
use crate::store::Entity;
use crate::value::{Path, Value, map_get};

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
