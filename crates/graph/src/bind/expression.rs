//! Expressions: variables become slots, and names of functions become functions.

use std::sync::Arc;

use super::binder::{Binder, Ending};
use super::scope::Scope;
use crate::ast;
use crate::bound::{Aggregate, Expression, Pattern};
use crate::error::{Error, Result};
use crate::functions;
use crate::kinds::SubqueryKind;

impl Binder<'_> {
    pub fn expression(&self, expression: &ast::Expression, scope: &Scope) -> Result<Expression> {
        if let Some(stand_in) = self.stand_in(expression) {
            return Ok(stand_in);
        }
        let boxed = |expression: &ast::Expression| self.boxed(expression, scope);
        Ok(match expression {
            ast::Expression::Literal(value) => Expression::Literal(value.clone()),
            ast::Expression::Parameter(name) => Expression::Parameter(name.clone()),
            ast::Expression::Variable(name) => Expression::Variable(scope.resolve(name)?),
            ast::Expression::Property(inner, key) => {
                Expression::Property(boxed(inner)?, key.clone())
            }
            ast::Expression::HasLabels(inner, labels) => {
                Expression::HasLabels(boxed(inner)?, labels.clone())
            }
            ast::Expression::Unary(operator, inner) => Expression::Unary(*operator, boxed(inner)?),
            ast::Expression::Binary(operator, a, b) => {
                Expression::Binary(*operator, boxed(a)?, boxed(b)?)
            }
            ast::Expression::IsNull { operand, negated } => {
                Expression::IsNull { operand: boxed(operand)?, negated: *negated }
            }
            ast::Expression::Chain(operands, operators) => {
                Expression::Chain(self.expressions(operands, scope)?, operators.clone())
            }
            ast::Expression::Index(inner, index) => Expression::Index(boxed(inner)?, boxed(index)?),
            ast::Expression::Slice { list, from, to } => Expression::Slice {
                list: boxed(list)?,
                from: self.optional_box(from.as_deref(), scope)?,
                to: self.optional_box(to.as_deref(), scope)?,
            },
            ast::Expression::List(items) => Expression::List(self.expressions(items, scope)?),
            ast::Expression::Map(entries) => Expression::Map(self.entries(entries, scope)?),
            ast::Expression::MapProjection { source, all, entries } => Expression::MapProjection {
                source: boxed(source)?,
                all: *all,
                entries: self.entries(entries, scope)?,
            },
            ast::Expression::Case { operand, branches, otherwise } => Expression::Case {
                operand: self.optional_box(operand.as_deref(), scope)?,
                otherwise: self.optional_box(otherwise.as_deref(), scope)?,
                branches: self.branches(branches, scope)?,
            },
            ast::Expression::Function { name, arguments } => {
                let arguments = self.expressions(arguments, scope)?;
                let function = functions::named(name)
                    .ok_or_else(|| Error::UnknownFunction(name.to_string()))?;
                Expression::Function { function, arguments }
            }
            ast::Expression::Aggregate(_) => {
                return Err(Error::Semantic(
                    "Invalid use of aggregating function in this context".into(),
                ));
            }
            with_variables => self.expression_with_variables(with_variables, scope)?,
        })
    }

    /// The expressions that bring variables of their own. Inlined, their locals would take room on
    /// the stack for every level of nesting.
    #[inline(never)]
    fn expression_with_variables(
        &self,
        expression: &ast::Expression,
        scope: &Scope,
    ) -> Result<Expression> {
        Ok(match expression {
            ast::Expression::ListComprehension { variable, list, filter, map } => {
                let list = self.boxed(list, scope)?;
                let (inner, slot) = scope.with(variable);
                let filter = self.optional_box(filter.as_deref(), &inner)?;
                let map = self.optional_box(map.as_deref(), &inner)?;
                Expression::ListComprehension { slot, list, filter, map }
            }
            ast::Expression::Quantifier { kind, variable, list, filter } => {
                let list = self.boxed(list, scope)?;
                let (inner, slot) = scope.with(variable);
                let filter = self.boxed(filter, &inner)?;
                Expression::Quantifier { kind: *kind, slot, list, filter }
            }
            ast::Expression::Reduce { accumulator, initial, variable, list, step } => {
                let initial = self.boxed(initial, scope)?;
                let list = self.boxed(list, scope)?;
                let (inner, accumulator) = scope.with(accumulator);
                let (inner, slot) = inner.with(variable);
                let step = self.boxed(step, &inner)?;
                Expression::Reduce { accumulator, initial, slot, list, step }
            }
            ast::Expression::PatternComprehension { pattern, filter, map } => {
                let binder = self.without_computed();
                let mut inner = scope.clone();
                let pattern = binder.pattern(pattern, &mut inner, scope.width())?;
                Expression::PatternComprehension {
                    pattern: Arc::new([pattern]),
                    filter: binder.optional_box(filter.as_deref(), &inner)?,
                    map: binder.boxed(map, &inner)?,
                }
            }
            ast::Expression::PatternExists(pattern) => {
                Expression::PatternExists(Arc::new([self.known_pattern(pattern, scope)?]))
            }
            ast::Expression::ShortestPath(pattern) => {
                Expression::ShortestPath(Box::new(self.known_pattern(pattern, scope)?))
            }
            ast::Expression::Subquery { kind, query } => {
                self.subquery_expression(*kind, query, scope)?
            }
            _ => unreachable!("`expression` binds what brings no variables"),
        })
    }

    /// A pattern that may not bring variables.
    fn known_pattern(&self, pattern: &ast::Pattern, scope: &Scope) -> Result<Pattern> {
        let mut inner = scope.clone();
        let pattern = self.without_computed().pattern(pattern, &mut inner, scope.width())?;
        match inner.names().get(scope.width()) {
            Some(name) => Err(Error::Semantic(format!("Variable `{name}` not defined"))),
            None => Ok(pattern),
        }
    }

    fn subquery_expression(
        &self,
        kind: SubqueryKind,
        query: &ast::Query,
        scope: &Scope,
    ) -> Result<Expression> {
        let ending = match kind {
            SubqueryKind::Exists | SubqueryKind::Count => Ending::Anyhow,
            SubqueryKind::Collect => Ending::WithResult,
        };
        let binder = Binder { kept: scope, ending, ..self.without_computed() };
        let (query, columns) = binder.query(query, |_| scope.clone())?;
        if kind == SubqueryKind::Collect && columns.len() != 1 {
            return Err(Error::Semantic(
                "A Collect Expression must end with a single return column".into(),
            ));
        }
        Ok(Expression::Subquery { kind, query: Arc::new(query) })
    }

    pub fn aggregate(&self, aggregate: &ast::Aggregate, scope: &Scope) -> Result<Aggregate> {
        Ok(Aggregate {
            kind: aggregate.kind,
            distinct: aggregate.distinct,
            argument: self.optional(aggregate.argument.as_deref(), scope)?,
            fraction: self.optional(aggregate.fraction.as_deref(), scope)?,
        })
    }

    pub fn expressions(
        &self,
        expressions: &[ast::Expression],
        scope: &Scope,
    ) -> Result<Vec<Expression>> {
        expressions.iter().map(|expression| self.expression(expression, scope)).collect()
    }

    pub fn optional(
        &self,
        expression: Option<&ast::Expression>,
        scope: &Scope,
    ) -> Result<Option<Expression>> {
        expression.map(|expression| self.expression(expression, scope)).transpose()
    }

    fn boxed(&self, expression: &ast::Expression, scope: &Scope) -> Result<Box<Expression>> {
        self.expression(expression, scope).map(Box::new)
    }

    fn optional_box(
        &self,
        expression: Option<&ast::Expression>,
        scope: &Scope,
    ) -> Result<Option<Box<Expression>>> {
        expression.map(|expression| self.boxed(expression, scope)).transpose()
    }

    fn entries(
        &self,
        entries: &[(Arc<str>, ast::Expression)],
        scope: &Scope,
    ) -> Result<Vec<(Arc<str>, Expression)>> {
        entries
            .iter()
            .map(|(key, value)| Ok((key.clone(), self.expression(value, scope)?)))
            .collect()
    }

    fn branches(
        &self,
        branches: &[(ast::Expression, ast::Expression)],
        scope: &Scope,
    ) -> Result<Vec<(Expression, Expression)>> {
        let bound = branches
            .iter()
            .map(|(when, then)| Ok((self.expression(when, scope)?, self.expression(then, scope)?)));
        bound.collect()
    }
}
