//! Patterns that would mean something else here than in Neo4j, or nothing at all.

use std::sync::Arc;

use super::Scope;
use crate::ast::{Expression, NodePattern, Pattern};
use crate::error::{Error, Result};

/// A name stands for a node or for a relationship, and for one relationship only once in a MATCH.
pub(super) fn check_kinds(patterns: &[Pattern]) -> Result<()> {
    let nodes = patterns.iter().flat_map(|p| &p.nodes).filter_map(|node| node.variable.as_ref());
    let nodes: Vec<_> = nodes.map(|variable| &variable.name).collect();
    let mut relationships: Vec<&Arc<str>> = Vec::new();
    for variable in
        patterns.iter().flat_map(|p| &p.relationships).filter_map(|r| r.variable.as_ref())
    {
        if nodes.contains(&&variable.name) {
            return Err(Error::Semantic(format!(
                "Type mismatch: `{}` defined with conflicting type",
                variable.name
            )));
        }
        if relationships.contains(&&variable.name) {
            return Err(Error::Unsupported(format!(
                "the relationship `{}` twice in one MATCH",
                variable.name
            )));
        }
        relationships.push(&variable.name);
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

/// CREATE and MERGE of a lone node that is there already would do nothing.
pub(super) fn check_new(pattern: &Pattern, scope: &Scope) -> Result<()> {
    match &pattern.nodes[..] {
        [NodePattern { variable: Some(variable), .. }] if scope.slot(&variable.name).is_some() => {
            Err(Error::Semantic(format!("Variable `{}` already declared", variable.name)))
        }
        _ => Ok(()),
    }
}

/// Neo4j looks for the shortest path that satisfies WHERE; this engine would filter afterwards.
pub(super) fn check_shortest(patterns: &[Pattern], filter: Option<&Expression>) -> Result<()> {
    let Some(filter) = filter else { return Ok(()) };
    for pattern in patterns.iter().filter(|pattern| pattern.shortest.is_some()) {
        let found =
            pattern.relationships.iter().filter_map(|r| r.variable.as_ref()).chain(&pattern.path);
        for variable in found {
            if mentions(&mut filter.clone(), variable.slot) {
                return Err(Error::Unsupported("WHERE on the path that shortestPath finds".into()));
            }
        }
    }
    Ok(())
}

/// Whether an expression uses a variable; of what has patterns or queries inside, it may.
fn mentions(expression: &mut Expression, slot: usize) -> bool {
    match expression {
        Expression::Variable(variable) => variable.slot == slot,
        Expression::PatternComprehension { .. } | Expression::Subquery { .. } => true,
        other => other.children_mut().into_iter().any(|child| mentions(child, slot)),
    }
}
