//! CREATE and MERGE: new nodes and relationships of a pattern.

use std::sync::Arc;

use super::property::storable;
use super::writer::Writer;
use crate::bound::{Expression, NodePattern, Pattern, RelationshipPattern, SetItem};
use crate::error::{Error, Result};
use crate::exec::matching::matches;
use crate::exec::rows::gather;
use crate::label::LabelExpression;
use crate::row::{Row, get, set};
use crate::store::Direction;
use crate::value::{Map, Path, Value, mismatch};

impl Writer {
    pub(super) fn create(&mut self, pattern: &Pattern, row: &mut Row) -> Result<()> {
        let mut nodes = Vec::with_capacity(pattern.nodes.len());
        for node in &pattern.nodes {
            nodes.push(self.node(pattern.bound_below, node, row)?);
        }
        let mut relationships = Vec::with_capacity(pattern.relationships.len());
        for (hop, relationship) in pattern.relationships.iter().enumerate() {
            relationships.push(self.relationship(
                relationship,
                (nodes[hop], nodes[hop + 1]),
                row,
            )?);
        }
        if let Some(slot) = pattern.path {
            set(row, slot, Value::Path(Arc::new(Path { nodes, relationships })));
        }
        Ok(())
    }

    /// A node of a pattern: the one that its variable has, or a new one.
    fn node(&mut self, bound_below: usize, node: &NodePattern, row: &mut Row) -> Result<u64> {
        if let Some(variable) = &node.variable {
            match get(row, variable.slot) {
                Value::Node(id) if node.labels.is_none() && node.properties.is_none() => {
                    return Ok(*id);
                }
                Value::Node(_) => {
                    return Err(Error::Semantic(format!(
                        "Variable `{}` already declared",
                        variable.name
                    )));
                }
                Value::Null if variable.slot >= bound_below => {}
                Value::Null => {
                    return Err(Error::Argument(format!(
                        "Failed to create relationship: node `{}` is missing. If you prefer to simply ignore rows where a relationship node is missing, use OPTIONAL MATCH with a filter",
                        variable.name
                    )));
                }
                other => return Err(mismatch("NODE", other)),
            }
        }
        let labels = match &node.labels {
            None => Vec::new(),
            Some(labels) => labels.names().ok_or_else(|| {
                Error::Semantic("CREATE takes plain labels, joined by ':' or '&'".into())
            })?,
        };
        let properties = self.stored(node.properties.as_ref(), row)?;
        let mut labels = labels;
        labels.sort();
        labels.dedup();
        self.counters.nodes_created += 1;
        self.counters.labels_added += labels.len() as i64;
        self.counters.properties_set += properties.len() as i64;
        let id = self.graph().create_node(labels, properties);
        if let Some(variable) = &node.variable {
            set(row, variable.slot, Value::Node(id));
        }
        Ok(id)
    }

    fn relationship(
        &mut self,
        relationship: &RelationshipPattern,
        (left, right): (u64, u64),
        row: &mut Row,
    ) -> Result<u64> {
        let Some(LabelExpression::Name(kind)) = relationship.types.clone() else {
            return Err(Error::Semantic(
                "Exactly one relationship type must be specified for CREATE. Did you forget to prefix your relationship type with a ':'?".into(),
            ));
        };
        if relationship.length.is_some() {
            return Err(Error::Semantic(
                "Variable length relationships cannot be used in CREATE".into(),
            ));
        }
        let properties = self.stored(relationship.properties.as_ref(), row)?;
        let (start, end) = match relationship.direction {
            Direction::Incoming => (right, left),
            // MERGE may leave the direction open. CREATE may not, which `check_directed` checks.
            Direction::Outgoing | Direction::Both => (left, right),
        };
        self.counters.relationships_created += 1;
        self.counters.properties_set += properties.len() as i64;
        let id = self.graph().create_relationship(start, end, kind, properties)?;
        if let Some(slot) = relationship.slot {
            set(row, slot, Value::Relationship(id));
        }
        Ok(id)
    }

    fn stored(&self, properties: Option<&Expression>, row: &mut Row) -> Result<Map> {
        let Some(properties) = properties else { return Ok(Map::new()) };
        let properties = match self.context.eval(properties, row)? {
            Value::Map(map) => map,
            other => return Err(mismatch("MAP", &other)),
        };
        let mut stored = Map::new();
        for (key, value) in properties.iter().filter(|(_, value)| !value.is_null()) {
            self.context.control.charge(value.size())?;
            stored.push((key.clone(), storable(value.clone())?));
        }
        Ok(stored)
    }

    pub(super) fn merge(
        &mut self,
        pattern: &Pattern,
        on_create: &[SetItem],
        on_match: &[SetItem],
        mut row: Row,
    ) -> Result<Vec<Row>> {
        self.context.control.check()?;
        self.check_merge(pattern, &mut row)?;
        let found = matches(&self.context, Arc::new([pattern.clone()]), row.clone())?;
        let mut found = gather(&self.context, found)?;
        let items = if found.is_empty() {
            self.create(pattern, &mut row)?;
            found.push(row);
            on_create
        } else {
            on_match
        };
        self.each(found, |writer, row| writer.set_all(items, row))
    }

    /// Refuses null for a property: it never matches, so MERGE would create a node each time.
    fn check_merge(&self, pattern: &Pattern, row: &mut Row) -> Result<()> {
        if pattern.relationships.iter().any(|relationship| relationship.length.is_some()) {
            return Err(Error::Semantic(
                "Variable length relationships cannot be used in MERGE".into(),
            ));
        }
        let properties = pattern.nodes.iter().filter_map(|node| node.properties.as_ref());
        for properties in
            properties.chain(pattern.relationships.iter().filter_map(|r| r.properties.as_ref()))
        {
            let Value::Map(map) = self.context.eval(properties, row)? else { continue };
            if let Some((key, _)) = map.iter().find(|(_, value)| value.is_null()) {
                return Err(Error::Semantic(format!(
                    "Cannot merge the following node because of null property value for '{key}'"
                )));
            }
        }
        Ok(())
    }
}

pub(super) fn check_directed(patterns: &[Pattern]) -> Result<()> {
    let mut relationships = patterns.iter().flat_map(|pattern| &pattern.relationships);
    match relationships.any(|relationship| relationship.direction == Direction::Both) {
        true => Err(Error::Semantic("Only directed relationships are supported in CREATE".into())),
        false => Ok(()),
    }
}
