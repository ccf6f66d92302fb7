//! Patterns: their variables are new ones, or have a value from a clause before.

use super::binder::Binder;
use super::scope::Scope;
use crate::ast;
use crate::bound::{NodePattern, Pattern, RelationshipPattern, Variable};
use crate::error::Result;

impl Binder<'_> {
    /// Variables in slots below `before` had a value before the clause that the pattern is in.
    pub fn pattern(
        &self,
        pattern: &ast::Pattern,
        scope: &mut Scope,
        before: usize,
    ) -> Result<Pattern> {
        // Every part sees the variables of every other part, so these come first.
        let variables: Vec<Option<Variable>> = pattern
            .nodes
            .iter()
            .map(|node| node.variable.as_ref())
            .map(|name| {
                name.map(|name| Variable { name: name.clone(), slot: scope.introduce(name) })
            })
            .collect();
        let slots: Vec<Option<usize>> = pattern
            .relationships
            .iter()
            .map(|relationship| relationship.variable.as_ref().map(|name| scope.introduce(name)))
            .collect();
        let nodes = pattern.nodes.iter().zip(variables).map(|(node, variable)| {
            Ok(NodePattern {
                variable,
                labels: node.labels.clone(),
                properties: self.optional(node.properties.as_ref(), scope)?,
                filter: self.optional(node.filter.as_ref(), scope)?,
            })
        });
        let nodes = nodes.collect::<Result<_>>()?;
        let relationships = pattern.relationships.iter().zip(slots).map(|(relationship, slot)| {
            Ok(RelationshipPattern {
                slot,
                types: relationship.types.clone(),
                direction: relationship.direction,
                length: relationship.length,
                properties: self.optional(relationship.properties.as_ref(), scope)?,
                filter: self.optional(relationship.filter.as_ref(), scope)?,
            })
        });
        let relationships = relationships.collect::<Result<_>>()?;
        let path = pattern.path.as_ref().map(|name| scope.introduce_new(name)).transpose()?;
        let shortest = pattern.shortest;
        Ok(Pattern { path, shortest, nodes, relationships, bound_below: before })
    }
}
