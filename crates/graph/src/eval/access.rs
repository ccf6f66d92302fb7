//! Parts of values: properties, labels, elements of lists.

use crate::context::Context;
use crate::error::Result;
use crate::functions;
use crate::functions::temporal;
use crate::label::LabelExpression;
use crate::store::Entity;
use crate::value::{Value, map_get, mismatch};

impl Context {
    pub fn property(&self, value: &Value, key: &str) -> Result<Value> {
        match value {
            Value::Null => Ok(Value::Null),
            Value::Node(id) => self.graph.property(Entity::Node(*id), key),
            Value::Relationship(id) => self.graph.property(Entity::Relationship(*id), key),
            Value::Map(map) => Ok(map_get(map, key).cloned().unwrap_or(Value::Null)),
            Value::Point(point) => functions::point_component(point, key),
            Value::Date(_)
            | Value::LocalTime(_)
            | Value::Time(_)
            | Value::LocalDateTime(_)
            | Value::DateTime(_)
            | Value::Duration(_) => temporal::component(value, key),
            other => Err(mismatch("a map, a node, a relationship or a temporal value", other)),
        }
    }

    pub(super) fn has_labels(&self, value: &Value, labels: &LabelExpression) -> Result<Value> {
        match value {
            Value::Null => Ok(Value::Null),
            Value::Node(id) => Ok(labels.matches(&self.graph.existing_node(*id)?.labels).into()),
            Value::Relationship(id) => {
                let relationship = self.graph.existing_relationship(*id)?;
                Ok(labels.matches(std::slice::from_ref(&relationship.kind)).into())
            }
            other => Err(mismatch("a node or a relationship", other)),
        }
    }

    pub(super) fn index(&self, inner: &Value, index: &Value) -> Result<Value> {
        match (inner, index) {
            (Value::Null, _) | (_, Value::Null) => Ok(Value::Null),
            (Value::List(list), Value::Integer(index)) => {
                let index = if *index < 0 { *index + list.len() as i64 } else { *index };
                let found = usize::try_from(index).ok().and_then(|index| list.get(index));
                Ok(found.cloned().unwrap_or(Value::Null))
            }
            (Value::List(_), other) => Err(mismatch("INTEGER", other)),
            (_, Value::String(key)) => self.property(inner, key),
            (_, other) => Err(mismatch("STRING", other)),
        }
    }
}

pub(super) fn slice(list: &Value, from: Option<Value>, to: Option<Value>) -> Result<Value> {
    let list = match list {
        Value::Null => return Ok(Value::Null),
        Value::List(list) => list,
        other => return Err(mismatch("LIST<ANY>", other)),
    };
    let length = list.len() as i64;
    let bound = |value: Option<Value>, default: i64| match value {
        None => Ok(Some(default)),
        Some(Value::Null) => Ok(None),
        Some(Value::Integer(index)) if index < 0 => Ok(Some((index + length).max(0))),
        Some(Value::Integer(index)) => Ok(Some(index.min(length))),
        Some(other) => Err(mismatch("INTEGER", &other)),
    };
    let (Some(from), Some(to)) = (bound(from, 0)?, bound(to, length)?) else {
        return Ok(Value::Null);
    };
    let part = list.get(from as usize..to.max(from) as usize).unwrap_or_default();
    Ok(Value::list(part.to_vec()))
}
