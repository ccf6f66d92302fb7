//! WITH and RETURN: aggregates are taken out of their expressions, and each part sees the variables
//! that it may.

use std::sync::Arc;

use super::binder::{Binder, Computed};
use super::scope::Scope;
use crate::ast::{self, Item};
use crate::bound::{Expression, Filter, Projection, SortKey};
use crate::error::{Error, Result};

impl Binder<'_> {
    pub fn projection(
        &self,
        projection: &ast::Projection,
        scope: &mut Scope,
    ) -> Result<Projection> {
        let kept = if projection.is_return { Scope::default() } else { self.kept.clone() };
        let starred = if projection.all { starred(projection, scope, &kept)? } else { Vec::new() };
        let items: Vec<&Item> = starred.iter().chain(&projection.items).collect();
        let taken = taken_aggregates(&items, &projection.order)?;
        let is_grouping = !taken.is_empty() || projection.distinct;
        let mut aggregates = Vec::with_capacity(taken.len());
        let mut computed = Vec::with_capacity(taken.len());
        for (index, expression) in taken.into_iter().enumerate() {
            let ast::Expression::Aggregate(aggregate) = expression else { continue };
            aggregates.push(self.aggregate(aggregate, scope)?);
            let stand_in = Expression::Aggregated(scope.width() + index);
            computed.push(Computed { expression, stand_in });
        }
        let mut wide = scope.with_nameless(aggregates.len());
        let binder = Binder { computed: &computed, ..*self };
        let bound = items.iter().map(|item| binder.expression(&item.expression, &wide));
        let bound = bound.collect::<Result<Vec<_>>>()?;
        let keys = if aggregates.is_empty() { Vec::new() } else { group_keys(&bound)? };
        if is_grouping {
            // A group has no one value for anything but its results.
            wide = wide.hidden();
        }
        let output = outputs(kept.clone(), &items)?;
        let first_result = wide.width();
        for item in &items {
            wide.add(&item.name);
        }
        if is_grouping {
            let results = items.iter().enumerate().map(|(index, item)| Computed {
                expression: &item.expression,
                stand_in: Expression::Variable(first_result + index),
            });
            computed = results.chain(computed).collect();
        }
        let order = self.sort_keys(&projection.order, &computed, &wide)?;
        let nothing = Scope::default();
        let skip = self.optional(projection.skip.as_ref(), &nothing)?;
        let limit = self.optional(projection.limit.as_ref(), &nothing)?;
        // WHERE after a plain WITH still sees what was there before.
        let is_plain = order.is_empty() && skip.is_none() && limit.is_none() && !is_grouping;
        let filter = match &projection.filter {
            None => None,
            Some(filter) if is_plain => Some(Filter::WithInput(self.expression(filter, &wide)?)),
            Some(filter) => Some(Filter::OfOutput(self.expression(filter, &output)?)),
        };
        let (kept, width) = (kept.width(), scope.width());
        *scope = output;
        Ok(Projection {
            distinct: projection.distinct,
            kept,
            width,
            aggregates,
            keys,
            items: bound,
            order,
            skip,
            limit,
            filter,
        })
    }

    /// A sort key that is the same expression as a result stands for that result.
    fn sort_keys(
        &self,
        keys: &[ast::SortKey],
        computed: &[Computed<'_>],
        scope: &Scope,
    ) -> Result<Vec<SortKey>> {
        let binder = Binder { computed, ..*self };
        let bound = keys.iter().map(|key| {
            let expression = binder.expression(&key.expression, scope)?;
            Ok(SortKey { expression, descending: key.descending })
        });
        bound.collect()
    }
}

/// `*` stands for every variable in alphabetical order; what stays in sight anyway needs no name.
fn starred(projection: &ast::Projection, scope: &Scope, kept: &Scope) -> Result<Vec<Item>> {
    let is_wanted = |name: &&Arc<str>| !name.is_empty() && kept.slot(name).is_none();
    let mut names: Vec<_> = scope.names().iter().filter(is_wanted).cloned().collect();
    if names.is_empty() && projection.is_return {
        return Err(Error::Semantic(
            "RETURN * is not allowed when there are no variables in scope".into(),
        ));
    }
    names.sort();
    names.dedup();
    let item = |name: Arc<str>| Item { expression: ast::Expression::Variable(name.clone()), name };
    Ok(names.into_iter().map(item).collect())
}

/// The aggregates of a projection, each of them once.
fn taken_aggregates<'a>(
    items: &[&'a Item],
    order: &'a [ast::SortKey],
) -> Result<Vec<&'a ast::Expression>> {
    let mut taken = Vec::new();
    items.iter().for_each(|item| take_aggregates(&item.expression, &mut taken));
    let is_aggregating = !taken.is_empty();
    order.iter().for_each(|key| take_aggregates(&key.expression, &mut taken));
    if !is_aggregating && !taken.is_empty() {
        return Err(Error::Semantic(
            "ORDER BY may only aggregate where the projection does".into(),
        ));
    }
    Ok(taken)
}

fn take_aggregates<'a>(expression: &'a ast::Expression, taken: &mut Vec<&'a ast::Expression>) {
    if matches!(expression, ast::Expression::Aggregate(_)) {
        if !taken.contains(&expression) {
            taken.push(expression);
        }
        return;
    }
    expression.children().into_iter().for_each(|child| take_aggregates(child, taken));
}

/// The variables after the projection.
fn outputs(kept: Scope, items: &[&Item]) -> Result<Scope> {
    let mut output = kept;
    for (index, item) in items.iter().enumerate() {
        if items[..index].iter().any(|other| other.name == item.name) {
            return Err(Error::Semantic(
                "Multiple result columns with the same name are not supported".into(),
            ));
        }
        output.add(&item.name);
    }
    Ok(output)
}

/// The places of the items that have no aggregate: they make the groups. Beside an aggregate only
/// they may stand, for anything else has no one value in the group.
fn group_keys(items: &[Expression]) -> Result<Vec<usize>> {
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
