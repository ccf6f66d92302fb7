//! SET and REMOVE: properties and labels of what is there.

use std::sync::Arc;

use super::writer::Writer;
use crate::bound::{Expression, RemoveItem, SetItem};
use crate::error::{Error, Result};
use crate::row::{Row, get};
use crate::store::Entity;
use crate::value::{Value, mismatch};

impl Writer {
    /// When items in a row set properties of the same variable, all values are computed before the
    /// first one is set.
    pub(super) fn set_all(&mut self, items: &[SetItem], row: &mut Row) -> Result<()> {
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

    /// Neo4j counts setting a property to null that is not there, but only where several properties
    /// are set together. The counters here agree with it.
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

    pub(super) fn remove(&mut self, item: &RemoveItem, row: &mut Row) -> Result<()> {
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
}

fn entity(value: &Value) -> Result<Option<Entity>> {
    match value {
        Value::Null => Ok(None),
        Value::Node(id) => Ok(Some(Entity::Node(*id))),
        Value::Relationship(id) => Ok(Some(Entity::Relationship(*id))),
        other => Err(mismatch("NODE or RELATIONSHIP", other)),
    }
}

/// The value as it is stored. The elements of a list have one type; integers and floats in one list
/// all become floats.
pub(super) fn storable(value: Value) -> Result<Value> {
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
