//! DELETE: what it names is gathered from all rows first, and deleted together.

use super::writer::Writer;
use crate::bound::Expression;
use crate::error::Result;
use crate::row::Row;
use crate::store::Direction;
use crate::value::{Value, mismatch};

impl Writer {
    pub(super) fn delete_all(
        &mut self,
        detach: bool,
        targets: &[Expression],
        rows: Vec<Row>,
    ) -> Result<Vec<Row>> {
        let (mut nodes, mut relationships) = (Vec::new(), Vec::new());
        let rows = self.each(rows, |writer, row| {
            targets.iter().try_for_each(|target| {
                let target = writer.context.eval(target, row)?;
                collect_targets(&target, &mut nodes, &mut relationships)
            })
        })?;
        self.delete(detach, nodes, relationships)?;
        Ok(rows)
    }

    /// Deletes relationships first, so that a clause may delete a node together with all of its
    /// relationships.
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
