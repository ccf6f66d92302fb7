//! Gives every variable the slot of the row that holds it, and finds out before running what
//! can't mean anything: unknown variables, columns of the same name, misplaced aggregates.

use std::sync::Arc;

use crate::ast::{
    Aggregate, Call, Clause, Expression, Imports, Item, Pattern, Projection, Query, RemoveItem,
    SetItem, Variable,
};
use crate::error::{Error, Result};

/// The columns that procedures yield, by procedure name in lower case.
pub trait Signatures {
    /// # Errors
    /// [`Error::UnknownProcedure`]
    fn columns(&self, procedure: &str) -> Result<Vec<Arc<str>>>;
}

/// Binds a whole query and returns the columns of its result.
pub fn bind(query: &mut Query, signatures: &dyn Signatures) -> Result<Vec<Arc<str>>> {
    Binder { signatures }.query(query, &Scope::default())
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

    /// The same slots, but only `names` in sight.
    fn showing(&self, names: &[Variable]) -> Self {
        let visible = |name: &Arc<str>| names.iter().any(|shown| shown.name == *name);
        let show = |name: &Arc<str>| if visible(name) { name.clone() } else { Arc::from("") };
        Self { names: self.names.iter().map(show).collect() }
    }
}

struct Binder<'a> {
    signatures: &'a dyn Signatures,
}

impl Binder<'_> {
    fn query(&self, query: &mut Query, outer: &Scope) -> Result<Vec<Arc<str>>> {
        let mut columns: Option<Vec<Arc<str>>> = None;
        for part in &mut query.parts {
            let found = self.clauses(&mut part.clauses, outer)?;
            if columns.as_ref().is_some_and(|columns| *columns != found) {
                return Err(Error::Semantic(
                    "All sub queries in an UNION must have the same return column names".into(),
                ));
            }
            columns = Some(found);
        }
        Ok(columns.unwrap_or_default())
    }

    fn clauses(&self, clauses: &mut [Clause], outer: &Scope) -> Result<Vec<Arc<str>>> {
        let mut scope = outer.clone();
        let count = clauses.len();
        for (index, clause) in clauses.iter_mut().enumerate() {
            let is_last = index + 1 == count;
            let stands_alone = count == 1 && matches!(clause, Clause::Call(_));
            self.clause(clause, &mut scope)?;
            match clause {
                Clause::Project(projection) if projection.is_return => return Ok(scope.names),
                Clause::Call(_) if stands_alone => {
                    return Ok(scope.names[outer.names.len()..].to_vec());
                }
                Clause::Match { .. }
                | Clause::Unwind { .. }
                | Clause::Project(_)
                | Clause::Call(_)
                    if is_last =>
                {
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
                let before = scope.names.len();
                self.patterns(patterns, scope, before)?;
                self.optional(filter.as_mut(), scope)
            }
            Clause::Unwind { list, variable } => {
                self.expression(list, scope)?;
                scope.introduce_new(variable)
            }
            Clause::Project(projection) => self.projection(projection, scope),
            Clause::Create(patterns) => {
                let before = scope.names.len();
                self.patterns(patterns, scope, before)
            }
            Clause::Merge { pattern, on_create, on_match } => {
                let before = scope.names.len();
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
        let inner = match imports {
            Imports::All => scope.clone(),
            Imports::Named(names) => {
                names.iter_mut().try_for_each(|name| scope.resolve(name))?;
                scope.showing(names)
            }
            Imports::ByWith => scope.showing(&imported_by_with(query)),
        };
        *width = scope.names.len();
        let columns = self.query(query, &inner)?;
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

    fn projection(&self, projection: &mut Projection, scope: &mut Scope) -> Result<()> {
        if projection.all {
            expand_star(projection, scope)?;
        }
        projection.width = scope.names.len();
        let mut aggregates = Vec::new();
        for expression in projection.items.iter_mut().map(|item| &mut item.expression) {
            take_aggregates(expression, projection.width, &mut aggregates);
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
        let mut wide = scope.clone();
        wide.names.extend(aggregates.iter().map(|_| Arc::from("")));
        for item in &mut projection.items {
            self.expression(&mut item.expression, &wide)?;
        }
        if is_aggregating {
            check_implicit_keys(&projection.items)?;
        }
        projection.aggregates = aggregates;

        let mut output = Scope::default();
        for item in &projection.items {
            if output.slot(&item.name).is_some() {
                return Err(Error::Semantic(
                    "Multiple result columns with the same name are not supported".into(),
                ));
            }
            output.add(&item.name);
            wide.add(&item.name);
        }
        for key in &mut projection.order {
            self.expression(&mut key.expression, &wide)?;
        }
        let nothing = Scope::default();
        self.optional(projection.skip.as_mut(), &nothing)?;
        self.optional(projection.limit.as_mut(), &nothing)?;
        self.optional(projection.filter.as_mut(), &output)?;
        *scope = output;
        Ok(())
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
            Expression::Subquery { query, .. } => self.query(query, scope).map(drop),
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

fn imported_by_with(query: &Query) -> Vec<Variable> {
    let first = query.parts.first().and_then(|part| part.clauses.first());
    let Some(Clause::Project(with)) = first else { return Vec::new() };
    let variable = |item: &Item| match &item.expression {
        Expression::Variable(variable) => Some(variable.clone()),
        _ => None,
    };
    if with.is_return { Vec::new() } else { with.items.iter().filter_map(variable).collect() }
}

/// `*` stands for every variable in alphabetical order.
fn expand_star(projection: &mut Projection, scope: &Scope) -> Result<()> {
    let mut names: Vec<_> = scope.names.iter().filter(|name| !name.is_empty()).cloned().collect();
    if names.is_empty() && projection.is_return {
        return Err(Error::Semantic(
            "RETURN * is not allowed when there are no variables in scope".into(),
        ));
    }
    names.sort();
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
    match expression {
        Expression::Variable(_)
        | Expression::PatternComprehension { .. }
        | Expression::Subquery { .. } => false,
        // The variables that these bring are covered by the list that they run over.
        Expression::ListComprehension { list, .. } | Expression::Quantifier { list, .. } => {
            is_covered(list, keys)
        }
        Expression::Reduce { list, initial, .. } => {
            is_covered(list, keys) && is_covered(initial, keys)
        }
        other => other.children_mut().into_iter().all(|child| is_covered(child, keys)),
    }
}
