//! WITH and RETURN: aggregates are taken out of their expressions, and each part sees the variables
//! that it may.

use std::sync::Arc;

use super::{Binder, Scope};
use crate::ast::{Aggregate, Expression, Item, Projection, Variable};
use crate::error::{Error, Result};

impl Binder<'_> {
    pub(super) fn projection(&self, projection: &mut Projection, scope: &mut Scope) -> Result<()> {
        if projection.all {
            expand_star(projection, scope, &self.kept)?;
        }
        projection.width = scope.names.len();
        projection.kept = if projection.is_return { 0 } else { self.kept.names.len() };
        let aggregates = self.aggregates(projection, scope)?;
        let is_grouping = !aggregates.is_empty() || projection.distinct;
        if is_grouping {
            name_results(projection);
        }
        let mut wide = scope.clone();
        wide.names.extend(aggregates.iter().map(|_| Arc::from("")));
        for item in &mut projection.items {
            self.expression(&mut item.expression, &wide)?;
        }
        if !aggregates.is_empty() {
            check_implicit_keys(&projection.items)?;
        }
        projection.aggregates = aggregates;
        if is_grouping {
            // A group has no one value for anything but its results.
            wide = wide.hidden();
        }
        let output = self.outputs(projection)?;
        wide.names.extend(projection.items.iter().map(|item| item.name.clone()));
        for key in &mut projection.order {
            self.expression(&mut key.expression, &wide)?;
        }
        let nothing = Scope::default();
        self.optional(projection.skip.as_mut(), &nothing)?;
        self.optional(projection.limit.as_mut(), &nothing)?;
        // WHERE behind a plain WITH still sees what was there before.
        let is_plain =
            projection.order.is_empty() && projection.skip.is_none() && projection.limit.is_none();
        projection.filter_sees_input = is_plain && !is_grouping;
        let seen = if projection.filter_sees_input { &wide } else { &output };
        self.optional(projection.filter.as_mut(), seen)?;
        *scope = output;
        Ok(())
    }

    fn aggregates(&self, projection: &mut Projection, scope: &Scope) -> Result<Vec<Aggregate>> {
        let mut aggregates = Vec::new();
        for item in &mut projection.items {
            take_aggregates(&mut item.expression, projection.width, &mut aggregates);
        }
        let is_aggregating = !aggregates.is_empty();
        for key in &mut projection.order {
            take_aggregates(&mut key.expression, projection.width, &mut aggregates);
        }
        if !is_aggregating && !aggregates.is_empty() {
            return Err(Error::Semantic(
                "ORDER BY may only aggregate where the projection does".into(),
            ));
        }
        for aggregate in &mut aggregates {
            self.optional_box(aggregate.argument.as_mut(), scope)?;
            self.optional_box(aggregate.fraction.as_mut(), scope)?;
        }
        Ok(aggregates)
    }

    /// The variables behind the projection.
    fn outputs(&self, projection: &Projection) -> Result<Scope> {
        let mut names: Vec<&Arc<str>> = Vec::new();
        for item in &projection.items {
            if names.contains(&&item.name) {
                return Err(Error::Semantic(
                    "Multiple result columns with the same name are not supported".into(),
                ));
            }
            names.push(&item.name);
        }
        let mut output = if projection.is_return { Scope::default() } else { self.kept.clone() };
        output.names.extend(names.into_iter().cloned());
        Ok(output)
    }
}

/// `*` stands for every variable in alphabetical order; what stays in sight anyway needs no name.
fn expand_star(projection: &mut Projection, scope: &Scope, kept: &Scope) -> Result<()> {
    let is_kept = |name: &Arc<str>| !projection.is_return && kept.slot(name).is_some();
    let mut names: Vec<_> =
        scope.names.iter().filter(|name| !name.is_empty() && !is_kept(name)).cloned().collect();
    if names.is_empty() && projection.is_return {
        return Err(Error::Semantic(
            "RETURN * is not allowed when there are no variables in scope".into(),
        ));
    }
    names.sort();
    names.dedup();
    let item = |name: Arc<str>| Item {
        expression: Expression::Variable(Variable::new(name.clone())),
        name,
        has_alias: true,
    };
    let items = names.into_iter().map(item).chain(std::mem::take(&mut projection.items));
    projection.items = items.collect();
    projection.all = false;
    Ok(())
}

/// A sort key that is the same expression as a result stands for that result.
fn name_results(projection: &mut Projection) {
    for key in &mut projection.order {
        name_result(&mut key.expression, &projection.items);
    }
}

fn name_result(expression: &mut Expression, items: &[Item]) {
    if let Some(item) = items.iter().find(|item| item.expression == *expression) {
        *expression = Expression::Variable(Variable::new(item.name.clone()));
        return;
    }
    expression.children_mut().into_iter().for_each(|child| name_result(child, items));
}

/// Puts `Slot` in the place of each aggregate; equal ones share a slot.
fn take_aggregates(expression: &mut Expression, width: usize, aggregates: &mut Vec<Aggregate>) {
    if let Expression::Aggregate(aggregate) = expression {
        let known = aggregates.iter().position(|known| known == aggregate);
        let index = known.unwrap_or_else(|| {
            aggregates.push(aggregate.clone());
            aggregates.len() - 1
        });
        *expression = Expression::Slot(width + index);
        return;
    }
    expression
        .children_mut()
        .into_iter()
        .for_each(|child| take_aggregates(child, width, aggregates));
}

/// Beside an aggregate only group keys may stand: anything else has no one value in the group.
fn check_implicit_keys(items: &[Item]) -> Result<()> {
    let (aggregated, keys): (Vec<_>, Vec<_>) =
        items.iter().map(|item| item.expression.clone()).partition(has_slot);
    for mut expression in aggregated {
        if !is_covered(&mut expression, &keys) {
            return Err(Error::Semantic(
                "Aggregation column contains implicit grouping expressions: name them in a WITH before".into(),
            ));
        }
    }
    Ok(())
}

pub(crate) fn has_slot(expression: &Expression) -> bool {
    matches!(expression, Expression::Slot(_))
        || expression.clone().children_mut().into_iter().any(|child| has_slot(child))
}

fn is_covered(expression: &mut Expression, keys: &[Expression]) -> bool {
    if keys.contains(expression) {
        return true;
    }
    // The variables that an expression brings itself are no keys, but have one value all the same.
    let own: Vec<Variable> = match expression {
        Expression::Variable(_)
        | Expression::PatternComprehension { .. }
        | Expression::Subquery { .. } => return false,
        Expression::ListComprehension { variable, .. }
        | Expression::Quantifier { variable, .. } => vec![variable.clone()],
        Expression::Reduce { accumulator, variable, .. } => {
            vec![accumulator.clone(), variable.clone()]
        }
        _ => Vec::new(),
    };
    let keys: Vec<_> =
        keys.iter().cloned().chain(own.into_iter().map(Expression::Variable)).collect();
    expression.children_mut().into_iter().all(|child| is_covered(child, &keys))
}
