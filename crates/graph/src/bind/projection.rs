//! WITH and RETURN: what each of their parts may see.

use std::sync::Arc;

use super::binder::{Binder, Computed};
use super::grouping::group_keys;
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
        let (aggregates, results) = self.aggregates(&items, &projection.order, scope)?;
        let is_grouping = !aggregates.is_empty() || projection.distinct;
        let mut wide = scope.with_nameless(aggregates.len());
        let binder = Binder { computed: &results, ..*self };
        let bound = items.iter().map(|item| binder.expression(&item.expression, &wide));
        let bound = bound.collect::<Result<Vec<_>>>()?;
        let keys = if aggregates.is_empty() { Vec::new() } else { group_keys(&bound)? };
        let output = outputs(kept.clone(), &items)?;
        let mut computed = Vec::new();
        if is_grouping {
            // A group has no one value for anything but its results.
            wide = wide.hidden();
            computed.extend(repeated(&items, wide.width()));
            computed.extend(results);
        }
        for item in &items {
            wide.add(&item.name);
        }
        let order = self.sort_keys(&projection.order, &computed, &wide)?;
        let nothing = Scope::default();
        let skip = self.optional(projection.skip.as_ref(), &nothing)?;
        let limit = self.optional(projection.limit.as_ref(), &nothing)?;
        let is_plain = order.is_empty() && skip.is_none() && limit.is_none() && !is_grouping;
        let filter = match &projection.filter {
            None => None,
            // WHERE after a plain WITH still sees what was there before.
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

/// The items, for sort keys that repeat one of them. Their values are in the slots from `first` on.
fn repeated<'a>(items: &[&'a Item], first: usize) -> impl Iterator<Item = Computed<'a>> {
    items.iter().enumerate().map(move |(index, item)| Computed {
        expression: &item.expression,
        stand_in: Expression::Variable(first + index),
    })
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
