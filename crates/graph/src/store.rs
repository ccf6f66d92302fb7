//! The graph itself, in persistent maps: a clone costs nothing, shares everything, and is a
//! snapshot. It keeps nodes, relationships and the label index consistent with one another.

use std::sync::Arc;

use imbl::{HashMap, OrdMap, OrdSet};

use crate::error::{Error, Result};
use crate::value::{Map, Value, map_get, map_set};

#[derive(Clone, Debug, Default)]
pub struct Graph {
    nodes: OrdMap<u64, Arc<Node>>,
    relationships: OrdMap<u64, Arc<Relationship>>,
    by_label: HashMap<Arc<str>, OrdSet<u64>>,
    next_node: u64,
    next_relationship: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Node {
    pub labels: Vec<Arc<str>>,
    pub properties: Map,
    outgoing: Vec<u64>,
    incoming: Vec<u64>,
}

#[derive(Clone, Debug)]
pub struct Relationship {
    pub start: u64,
    pub end: u64,
    pub kind: Arc<str>,
    pub properties: Map,
}

/// A node or a relationship.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entity {
    Node(u64),
    Relationship(u64),
}

/// Which relationships of a node, seen from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Outgoing,
    Incoming,
    Both,
}

impl Direction {
    /// The same relationships, seen from their other ends.
    pub fn reversed(self) -> Self {
        match self {
            Self::Outgoing => Self::Incoming,
            Self::Incoming => Self::Outgoing,
            Self::Both => Self::Both,
        }
    }
}

impl Graph {
    pub fn node(&self, id: u64) -> Option<&Node> {
        self.nodes.get(&id).map(Arc::as_ref)
    }

    pub fn relationship(&self, id: u64) -> Option<&Relationship> {
        self.relationships.get(&id).map(Arc::as_ref)
    }

    /// # Errors
    /// [`Error::Deleted`] if the node is gone.
    pub fn existing_node(&self, id: u64) -> Result<&Node> {
        self.node(id).ok_or_else(|| Entity::Node(id).deleted())
    }

    /// # Errors
    /// [`Error::Deleted`] if the relationship is gone.
    pub fn existing_relationship(&self, id: u64) -> Result<&Relationship> {
        self.relationship(id).ok_or_else(|| Entity::Relationship(id).deleted())
    }

    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Up to `count` ids of nodes from `from` on, with `label` if there is one: scans run in
    /// batches so that a cursor needs no borrow of the graph.
    pub fn node_ids(&self, label: Option<&str>, from: u64, count: usize) -> Vec<u64> {
        match label {
            Some(label) => {
                let Some(ids) = self.by_label.get(label) else { return Vec::new() };
                ids.range(from..).take(count).copied().collect()
            }
            None => self.nodes.range(from..).take(count).map(|(id, _)| *id).collect(),
        }
    }

    pub fn labelled(&self, label: &str) -> usize {
        self.by_label.get(label).map_or(0, OrdSet::len)
    }

    /// Labels that some node has, in alphabetical order.
    pub fn labels(&self) -> Vec<Arc<str>> {
        let used = self.by_label.iter().filter(|(_, ids)| !ids.is_empty());
        sorted(used.map(|(label, _)| label.clone()).collect())
    }

    pub fn relationship_types(&self) -> Vec<Arc<str>> {
        sorted(self.relationships.iter().map(|(_, r)| r.kind.clone()).collect())
    }

    pub fn property_keys(&self) -> Vec<Arc<str>> {
        let of_nodes = self.nodes.iter().flat_map(|(_, node)| &node.properties);
        let of_relationships = self.relationships.iter().flat_map(|(_, r)| &r.properties);
        sorted(of_nodes.chain(of_relationships).map(|(key, _)| key.clone()).collect())
    }

    /// Relationships of a node; a loop appears once.
    pub fn relationships_of(&self, node: u64, direction: Direction) -> Vec<u64> {
        let Some(node) = self.node(node) else { return Vec::new() };
        match direction {
            Direction::Outgoing => node.outgoing.clone(),
            Direction::Incoming => node.incoming.clone(),
            Direction::Both => {
                let is_loop = |id: &&u64| self.relationship(**id).is_some_and(|r| r.start == r.end);
                let incoming = node.incoming.iter().filter(|id| !is_loop(id));
                node.outgoing.iter().chain(incoming).copied().collect()
            }
        }
    }

    /// # Errors
    /// [`Error::Deleted`] if the entity is gone.
    pub fn properties(&self, entity: Entity) -> Result<&Map> {
        match entity {
            Entity::Node(id) => self.node(id).map(|node| &node.properties),
            Entity::Relationship(id) => self.relationship(id).map(|r| &r.properties),
        }
        .ok_or_else(|| entity.deleted())
    }

    pub fn property(&self, entity: Entity, key: &str) -> Result<Value> {
        Ok(map_get(self.properties(entity)?, key).cloned().unwrap_or(Value::Null))
    }

    pub fn create_node(&mut self, labels: Vec<Arc<str>>, properties: Map) -> u64 {
        let id = self.next_node;
        self.next_node += 1;
        self.nodes.insert(id, Arc::default());
        labels.into_iter().for_each(|label| {
            self.add_label(id, label);
        });
        self.node_mut(id).expect("just inserted").properties = properties;
        id
    }

    pub fn create_relationship(
        &mut self,
        start: u64,
        end: u64,
        kind: Arc<str>,
        properties: Map,
    ) -> Result<u64> {
        let id = self.next_relationship;
        for node in [start, end] {
            self.existing_node(node)?;
        }
        self.next_relationship += 1;
        self.node_mut(start)?.outgoing.push(id);
        self.node_mut(end)?.incoming.push(id);
        self.relationships.insert(id, Arc::new(Relationship { start, end, kind, properties }));
        Ok(id)
    }

    /// Adds a label; `false` if the node had it.
    pub fn add_label(&mut self, node: u64, label: Arc<str>) -> bool {
        let Ok(labels) = self.node_mut(node).map(|node| &mut node.labels) else { return false };
        if labels.contains(&label) {
            return false;
        }
        labels.push(label.clone());
        self.by_label.entry(label).or_default().insert(node);
        true
    }

    /// Removes a label; `false` if the node did not have it.
    pub fn remove_label(&mut self, node: u64, label: &str) -> bool {
        let Ok(labels) = self.node_mut(node).map(|node| &mut node.labels) else { return false };
        let Some(index) = labels.iter().position(|have| &**have == label) else { return false };
        labels.remove(index);
        if let Some(ids) = self.by_label.get_mut(label) {
            ids.remove(&node);
        }
        true
    }

    /// Sets a property, or removes it with null.
    pub fn set_property(&mut self, entity: Entity, key: &Arc<str>, value: Value) -> Result<()> {
        let properties = match entity {
            Entity::Node(id) => &mut self.node_mut(id)?.properties,
            Entity::Relationship(id) => {
                let relationship =
                    self.relationships.get_mut(&id).ok_or_else(|| entity.deleted())?;
                &mut Arc::make_mut(relationship).properties
            }
        };
        map_set(properties, key, value);
        Ok(())
    }

    /// Deletes a node that has no relationships; `false` if it was gone already.
    pub fn delete_node(&mut self, id: u64) -> Result<bool> {
        let Some(node) = self.nodes.get(&id) else { return Ok(false) };
        if !node.outgoing.is_empty() || !node.incoming.is_empty() {
            return Err(Error::StillConnected(id));
        }
        for label in node.labels.clone() {
            self.remove_label(id, &label);
        }
        self.nodes.remove(&id);
        Ok(true)
    }

    /// Deletes a relationship; `false` if it was gone already.
    pub fn delete_relationship(&mut self, id: u64) -> bool {
        let Some(relationship) = self.relationships.remove(&id) else { return false };
        if let Ok(start) = self.node_mut(relationship.start) {
            start.outgoing.retain(|other| *other != id);
        }
        if let Ok(end) = self.node_mut(relationship.end) {
            end.incoming.retain(|other| *other != id);
        }
        true
    }

    fn node_mut(&mut self, id: u64) -> Result<&mut Node> {
        self.nodes.get_mut(&id).map(Arc::make_mut).ok_or_else(|| Entity::Node(id).deleted())
    }
}

impl Entity {
    fn deleted(self) -> Error {
        match self {
            Self::Node(id) => Error::Deleted { kind: "node", id },
            Self::Relationship(id) => Error::Deleted { kind: "relationship", id },
        }
    }
}

fn sorted(mut names: Vec<Arc<str>>) -> Vec<Arc<str>> {
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_is_a_snapshot() {
        let mut graph = Graph::default();
        let id = graph.create_node(vec!["A".into()], Vec::new());
        let before = graph.clone();
        graph.set_property(Entity::Node(id), &"x".into(), Value::Integer(1)).unwrap();
        graph.remove_label(id, "A");
        assert_eq!(before.property(Entity::Node(id), "x"), Ok(Value::Null));
        assert_eq!(before.node_ids(Some("A"), 0, 10), [id]);
        assert_eq!(graph.node_ids(Some("A"), 0, 10), [0; 0]);
    }

    #[test]
    fn a_loop_is_one_relationship_from_every_side() {
        let mut graph = Graph::default();
        let id = graph.create_node(Vec::new(), Vec::new());
        let r = graph.create_relationship(id, id, "SELF".into(), Vec::new()).unwrap();
        assert_eq!(graph.relationships_of(id, Direction::Both), [r]);
        assert_eq!(graph.delete_node(id), Err(Error::StillConnected(id)));
        assert!(graph.delete_relationship(r));
        assert_eq!(graph.delete_node(id), Ok(true));
    }
}
