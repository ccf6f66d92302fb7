//! Functions of nodes, relationships and paths, and the few that take nothing but the query's own
//! surroundings.

use rand::RngExt;

use super::function::{Call, Function};
use crate::error::Result;
use crate::value::{Path, Value, mismatch};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("id", |call| match call.arguments {
        [Value::Node(id) | Value::Relationship(id)] => Ok(Value::Integer(*id as i64)),
        _ => null_or_mismatch(call),
    }),
    Function::new("elementid", |call| match call.arguments {
        [value @ (Value::Node(_) | Value::Relationship(_))] => Ok(element_id(value).into()),
        _ => null_or_mismatch(call),
    }),
    Function::new("labels", labels),
    Function::new("type", |call| match call.arguments {
        [Value::Relationship(id)] => {
            Ok(call.context.graph.existing_relationship(*id)?.kind.clone().into())
        }
        _ => null_or_mismatch(call),
    }),
    Function::new("startnode", |call| match call.arguments {
        [Value::Relationship(id)] => {
            Ok(Value::Node(call.context.graph.existing_relationship(*id)?.start))
        }
        _ => null_or_mismatch(call),
    }),
    Function::new("endnode", |call| match call.arguments {
        [Value::Relationship(id)] => {
            Ok(Value::Node(call.context.graph.existing_relationship(*id)?.end))
        }
        _ => null_or_mismatch(call),
    }),
    Function::new("properties", |call| match call.arguments {
        [Value::Null] => Ok(Value::Null),
        [value] => call.context.properties(value).map(Value::map),
        _ => Err(call.unknown()),
    }),
    Function::new("keys", keys),
    Function::new("nodes", |call| of_path(call, nodes)),
    Function::new("relationships", |call| of_path(call, relationships)),
    Function::new("rels", |call| of_path(call, relationships)),
    Function::new("length", |call| {
        of_path(call, |path| Value::Integer(path.relationships.len() as i64))
    }),
    Function::new("randomuuid", |call| match call.arguments {
        [] => Ok(random_uuid().into()),
        _ => Err(call.unknown()),
    }),
    Function::new("timestamp", |call| match call.arguments {
        [] => Ok(Value::Integer(call.context.now.milliseconds())),
        _ => Err(call.unknown()),
    }),
];

/// The form that this engine's `elementId()` and Bolt structures share.
pub fn element_id(value: &Value) -> String {
    match value {
        Value::Node(id) => format!("4:{ELEMENT_STORE}:{id}"),
        Value::Relationship(id) => format!("5:{ELEMENT_STORE}:{id}"),
        _ => String::new(),
    }
}

/// What remains for a function of one node or relationship when it got something else.
fn null_or_mismatch(call: &Call<'_>) -> Result<Value> {
    match call.arguments {
        [Value::Null] => Ok(Value::Null),
        [other] => Err(mismatch("a node or a relationship", other)),
        _ => Err(call.unknown()),
    }
}

fn labels(call: &Call<'_>) -> Result<Value> {
    let [Value::Node(id)] = call.arguments else { return null_or_mismatch(call) };
    let labels = call.context.graph.existing_node(*id)?.labels.iter();
    Ok(Value::list(labels.map(|label| Value::String(label.clone())).collect()))
}

fn keys(call: &Call<'_>) -> Result<Value> {
    match call.arguments {
        [Value::Null] => Ok(Value::Null),
        [value] => {
            let mut map = call.context.properties(value)?;
            map.sort_by(|a, b| a.0.cmp(&b.0));
            Ok(Value::list(map.into_iter().map(|(key, _)| Value::String(key)).collect()))
        }
        _ => Err(call.unknown()),
    }
}

fn of_path(call: &Call<'_>, function: fn(&Path) -> Value) -> Result<Value> {
    match call.arguments {
        [Value::Null] => Ok(Value::Null),
        [Value::Path(path)] => Ok(function(path)),
        [other] => Err(mismatch("PATH", other)),
        _ => Err(call.unknown()),
    }
}

fn nodes(path: &Path) -> Value {
    Value::list(path.nodes.iter().map(|id| Value::Node(*id)).collect())
}

fn relationships(path: &Path) -> Value {
    Value::list(path.relationships.iter().map(|id| Value::Relationship(*id)).collect())
}

fn random_uuid() -> String {
    let mut bytes: [u8; 16] = rand::rng().random();
    bytes[6] = bytes[6] & 0x0F | 0x40;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Where Neo4j has the database's id.
const ELEMENT_STORE: &str = "5a6d0b0c-1e5c-4b0e-8f53-0b0171b01700";
