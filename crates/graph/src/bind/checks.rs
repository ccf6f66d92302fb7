//! Refuses patterns that mean nothing, and patterns that would mean something else here than in
//! Neo4j.

use std::sync::Arc;

use super::scope::Scope;
use crate::ast::{Expression, NodePattern, Pattern};
use crate::bound;
use crate::error::{Error, Result};

/// A name stands either for a node or for a relationship, and a relationship may be named only once
/// in a MATCH.
pub(super) fn check_kinds(patterns: &[Pattern]) -> Result<()> {
    let nodes = patterns.iter().flat_map(|p| &p.nodes).filter_map(|node| node.variable.as_ref());
    let nodes: Vec<_> = nodes.collect();
    let mut relationships: Vec<&Arc<str>> = Vec::new();
    for variable in
        patterns.iter().flat_map(|p| &p.relationships).filter_map(|r| r.variable.as_ref())
    {
        if nodes.contains(&variable) {
            return Err(Error::Semantic(format!(
                "Type mismatch: `{variable}` defined with conflicting type"
            )));
        }
        if relationships.contains(&variable) {
            return Err(Error::Unsupported(format!(
                "the relationship `{variable}` twice in one MATCH"
            )));
        }
        relationships.push(variable);
    }
    Ok(())
}

pub(super) fn check_parameter_maps(pattern: &Pattern) -> Result<()> {
    let nodes = pattern.nodes.iter().map(|node| &node.properties);
    let mut all = nodes.chain(pattern.relationships.iter().map(|r| &r.properties));
    match all.any(|properties| matches!(properties, Some(Expression::Parameter(_)))) {
        true => Err(Error::Semantic(
            "Parameter maps cannot be used in `MATCH` or `MERGE` patterns (use a literal map instead, e.g. `{id: $param.id}`)".into(),
        )),
        false => Ok(()),
    }
}

/// CREATE and MERGE of a single node that has a value already would do nothing.
pub(super) fn check_new(pattern: &Pattern, scope: &Scope) -> Result<()> {
    match &pattern.nodes[..] {
        [NodePattern { variable: Some(variable), .. }] if scope.slot(variable).is_some() => {
            Err(Error::Semantic(format!("Variable `{variable}` already declared")))
        }
        _ => Ok(()),
    }
}

/// Neo4j looks for the shortest path that satisfies WHERE. This engine would find the shortest path
/// first and apply WHERE then, which gives another answer, so it refuses.
pub(super) fn check_shortest(
    patterns: &[bound::Pattern],
    filter: Option<&bound::Expression>,
) -> Result<()> {
    let Some(filter) = filter else { return Ok(()) };
    for pattern in patterns.iter().filter(|pattern| pattern.shortest.is_some()) {
        let relationships = pattern.relationships.iter().filter_map(|r| r.slot);
        if relationships.chain(pattern.path).any(|slot| mentions(filter, slot)) {
            return Err(Error::Unsupported("WHERE on the path that shortestPath finds".into()));
        }
    }
    Ok(())
}

/// Whether an expression uses a variable. One that has a pattern or a query inside may use it.
fn mentions(expression: &bound::Expression, slot: usize) -> bool {
    match expression {
        bound::Expression::Variable(used) => *used == slot,
        bound::Expression::PatternComprehension { .. } | bound::Expression::Subquery { .. } => true,
        other => other.children().into_iter().any(|child| mentions(child, slot)),
    }
}
