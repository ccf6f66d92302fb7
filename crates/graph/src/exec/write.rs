//! CREATE, MERGE, SET, REMOVE, DELETE and FOREACH. A statement that fails half-way leaves a graph
//! that nobody may see: the transaction drops it.

use std::sync::Arc;

use super::{Rows, apply, beside, gather, matches, union};
use crate::bound::{
    Clause, Expression, NodePattern, Pattern, Query, RelationshipPattern, RemoveItem, SetItem,
};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::label::LabelExpression;
use crate::row::{Row, get, set};
use crate::store::{Direction, Entity, Graph};
use crate::value::mismatch;
use crate::value::{Map, Path, Value};

/// What a statement changed, in the words of Neo4j's `stats`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub nodes_created: i64,
    pub nodes_deleted: i64,
    pub relationships_created: i64,
    pub relationships_deleted: i64,
    pub properties_set: i64,
    pub labels_added: i64,
    pub labels_removed: i64,
    pub indexes_added: i64,
    pub indexes_removed: i64,
}

/// Runs one query that writes, in its own version of the graph.
pub struct Writer {
    pub context: Context,
    pub counters: Counters,
}

impl Writer {
    pub fn query(&mut self, query: &Query, row: &Row) -> Result<Vec<Row>> {
        let outer = std::mem::replace(&mut self.context.outer, Arc::new(row.clone()));
        let rows = self.parts(query, row);
        self.context.outer = outer;
        rows
    }

    fn parts(&mut self, query: &Query, row: &Row) -> Result<Vec<Row>> {
        let mut parts: Vec<Rows> = Vec::new();
        for part in &query.parts {
            let mut rows = vec![row.clone()];
            for clause in part {
                rows = self.clause(clause, rows)?;
            }
            parts.push(Box::new(rows.into_iter().map(Ok)));
        }
        let rows = union(&self.context, parts, query.keeps_duplicates);
        rows.collect()
    }

    fn clause(&mut self, clause: &Clause, rows: Vec<Row>) -> Result<Vec<Row>> {
        match clause {
            Clause::Create(patterns) => self.each(rows, |writer, row| {
                check_directed(patterns)?;
                patterns.iter().try_for_each(|pattern| writer.create(pattern, row))
            }),
            Clause::Merge { pattern, on_create, on_match } => {
                let mut merged = Vec::new();
                for row in rows {
                    merged.append(&mut self.merge(pattern, on_create, on_match, row)?);
                }
                Ok(merged)
            }
            Clause::Set(items) => self.each(rows, |writer, row| writer.set_all(items, row)),
            Clause::Remove(items) => self.each(rows, |writer, row| {
                items.iter().try_for_each(|item| writer.remove(item, row))
            }),
            Clause::Delete { detach, targets } => {
                let (mut nodes, mut relationships) = (Vec::new(), Vec::new());
                let rows = self.each(rows, |writer, row| {
                    targets.iter().try_for_each(|target| {
                        let target = writer.context.eval(target, row)?;
                        collect_targets(&target, &mut nodes, &mut relationships)
                    })
                })?;
                self.delete(*detach, nodes, relationships)?;
                Ok(rows)
            }
            Clause::Foreach { slot, list, body } => self.each(rows, |writer, row| {
                let items = match writer.context.eval(list, row)? {
                    Value::Null => return Ok(()),
                    Value::List(items) => items,
                    other => return Err(mismatch("LIST<ANY>", &other)),
                };
                for item in items.iter() {
                    let mut inner = row.clone();
                    set(&mut inner, *slot, item.clone());
                    body.iter()
                        .try_fold(vec![inner], |rows, clause| writer.clause(clause, rows))?;
                }
                Ok(())
            }),
            Clause::Subquery { query, optional, width, .. } if query.writes => {
                let mut results = Vec::new();
                for row in rows {
                    let inner = self.query(query, &row)?;
                    let inner: Rows = Box::new(inner.into_iter().map(Ok));
                    let rows = beside(row, *width, inner, query.returns, *optional);
                    results.append(&mut gather(&self.context, rows)?);
                }
                Ok(results)
            }
            reading => {
                let input: Rows = Box::new(rows.into_iter().map(Ok));
                gather(&self.context, apply(&self.context, reading, input)?)
            }
        }
    }

    fn each(
        &mut self,
        mut rows: Vec<Row>,
        mut change: impl FnMut(&mut Self, &mut Row) -> Result<()>,
    ) -> Result<Vec<Row>> {
        for row in &mut rows {
            self.context.control.check()?;
            change(self, row)?;
        }
        Ok(rows)
    }

    /// The graph to change; nobody else holds this version while a clause runs.
    fn graph(&mut self) -> &mut Graph {
        Arc::make_mut(&mut self.context.graph)
    }

    fn create(&mut self, pattern: &Pattern, row: &mut Row) -> Result<()> {
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
            // MERGE may leave the direction open; CREATE may not, see `create`.
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

    fn merge(
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

    /// A null would never match, so MERGE would create a node each time.
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

    /// Neighbouring properties of one variable are all computed before the first one is set.
    fn set_all(&mut self, items: &[SetItem], row: &mut Row) -> Result<()> {
        let target = |item: &SetItem| match item {
            SetItem::Property { target: Expression::Variable(slot), .. } => Some(*slot),
            _ => None,
        };
        for group in items.chunk_by(|a, b| target(a).is_some() && target(a) == target(b)) {
            let [first @ SetItem::Property { .. }, _, ..] = group else {
                group.iter().try_for_each(|item| self.set(item, row))?;
                continue;
            };
            let mut changes = Vec::with_capacity(group.len());
            for item in group {
                let SetItem::Property { key, value, .. } = item else { continue };
                changes.push((key, self.context.eval(value, row)?));
            }
            let slot = target(first).expect("a group of several has one target");
            let Some(entity) = entity(get(row, slot))? else { continue };
            for (key, value) in changes {
                self.count_absent(entity, key, &value)?;
                self.set_property(entity, key, value)?;
            }
        }
        Ok(())
    }

    fn set(&mut self, item: &SetItem, row: &mut Row) -> Result<()> {
        match item {
            SetItem::Property { target, key, value } => {
                let value = self.context.eval(value, row)?;
                let Some(entity) = entity(&self.context.eval(target, row)?)? else { return Ok(()) };
                self.set_property(entity, key, value)
            }
            SetItem::Properties { slot, value, merge } => {
                let Some(entity) = entity(get(row, *slot))? else { return Ok(()) };
                let new = match self.context.eval(value, row)? {
                    Value::Null => return Err(mismatch("MAP, NODE or RELATIONSHIP", &Value::Null)),
                    value => self.context.properties(&value)?,
                };
                if !*merge {
                    let old = self.context.graph.properties(entity)?.clone();
                    let is_gone = |key: &Arc<str>| !new.iter().any(|(other, _)| other == key);
                    for (key, _) in old.iter().filter(|(key, _)| is_gone(key)) {
                        self.set_property(entity, key, Value::Null)?;
                    }
                }
                for (key, value) in &new {
                    if *merge {
                        self.count_absent(entity, key, value)?;
                    }
                    self.set_property(entity, key, value.clone())?;
                }
                Ok(())
            }
            SetItem::Labels { slot, labels } => match get(row, *slot) {
                Value::Null => Ok(()),
                Value::Node(id) => {
                    let id = *id;
                    self.context.graph.properties(Entity::Node(id))?;
                    for label in labels {
                        let added = self.graph().add_label(id, label.clone());
                        self.counters.labels_added += i64::from(added);
                    }
                    Ok(())
                }
                other => Err(mismatch("NODE", other)),
            },
        }
    }

    /// Neo4j counts a property that is not there and is set to null, but only where several are set.
    fn count_absent(&mut self, entity: Entity, key: &Arc<str>, value: &Value) -> Result<()> {
        let is_absent = value.is_null() && self.context.graph.property(entity, key)?.is_null();
        self.counters.properties_set += i64::from(is_absent);
        Ok(())
    }

    fn set_property(&mut self, entity: Entity, key: &Arc<str>, value: Value) -> Result<()> {
        self.context.control.charge(value.size())?;
        let value = storable(value)?;
        let is_absent = self.context.graph.property(entity, key)?.is_null();
        if value.is_null() && is_absent {
            return Ok(());
        }
        self.counters.properties_set += 1;
        self.graph().set_property(entity, key, value)
    }

    fn remove(&mut self, item: &RemoveItem, row: &mut Row) -> Result<()> {
        match item {
            RemoveItem::Property { target, key } => match entity(&self.context.eval(target, row)?)?
            {
                Some(entity) => self.set_property(entity, key, Value::Null),
                None => Ok(()),
            },
            RemoveItem::Labels { slot, labels } => match get(row, *slot) {
                Value::Null => Ok(()),
                Value::Node(id) => {
                    let id = *id;
                    for label in labels {
                        let removed = self.graph().remove_label(id, label);
                        self.counters.labels_removed += i64::from(removed);
                    }
                    Ok(())
                }
                other => Err(mismatch("NODE", other)),
            },
        }
    }

    /// Relationships first, so that a clause may delete a node together with all that it has.
    fn delete(&mut self, detach: bool, nodes: Vec<u64>, mut relationships: Vec<u64>) -> Result<()> {
        if detach {
            let attached = nodes
                .iter()
                .flat_map(|node| self.context.graph.relationships_of(*node, Direction::Both));
            relationships.extend(attached);
        }
        for id in relationships {
            self.context.control.check()?;
            self.counters.relationships_deleted += i64::from(self.graph().delete_relationship(id));
        }
        for id in nodes {
            self.context.control.check()?;
            self.counters.nodes_deleted += i64::from(self.graph().delete_node(id)?);
        }
        Ok(())
    }
}

fn check_directed(patterns: &[Pattern]) -> Result<()> {
    let mut relationships = patterns.iter().flat_map(|pattern| &pattern.relationships);
    match relationships.any(|relationship| relationship.direction == Direction::Both) {
        true => Err(Error::Semantic("Only directed relationships are supported in CREATE".into())),
        false => Ok(()),
    }
}

fn collect_targets(
    value: &Value,
    nodes: &mut Vec<u64>,
    relationships: &mut Vec<u64>,
) -> Result<()> {
    match value {
        Value::Null => {}
        Value::Node(id) => nodes.push(*id),
        Value::Relationship(id) => relationships.push(*id),
        Value::Path(path) => {
            nodes.extend(&path.nodes);
            relationships.extend(&path.relationships);
        }
        other => return Err(mismatch("NODE, RELATIONSHIP or PATH", other)),
    }
    Ok(())
}

fn entity(value: &Value) -> Result<Option<Entity>> {
    match value {
        Value::Null => Ok(None),
        Value::Node(id) => Ok(Some(Entity::Node(*id))),
        Value::Relationship(id) => Ok(Some(Entity::Relationship(*id))),
        other => Err(mismatch("NODE or RELATIONSHIP", other)),
    }
}

/// The value as it is stored: a list has elements of one type, integers among floats become floats.
fn storable(value: Value) -> Result<Value> {
    let refused = || {
        Error::Type(format!(
            "Property values can only be of primitive types or arrays thereof. Encountered: {}.",
            value.type_name()
        ))
    };
    if !value.is_storable() {
        return Err(refused());
    }
    let Value::List(list) = &value else { return Ok(value) };
    let first = list.first().map(Value::type_name);
    if list.iter().all(|item| Some(item.type_name()) == first) {
        return Ok(value);
    }
    let floats: Option<Vec<Value>> =
        list.iter().map(|item| item.as_float().map(Value::Float)).collect();
    floats.map(Value::list).ok_or_else(|| Error::Type("Neo4j only supports a subset of Cypher types for storage as singleton or array properties. A list must have elements of one type.".into()))
}
