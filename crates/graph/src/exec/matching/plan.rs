//! The order in which the parts of patterns are looked for in the graph.

use crate::bound::{NodePattern, Pattern};
use crate::context::Context;
use crate::error::Result;
use crate::exec::shortest;
use crate::label::LabelExpression;

/// One decision of the search.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub pattern: usize,
    pub kind: StepKind,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum StepKind {
    /// Find candidates for a node. With `bound`, its variable has a value already.
    Scan { node: usize, bound: bool },
    /// Follow a relationship from one node of the pattern to the next one, or the one before.
    Expand { hop: usize, forwards: bool, target_bound: bool },
    /// Join two known nodes by shortest paths.
    Shortest,
}

/// The order of steps. Every pattern begins at a node that is known already, or else at the node
/// with the rarest label, and grows from there to both sides.
pub(super) fn plan(context: &Context, patterns: &[Pattern]) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    for (index, pattern) in patterns.iter().enumerate() {
        let is_bound = |bound: &[usize], node: &NodePattern| {
            node.variable
                .as_ref()
                .is_some_and(|v| v.slot < pattern.bound_below || bound.contains(&v.slot))
        };
        let known = |steps: &[Step]| -> Vec<usize> {
            steps.iter().filter_map(|step| step_slot(patterns, *step)).collect()
        };
        let step = |kind| Step { pattern: index, kind };
        if pattern.shortest.is_some() {
            shortest::check_shape(pattern)?;
            for node in 0..2 {
                let bound = is_bound(&known(&steps), &pattern.nodes[node]);
                steps.push(step(StepKind::Scan { node, bound }));
            }
            steps.push(step(StepKind::Shortest));
            continue;
        }
        let cost = |node: &NodePattern, bound: &[usize]| {
            if is_bound(bound, node) {
                return 0;
            }
            1 + scan_label(node)
                .map_or(context.graph.node_count(), |label| context.graph.labelled(label))
        };
        let before = known(&steps);
        let start = (0..pattern.nodes.len())
            .min_by_key(|node| cost(&pattern.nodes[*node], &before))
            .expect("a pattern has a node");
        let bound = is_bound(&before, &pattern.nodes[start]);
        steps.push(step(StepKind::Scan { node: start, bound }));
        let forwards = (start..pattern.relationships.len()).map(|hop| (hop, true));
        let backwards = (0..start).rev().map(|hop| (hop, false));
        for (hop, forwards) in forwards.chain(backwards) {
            let target = &pattern.nodes[if forwards { hop + 1 } else { hop }];
            let target_bound = is_bound(&known(&steps), target);
            steps.push(step(StepKind::Expand { hop, forwards, target_bound }));
        }
    }
    Ok(steps)
}

/// The slot of the node that a step finds.
fn step_slot(patterns: &[Pattern], step: Step) -> Option<usize> {
    let place = match step.kind {
        StepKind::Scan { node, .. } => node,
        StepKind::Expand { hop, forwards, .. } => hop + usize::from(forwards),
        StepKind::Shortest => return None,
    };
    patterns[step.pattern].nodes[place].variable.as_ref().map(|variable| variable.slot)
}

pub(super) fn scan_label(node: &NodePattern) -> Option<&str> {
    match node.labels.as_ref()? {
        LabelExpression::Name(name) => Some(name),
        LabelExpression::And(all) => all.iter().find_map(|label| match label {
            LabelExpression::Name(name) => Some(&**name),
            _ => None,
        }),
        _ => None,
    }
}
