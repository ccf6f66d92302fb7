//! Queries and their clauses, one after the other: each sees the variables that those before it
//! left in sight.

use std::sync::Arc;

use super::binder::{Binder, Ending};
use super::checks::{check_kinds, check_new, check_parameter_maps, check_shortest};
use super::scope::Scope;
use crate::ast;
use crate::bound::{Call, Clause, Expression, Query, RemoveItem, SetItem, Unwound};
use crate::error::{Error, Result};

impl Binder<'_> {
    /// `visible` says what each part of the query sees at its start.
    pub fn query(
        &self,
        query: &ast::Query,
        visible: impl Fn(&ast::Single) -> Scope,
    ) -> Result<(Query, Vec<Arc<str>>)> {
        let mut columns: Option<Vec<Arc<str>>> = None;
        let mut parts = Vec::with_capacity(query.parts.len());
        for part in &query.parts {
            let (clauses, found) = self.clauses(&part.clauses, visible(part))?;
            if columns.as_ref().is_some_and(|columns| *columns != found) {
                return Err(Error::Semantic(
                    "All sub queries in an UNION must have the same return column names".into(),
                ));
            }
            parts.push(clauses);
            columns = Some(found);
        }
        let bound = Query {
            parts,
            keeps_duplicates: query.keeps_duplicates,
            writes: query.writes(),
            returns: query.returns(),
        };
        Ok((bound, columns.unwrap_or_default()))
    }

    /// The clauses of one part, and the columns of its result.
    fn clauses(
        &self,
        clauses: &[ast::Clause],
        mut scope: Scope,
    ) -> Result<(Vec<Clause>, Vec<Arc<str>>)> {
        let outer = scope.width();
        let mut bound = Vec::with_capacity(clauses.len());
        for (index, clause) in clauses.iter().enumerate() {
            let was_update = index > 0 && clauses[index - 1].is_update();
            if was_update && clause.reads() {
                return Err(Error::Semantic(
                    "WITH is required between an update and a reading clause".into(),
                ));
            }
            bound.push(self.clause(clause, &mut scope)?);
            match clause {
                ast::Clause::Project(projection) if projection.is_return => {
                    return Ok((bound, scope.names().to_vec()));
                }
                // A procedure call that stands alone returns what it yields.
                ast::Clause::Call(_) if clauses.len() == 1 => {
                    return Ok((bound, scope.names()[outer..].to_vec()));
                }
                _ => {}
            }
        }
        match clauses.last() {
            Some(last)
                if self.ending == Ending::WithResult
                    && (last.reads() || matches!(last, ast::Clause::Project(_))) =>
            {
                Err(Error::Semantic(
                    "Query cannot conclude with this clause (must be a RETURN clause, a FINISH clause, an update clause, a unit subquery call, or a procedure call with no YIELD)".into(),
                ))
            }
            _ => Ok((bound, Vec::new())),
        }
    }

    fn clause(&self, clause: &ast::Clause, scope: &mut Scope) -> Result<Clause> {
        Ok(match clause {
            ast::Clause::Match { optional, patterns, filter } => {
                self.match_clause(*optional, patterns, filter.as_ref(), scope)?
            }
            ast::Clause::Unwind { list, variable } => {
                let items = match self.expression(list, scope)? {
                    Expression::Function { function, arguments } if function.name == "range" => {
                        Unwound::Range(arguments)
                    }
                    list => Unwound::List(list),
                };
                Clause::Unwind { items: Arc::new(items), slot: scope.introduce_new(variable)? }
            }
            ast::Clause::Project(projection) => {
                Clause::Project(Arc::new(self.projection(projection, scope)?))
            }
            ast::Clause::Create(patterns) => {
                let before = scope.width();
                let bound = patterns.iter().map(|pattern| {
                    check_new(pattern, scope)?;
                    self.pattern(pattern, scope, before)
                });
                Clause::Create(bound.collect::<Result<_>>()?)
            }
            ast::Clause::Merge { pattern, on_create, on_match } => {
                check_new(pattern, scope)?;
                check_parameter_maps(pattern)?;
                let before = scope.width();
                Clause::Merge {
                    pattern: self.pattern(pattern, scope, before)?,
                    on_create: self.set_items(on_create, scope)?,
                    on_match: self.set_items(on_match, scope)?,
                }
            }
            ast::Clause::Set(items) => Clause::Set(self.set_items(items, scope)?),
            ast::Clause::Remove(items) => {
                let bound = items.iter().map(|item| self.remove_item(item, scope));
                Clause::Remove(bound.collect::<Result<_>>()?)
            }
            ast::Clause::Delete { detach, targets } => {
                Clause::Delete { detach: *detach, targets: self.expressions(targets, scope)? }
            }
            ast::Clause::Foreach { variable, list, body } => {
                let list = self.expression(list, scope)?;
                let (mut inner, slot) = scope.with(variable);
                let body = body.iter().map(|clause| self.clause(clause, &mut inner));
                Clause::Foreach { slot, list, body: body.collect::<Result<_>>()? }
            }
            ast::Clause::Call(call) => Clause::Call(Arc::new(self.call(call, scope)?)),
            ast::Clause::Subquery { imports, query, optional } => {
                self.subquery(imports, query, *optional, scope)?
            }
            ast::Clause::Finish => Clause::Finish,
        })
    }

    fn match_clause(
        &self,
        optional: bool,
        patterns: &[ast::Pattern],
        filter: Option<&ast::Expression>,
        scope: &mut Scope,
    ) -> Result<Clause> {
        check_kinds(patterns)?;
        patterns.iter().try_for_each(check_parameter_maps)?;
        let before = scope.width();
        let patterns = patterns.iter().map(|pattern| self.pattern(pattern, scope, before));
        let patterns = patterns.collect::<Result<Vec<_>>>()?;
        let filter = self.optional(filter, scope)?;
        check_shortest(&patterns, filter.as_ref())?;
        Ok(Clause::Match { optional, patterns: patterns.into(), filter: filter.map(Arc::new) })
    }

    fn subquery(
        &self,
        imports: &ast::Imports,
        query: &ast::Query,
        optional: bool,
        scope: &mut Scope,
    ) -> Result<Clause> {
        let width = scope.width();
        let (query, columns) = match imports {
            ast::Imports::ByWith => {
                // What a leading WITH imports is lost at the next one, unless that takes it along.
                let binder = Binder { kept: &scope.hidden(), ..*self };
                binder.query(query, |part| imported_by_with(part, scope))?
            }
            ast::Imports::All => {
                let binder = Binder { kept: scope, ..*self };
                binder.query(query, |_| scope.clone())?
            }
            ast::Imports::Named(names) => {
                names.iter().try_for_each(|name| scope.resolve(name).map(drop))?;
                let kept = scope.showing(names);
                let binder = Binder { kept: &kept, ..*self };
                binder.query(query, |_| kept.clone())?
            }
        };
        for column in &columns {
            scope.introduce_new(column)?;
        }
        Ok(Clause::Subquery { query: Arc::new(query), optional, width })
    }

    fn call(&self, call: &ast::Call, scope: &mut Scope) -> Result<Call> {
        if call.arguments.is_none() && scope.width() > 0 {
            return Err(Error::Semantic(
                "Procedure call inside a query needs explicit arguments".into(),
            ));
        }
        let arguments = self.expressions(call.arguments.as_deref().unwrap_or_default(), scope)?;
        let procedure = call.procedure.to_lowercase();
        let columns = self.signatures.columns(&procedure)?;
        let yields = match &call.yields {
            Some(yields) => yields
                .iter()
                .map(|(column, variable)| {
                    let place = columns.iter().position(|known| known == column);
                    let place = place.ok_or_else(|| {
                        Error::Semantic(format!("Unknown procedure output: `{column}`"))
                    })?;
                    Ok((place, scope.introduce_new(variable)?))
                })
                .collect::<Result<_>>()?,
            None => columns
                .iter()
                .enumerate()
                .map(|(place, column)| Ok((place, scope.introduce_new(column)?)))
                .collect::<Result<_>>()?,
        };
        let filter = self.optional(call.filter.as_ref(), scope)?;
        Ok(Call { procedure: procedure.into(), arguments, yields, filter })
    }

    fn set_items(&self, items: &[ast::SetItem], scope: &Scope) -> Result<Vec<SetItem>> {
        items.iter().map(|item| self.set_item(item, scope)).collect()
    }

    fn set_item(&self, item: &ast::SetItem, scope: &Scope) -> Result<SetItem> {
        Ok(match item {
            ast::SetItem::Property { target, key, value } => SetItem::Property {
                target: self.expression(target, scope)?,
                key: key.clone(),
                value: self.expression(value, scope)?,
            },
            ast::SetItem::Properties { target, value, merge } => SetItem::Properties {
                slot: scope.resolve(target)?,
                value: self.expression(value, scope)?,
                merge: *merge,
            },
            ast::SetItem::Labels { target, labels } => {
                SetItem::Labels { slot: scope.resolve(target)?, labels: labels.clone() }
            }
        })
    }

    fn remove_item(&self, item: &ast::RemoveItem, scope: &Scope) -> Result<RemoveItem> {
        Ok(match item {
            ast::RemoveItem::Property { target, key } => {
                RemoveItem::Property { target: self.expression(target, scope)?, key: key.clone() }
            }
            ast::RemoveItem::Labels { target, labels } => {
                RemoveItem::Labels { slot: scope.resolve(target)?, labels: labels.clone() }
            }
        })
    }
}

/// What a leading WITH of a part names, or everything for `WITH *`.
fn imported_by_with(part: &ast::Single, scope: &Scope) -> Scope {
    let Some(ast::Clause::Project(with)) = part.clauses.first() else { return scope.hidden() };
    let variable = |item: &ast::Item| match &item.expression {
        ast::Expression::Variable(name) => Some(name.clone()),
        _ => None,
    };
    match with {
        with if with.is_return => scope.hidden(),
        with if with.all => scope.clone(),
        with => scope.showing(&with.items.iter().filter_map(variable).collect::<Vec<_>>()),
    }
}
