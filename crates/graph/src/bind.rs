//! Gives every variable the slot of the row that holds it, and finds out before running what
//! can't mean anything: unknown variables, columns of the same name, misplaced aggregates.

mod checks;
mod projection;

use std::sync::Arc;

use crate::ast::{
    Call, Clause, Expression, Imports, Item, Pattern, Query, RemoveItem, SetItem, Single,
    SubqueryKind, Variable,
};
use crate::context::Signatures;
use crate::error::{Error, Result};
use checks::{check_kinds, check_new, check_parameter_maps, check_shortest};

pub(crate) use projection::has_slot;

/// Binds a whole query and returns the columns of its result.
pub fn bind(query: &mut Query, signatures: &dyn Signatures) -> Result<Vec<Arc<str>>> {
    let binder = Binder { signatures, kept: Scope::default(), ending: Ending::WithResult };
    binder.query(query, |_| Scope::default())
}

/// The variables in sight, by slot. A name that is hidden is empty.
#[derive(Clone, Debug, Default)]
struct Scope {
    names: Vec<Arc<str>>,
}

impl Scope {
    fn slot(&self, name: &str) -> Option<usize> {
        self.names.iter().rposition(|known| &**known == name && !name.is_empty())
    }

    fn add(&mut self, name: &Arc<str>) -> usize {
        self.names.push(name.clone());
        self.names.len() - 1
    }

    /// Resolves a variable, or makes it a new one.
    fn introduce(&mut self, variable: &mut Variable) {
        variable.slot = self.slot(&variable.name).unwrap_or_else(|| self.add(&variable.name));
    }

    fn introduce_new(&mut self, variable: &mut Variable) -> Result<()> {
        if self.slot(&variable.name).is_some() {
            return Err(Error::Semantic(format!("Variable `{}` already declared", variable.name)));
        }
        variable.slot = self.add(&variable.name);
        Ok(())
    }

    fn resolve(&self, variable: &mut Variable) -> Result<()> {
        let slot = self.slot(&variable.name);
        variable.slot = slot
            .ok_or_else(|| Error::Semantic(format!("Variable `{}` not defined", variable.name)))?;
        Ok(())
    }

    /// This scope with one more variable, which hides another of its name.
    fn with(&self, variable: &mut Variable) -> Self {
        let mut inner = self.clone();
        variable.slot = inner.add(&variable.name);
        inner
    }

    /// The same slots with nothing in sight.
    fn hidden(&self) -> Self {
        self.showing(&[])
    }

    /// The same slots, but only `names` in sight.
    fn showing(&self, names: &[Variable]) -> Self {
        let visible = |name: &Arc<str>| names.iter().any(|shown| shown.name == *name);
        let show = |name: &Arc<str>| if visible(name) { name.clone() } else { Arc::from("") };
        Self { names: self.names.iter().map(show).collect() }
    }
}

struct Binder<'a> {
    signatures: &'a dyn Signatures,
    /// What stays in the row, and in sight, across a WITH: the variables that a subquery has from
    /// the query around it.
    kept: Scope,
    ending: Ending,
}

/// How a query may end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// With RETURN, an update, or a procedure call that stands alone.
    WithResult,
    /// With any clause: EXISTS and COUNT only look at rows.
    Anyhow,
}

impl Binder<'_> {
    /// `visible` says what each part of the query sees at its start.
    fn query(
        &self,
        query: &mut Query,
        visible: impl Fn(&Single) -> Scope,
    ) -> Result<Vec<Arc<str>>> {
        let mut columns: Option<Vec<Arc<str>>> = None;
        for part in &mut query.parts {
            let scope = visible(part);
            let found = self.clauses(&mut part.clauses, scope)?;
            if columns.as_ref().is_some_and(|columns| *columns != found) {
                return Err(Error::Semantic(
                    "All sub queries in an UNION must have the same return column names".into(),
                ));
            }
            columns = Some(found);
        }
        Ok(columns.unwrap_or_default())
    }

    fn clauses(&self, clauses: &mut [Clause], mut scope: Scope) -> Result<Vec<Arc<str>>> {
        let outer = scope.names.len();
        let count = clauses.len();
        let mut was_update = false;
        for (index, clause) in clauses.iter_mut().enumerate() {
            let is_last = index + 1 == count;
            let reads =
                matches!(clause, Clause::Match { .. } | Clause::Unwind { .. } | Clause::Call(_));
            if was_update && reads {
                return Err(Error::Semantic(
                    "WITH is required between an update and a reading clause".into(),
                ));
            }
            was_update = clause.is_update();
            let stands_alone = count == 1 && matches!(clause, Clause::Call(_));
            self.clause(clause, &mut scope)?;
            match clause {
                Clause::Project(projection) if projection.is_return => return Ok(scope.names),
                Clause::Call(_) if stands_alone => return Ok(scope.names[outer..].to_vec()),
                _ if !is_last || self.ending == Ending::Anyhow => {}
                Clause::Match { .. }
                | Clause::Unwind { .. }
                | Clause::Project(_)
                | Clause::Call(_) => {
                    return Err(Error::Semantic(
                        "Query cannot conclude with this clause (must be a RETURN clause, a FINISH clause, an update clause, a unit subquery call, or a procedure call with no YIELD)".into(),
                    ));
                }
                _ => {}
            }
        }
        Ok(Vec::new())
    }

    fn clause(&self, clause: &mut Clause, scope: &mut Scope) -> Result<()> {
        match clause {
            Clause::Match { patterns, filter, .. } => {
                check_kinds(patterns)?;
                let before = scope.names.len();
                patterns.iter().try_for_each(check_parameter_maps)?;
                self.patterns(patterns, scope, before)?;
                self.optional(filter.as_mut(), scope)?;
                check_shortest(patterns, filter.as_ref())
            }
            Clause::Unwind { list, variable } => {
                self.expression(list, scope)?;
                scope.introduce_new(variable)
            }
            Clause::Project(projection) => self.projection(projection, scope),
            Clause::Create(patterns) => {
                let before = scope.names.len();
                for pattern in patterns {
                    check_new(pattern, scope)?;
                    self.pattern(pattern, scope, before)?;
                }
                Ok(())
            }
            Clause::Merge { pattern, on_create, on_match } => {
                let before = scope.names.len();
                check_new(pattern, scope)?;
                check_parameter_maps(pattern)?;
                self.pattern(pattern, scope, before)?;
                on_create.iter_mut().chain(on_match).try_for_each(|item| self.set_item(item, scope))
            }
            Clause::Set(items) => items.iter_mut().try_for_each(|item| self.set_item(item, scope)),
            Clause::Remove(items) => items.iter_mut().try_for_each(|item| match item {
                RemoveItem::Property { target, .. } => self.expression(target, scope),
                RemoveItem::Labels { target, .. } => scope.resolve(target),
            }),
            Clause::Delete { targets, .. } => {
                targets.iter_mut().try_for_each(|target| self.expression(target, scope))
            }
            Clause::Foreach { variable, list, body } => {
                self.expression(list, scope)?;
                let mut inner = scope.with(variable);
                body.iter_mut().try_for_each(|clause| self.clause(clause, &mut inner))
            }
            Clause::Call(call) => self.call(call, scope),
            Clause::Subquery { imports, query, width, .. } => {
                self.subquery(imports, query, width, scope)
            }
            Clause::Finish => Ok(()),
        }
    }

    fn subquery(
        &self,
        imports: &mut Imports,
        query: &mut Query,
        width: &mut usize,
        scope: &mut Scope,
    ) -> Result<()> {
        *width = scope.names.len();
        let ending = self.ending;
        let columns = match imports {
            Imports::ByWith => {
                // What a leading WITH imports is lost at the next one, unless that takes it along.
                let binder = Binder { signatures: self.signatures, kept: scope.hidden(), ending };
                binder.query(query, |part| imported_by_with(part, scope))?
            }
            Imports::All => {
                let binder = Binder { signatures: self.signatures, kept: scope.clone(), ending };
                binder.query(query, |_| scope.clone())?
            }
            Imports::Named(names) => {
                names.iter_mut().try_for_each(|name| scope.resolve(name))?;
                let kept = scope.showing(names);
                let binder = Binder { signatures: self.signatures, kept: kept.clone(), ending };
                binder.query(query, |_| kept.clone())?
            }
        };
        for column in columns {
            scope.introduce_new(&mut Variable::new(column))?;
        }
        Ok(())
    }

    fn call(&self, call: &mut Call, scope: &mut Scope) -> Result<()> {
        if call.arguments.is_none() && !scope.names.is_empty() {
            return Err(Error::Semantic(
                "Procedure call inside a query needs explicit arguments".into(),
            ));
        }
        call.arguments
            .iter_mut()
            .flatten()
            .try_for_each(|argument| self.expression(argument, scope))?;
        let columns = self.signatures.columns(&call.procedure.to_lowercase())?;
        let every = || {
            columns.iter().map(|column| (column.clone(), Variable::new(column.clone()))).collect()
        };
        let yields = call.yields.get_or_insert_with(every);
        for (column, variable) in yields {
            if !columns.contains(column) {
                return Err(Error::Semantic(format!("Unknown procedure output: `{column}`")));
            }
            scope.introduce_new(variable)?;
        }
        self.optional(call.filter.as_mut(), scope)
    }

    fn set_item(&self, item: &mut SetItem, scope: &Scope) -> Result<()> {
        match item {
            SetItem::Property { target, value, .. } => {
                self.expression(target, scope)?;
                self.expression(value, scope)
            }
            SetItem::Properties { target, value, .. } => {
                scope.resolve(target)?;
                self.expression(value, scope)
            }
            SetItem::Labels { target, .. } => scope.resolve(target),
        }
    }

    fn patterns(&self, patterns: &mut [Pattern], scope: &mut Scope, before: usize) -> Result<()> {
        patterns.iter_mut().try_for_each(|pattern| self.pattern(pattern, scope, before))
    }

    fn pattern(&self, pattern: &mut Pattern, scope: &mut Scope, before: usize) -> Result<()> {
        pattern.bound_below = before;
        let nodes = pattern.nodes.iter_mut().filter_map(|node| node.variable.as_mut());
        let relationships = pattern.relationships.iter_mut().filter_map(|r| r.variable.as_mut());
        nodes.chain(relationships).for_each(|variable| scope.introduce(variable));
        for node in &mut pattern.nodes {
            self.optional(node.properties.as_mut(), scope)?;
            self.optional(node.filter.as_mut(), scope)?;
        }
        for relationship in &mut pattern.relationships {
            self.optional(relationship.properties.as_mut(), scope)?;
            self.optional(relationship.filter.as_mut(), scope)?;
        }
        match &mut pattern.path {
            Some(path) => scope.introduce_new(path),
            None => Ok(()),
        }
    }

    fn optional(&self, expression: Option<&mut Expression>, scope: &Scope) -> Result<()> {
        expression.map_or(Ok(()), |expression| self.expression(expression, scope))
    }

    fn optional_box(&self, expression: Option<&mut Box<Expression>>, scope: &Scope) -> Result<()> {
        expression.map_or(Ok(()), |expression| self.expression(expression, scope))
    }

    fn expression(&self, expression: &mut Expression, scope: &Scope) -> Result<()> {
        match expression {
            Expression::Variable(variable) => scope.resolve(variable),
            Expression::Aggregate(_) => {
                Err(Error::Semantic("Invalid use of aggregating function in this context".into()))
            }
            Expression::ListComprehension { variable, list, filter, map } => {
                self.expression(list, scope)?;
                let inner = scope.with(variable);
                self.optional_box(filter.as_mut(), &inner)?;
                self.optional_box(map.as_mut(), &inner)
            }
            Expression::Quantifier { variable, list, filter, .. } => {
                self.expression(list, scope)?;
                self.expression(filter, &scope.with(variable))
            }
            Expression::Reduce { accumulator, initial, variable, list, step } => {
                self.expression(initial, scope)?;
                self.expression(list, scope)?;
                self.expression(step, &scope.with(accumulator).with(variable))
            }
            Expression::PatternComprehension { pattern, filter, map } => {
                let mut inner = scope.clone();
                self.pattern(pattern, &mut inner, scope.names.len())?;
                self.optional_box(filter.as_mut(), &inner)?;
                self.expression(map, &inner)
            }
            Expression::PatternExists(pattern) | Expression::ShortestPath(pattern) => {
                let mut inner = scope.clone();
                self.pattern(pattern, &mut inner, scope.names.len())?;
                match inner.names.get(scope.names.len()) {
                    Some(name) => Err(Error::Semantic(format!("Variable `{name}` not defined"))),
                    None => Ok(()),
                }
            }
            Expression::Subquery { kind, query } => {
                let ending = match kind {
                    SubqueryKind::Exists | SubqueryKind::Count => Ending::Anyhow,
                    SubqueryKind::Collect => Ending::WithResult,
                };
                let binder = Binder { signatures: self.signatures, kept: scope.clone(), ending };
                let columns = binder.query(query, |_| scope.clone())?;
                if *kind == SubqueryKind::Collect && columns.len() != 1 {
                    return Err(Error::Semantic(
                        "A Collect Expression must end with a single return column".into(),
                    ));
                }
                Ok(())
            }
            other => {
                other.children_mut().into_iter().try_for_each(|child| self.expression(child, scope))
            }
        }
    }
}

impl Expression {
    /// The expressions directly inside, for those that bring no variables of their own.
    pub(crate) fn children_mut(&mut self) -> Vec<&mut Expression> {
        match self {
            Self::Literal(_) | Self::Parameter(_) | Self::Variable(_) | Self::Slot(_) => Vec::new(),
            Self::Property(inner, _)
            | Self::HasLabels(inner, _)
            | Self::Unary(_, inner)
            | Self::IsNull { operand: inner, .. } => vec![inner],
            Self::Binary(_, a, b) | Self::Index(a, b) => vec![a, b],
            Self::Chain(operands, _)
            | Self::List(operands)
            | Self::Function { arguments: operands, .. } => operands.iter_mut().collect(),
            Self::Slice { list, from, to } => {
                let bounds = from.iter_mut().chain(to).map(Box::as_mut);
                std::iter::once(list.as_mut()).chain(bounds).collect()
            }
            Self::Map(entries) => entries.iter_mut().map(|(_, value)| value).collect(),
            Self::MapProjection { source, entries, .. } => std::iter::once(source.as_mut())
                .chain(entries.iter_mut().map(|(_, value)| value))
                .collect(),
            Self::Case { operand, branches, otherwise } => {
                let branches = branches.iter_mut().flat_map(|(when, then)| [when, then]);
                operand.iter_mut().chain(otherwise).map(Box::as_mut).chain(branches).collect()
            }
            Self::Aggregate(aggregate) => aggregate
                .argument
                .iter_mut()
                .chain(&mut aggregate.fraction)
                .map(Box::as_mut)
                .collect(),
            Self::ListComprehension { list, filter, map, .. } => {
                let inner = filter.iter_mut().chain(map).map(Box::as_mut);
                std::iter::once(list.as_mut()).chain(inner).collect()
            }
            Self::Quantifier { list, filter, .. } => vec![list, filter],
            Self::Reduce { initial, list, step, .. } => vec![initial, list, step],
            Self::PatternComprehension { .. }
            | Self::PatternExists(_)
            | Self::ShortestPath(_)
            | Self::Subquery { .. } => Vec::new(),
        }
    }
}

/// What a leading WITH of a part names, or everything for `WITH *`.
fn imported_by_with(part: &Single, scope: &Scope) -> Scope {
    let Some(Clause::Project(with)) = part.clauses.first() else { return scope.hidden() };
    let variable = |item: &Item| match &item.expression {
        Expression::Variable(variable) => Some(variable.clone()),
        _ => None,
    };
    match with {
        with if with.is_return => scope.hidden(),
        with if with.all => scope.clone(),
        with => scope.showing(&with.items.iter().filter_map(variable).collect::<Vec<_>>()),
    }
}
