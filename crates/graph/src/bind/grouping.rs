//! Aggregates: they are taken out of the expressions of a projection, computed for each group, and
//! their results stand in a row of the group.

use super::binder::{Binder, Computed};
use super::scope::Scope;
use crate::ast::{self, Item};
use crate::bound::{Aggregate, Expression};
use crate::error::{Error, Result};

impl Binder<'_> {
    /// The aggregates of a projection, each of them once, and what stands for each of them: their
    /// results follow the variables in `scope`.
    pub fn aggregates<'a>(
        &self,
        items: &[&'a Item],
        order: &'a [ast::SortKey],
        scope: &Scope,
    ) -> Result<(Vec<Aggregate>, Vec<Computed<'a>>)> {
        let mut taken = Vec::new();
        items.iter().for_each(|item| take_aggregates(&item.expression, &mut taken));
        let is_aggregating = !taken.is_empty();
        order.iter().for_each(|key| take_aggregates(&key.expression, &mut taken));
        if !is_aggregating && !taken.is_empty() {
            return Err(Error::Semantic(
                "ORDER BY may only aggregate where the projection does".into(),
            ));
        }
        let (mut aggregates, mut results) = (Vec::new(), Vec::new());
        for (index, (expression, aggregate)) in taken.into_iter().enumerate() {
            aggregates.push(self.aggregate(aggregate, scope)?);
            let stand_in = Expression::Aggregated(scope.width() + index);
            results.push(Computed { expression, stand_in });
        }
        Ok((aggregates, results))
    }
}

fn take_aggregates<'a>(
    expression: &'a ast::Expression,
    taken: &mut Vec<(&'a ast::Expression, &'a ast::Aggregate)>,
) {
    let ast::Expression::Aggregate(aggregate) = expression else {
        expression.children().into_iter().for_each(|child| take_aggregates(child, taken));
        return;
    };
    if !taken.iter().any(|(_, known)| *known == aggregate) {
        taken.push((expression, aggregate));
    }
}

/// The places of the items that have no aggregate: they make the groups. Beside an aggregate only
/// they may stand, for anything else has no one value in the group.
pub(super) fn group_keys(items: &[Expression]) -> Result<Vec<usize>> {
    let places: Vec<usize> =
        (0..items.len()).filter(|place| !is_aggregated(&items[*place])).collect();
    let keys: Vec<Expression> = places.iter().map(|place| items[*place].clone()).collect();
    let mut aggregated = items.iter().filter(|item| is_aggregated(item));
    if aggregated.all(|item| is_covered(item, &keys)) {
        Ok(places)
    } else {
        Err(Error::Semantic(
            "Aggregation column contains implicit grouping expressions: name them in a WITH before"
                .into(),
        ))
    }
}

fn is_aggregated(expression: &Expression) -> bool {
    matches!(expression, Expression::Aggregated(_))
        || expression.children().into_iter().any(is_aggregated)
}

fn is_covered(expression: &Expression, keys: &[Expression]) -> bool {
    if keys.contains(expression) {
        return true;
    }
    // The variables that an expression brings itself are no keys, but have one value all the same.
    let own = match expression {
        Expression::Variable(_)
        | Expression::PatternComprehension { .. }
        | Expression::Subquery { .. } => return false,
        Expression::ListComprehension { slot, .. } | Expression::Quantifier { slot, .. } => {
            vec![*slot]
        }
        Expression::Reduce { accumulator, slot, .. } => vec![*accumulator, *slot],
        _ => Vec::new(),
    };
    let keys: Vec<_> =
        keys.iter().cloned().chain(own.into_iter().map(Expression::Variable)).collect();
    expression.children().into_iter().all(|child| is_covered(child, &keys))
}
