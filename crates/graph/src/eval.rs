//! Expressions to values, over one row.

mod access;
mod loops;
mod operators;
mod patterns;

use std::sync::Arc;

use crate::bound::Expression;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::exec;
use crate::functions;
use crate::kinds::{Binary, Unary};
use crate::row::{Row, get};
use crate::value::{Map, Value, map_get, mismatch};

use access::slice;
use operators::{compare, contains, logic, search};

impl Context {
    /// Evaluates an expression. The row is written to only for variables that the expression
    /// itself brings; it is as before when this returns.
    pub fn eval(&self, expression: &Expression, row: &mut Row) -> Result<Value> {
        match expression {
            Expression::Literal(value) => Ok(value.clone()),
            Expression::Parameter(name) => self.parameter(name),
            Expression::Variable(slot) | Expression::Aggregated(slot) => {
                Ok(get(row, *slot).clone())
            }
            Expression::Property(inner, key) => self.property(&self.eval(inner, row)?, key),
            Expression::HasLabels(inner, labels) => {
                self.has_labels(&self.eval(inner, row)?, labels)
            }
            Expression::Unary(operator, inner) => unary(*operator, self.eval(inner, row)?),
            Expression::Binary(operator, left, right) => self.binary(*operator, left, right, row),
            Expression::IsNull { operand, negated } => {
                Ok((self.eval(operand, row)?.is_null() != *negated).into())
            }
            Expression::Chain(operands, operators) => self.chain(operands, operators, row),
            Expression::Index(inner, index) => {
                let (inner, index) = (self.eval(inner, row)?, self.eval(index, row)?);
                self.index(&inner, &index)
            }
            Expression::Slice { list, from, to } => {
                let list = self.eval(list, row)?;
                let from = self.optional(from.as_deref(), row)?;
                let to = self.optional(to.as_deref(), row)?;
                slice(&list, from, to)
            }
            Expression::List(items) => self.all(items, row).map(Value::list),
            Expression::Map(entries) => Ok(Value::map(self.entries(entries, row)?)),
            Expression::MapProjection { source, all, entries } => {
                self.map_projection(source, *all, entries, row)
            }
            Expression::Case { operand, branches, otherwise } => {
                self.case(operand.as_deref(), branches, otherwise.as_deref(), row)
            }
            Expression::Function { function, arguments } => {
                function.call(self, &self.all(arguments, row)?)
            }
            Expression::ListComprehension { slot, list, filter, map } => {
                let list = self.eval(list, row)?;
                self.list_comprehension(*slot, &list, filter.as_deref(), map.as_deref(), row)
            }
            Expression::Quantifier { kind, slot, list, filter } => {
                let list = self.eval(list, row)?;
                self.quantifier(*kind, *slot, &list, filter, row)
            }
            Expression::Reduce { accumulator, initial, slot, list, step } => {
                let (initial, list) = (self.eval(initial, row)?, self.eval(list, row)?);
                self.reduce((*accumulator, initial), *slot, &list, step, row)
            }
            Expression::PatternComprehension { pattern, filter, map } => {
                self.pattern_comprehension(pattern, filter.as_deref(), map, row)
            }
            Expression::PatternExists(pattern) => self.pattern_exists(pattern, row),
            Expression::ShortestPath(pattern) => exec::shortest_path(self, pattern, row),
            Expression::Subquery { kind, query } => self.subquery(*kind, query, row),
        }
    }

    /// Evaluates several expressions, one after the other.
    pub fn all(&self, expressions: &[Expression], row: &mut Row) -> Result<Vec<Value>> {
        expressions.iter().map(|expression| self.eval(expression, row)).collect()
    }

    fn optional(&self, expression: Option<&Expression>, row: &mut Row) -> Result<Option<Value>> {
        expression.map(|expression| self.eval(expression, row)).transpose()
    }

    /// Whether a predicate holds; null does not.
    pub fn is_true(&self, expression: &Expression, row: &mut Row) -> Result<bool> {
        match self.eval(expression, row)? {
            Value::Boolean(boolean) => Ok(boolean),
            Value::Null => Ok(false),
            other => Err(mismatch("BOOLEAN", &other)),
        }
    }

    fn parameter(&self, name: &str) -> Result<Value> {
        let value = map_get(&self.parameters, name);
        value.cloned().ok_or_else(|| Error::MissingParameter(name.to_owned()))
    }

    pub fn entries(&self, entries: &[(Arc<str>, Expression)], row: &mut Row) -> Result<Map> {
        entries.iter().map(|(key, value)| Ok((key.clone(), self.eval(value, row)?))).collect()
    }

    fn chain(&self, operands: &[Expression], operators: &[Binary], row: &mut Row) -> Result<Value> {
        let mut result = Value::Boolean(true);
        let mut left = self.eval(&operands[0], row)?;
        for (operator, operand) in operators.iter().zip(&operands[1..]) {
            let right = self.eval(operand, row)?;
            match compare(*operator, &left, &right) {
                Value::Boolean(false) => return Ok(Value::Boolean(false)),
                Value::Null => result = Value::Null,
                _ => {}
            }
            left = right;
        }
        Ok(result)
    }

    fn binary(
        &self,
        operator: Binary,
        left: &Expression,
        right: &Expression,
        row: &mut Row,
    ) -> Result<Value> {
        let left = self.eval(left, row)?;
        // What the left side decides, the right side can't change.
        match (operator, &left) {
            (Binary::And, Value::Boolean(false)) | (Binary::Or, Value::Boolean(true)) => {
                return Ok(left);
            }
            _ => {}
        }
        let right = self.eval(right, row)?;
        match operator {
            Binary::And | Binary::Or | Binary::Xor => logic(operator, &left, &right),
            Binary::In => contains(&left, &right),
            Binary::StartsWith | Binary::EndsWith | Binary::Contains => {
                Ok(search(operator, &left, &right))
            }
            Binary::Matches => functions::matches_regex(self, &left, &right),
            operator if operator.is_comparison() => Ok(compare(operator, &left, &right)),
            _ => {
                let result = functions::arithmetic(operator, left, right)?;
                self.control.fits(result.size())?;
                Ok(result)
            }
        }
    }

    fn map_projection(
        &self,
        source: &Expression,
        all: bool,
        entries: &[(Arc<str>, Expression)],
        row: &mut Row,
    ) -> Result<Value> {
        let source = self.eval(source, row)?;
        let mut map = match (all, &source) {
            (_, Value::Null) => return Ok(Value::Null),
            (false, _) => Map::new(),
            (true, value) => self.properties(value)?,
        };
        for (key, value) in self.entries(entries, row)? {
            match map.iter_mut().find(|(known, _)| *known == key) {
                Some(entry) => entry.1 = value,
                None => map.push((key, value)),
            }
        }
        Ok(Value::map(map))
    }

    fn case(
        &self,
        operand: Option<&Expression>,
        branches: &[(Expression, Expression)],
        otherwise: Option<&Expression>,
        row: &mut Row,
    ) -> Result<Value> {
        let operand = operand.map(|operand| self.eval(operand, row)).transpose()?;
        for (when, then) in branches {
            let holds = match &operand {
                Some(operand) => operand.equals(&self.eval(when, row)?) == Some(true),
                None => self.is_true(when, row)?,
            };
            if holds {
                return self.eval(then, row);
            }
        }
        otherwise.map_or(Ok(Value::Null), |otherwise| self.eval(otherwise, row))
    }
}

fn unary(operator: Unary, value: Value) -> Result<Value> {
    match (operator, value) {
        (_, Value::Null) => Ok(Value::Null),
        (Unary::Not, Value::Boolean(boolean)) => Ok((!boolean).into()),
        (Unary::Not, other) => Err(mismatch("BOOLEAN", &other)),
        (Unary::Minus, Value::Integer(integer)) => {
            integer.checked_neg().map(Value::Integer).ok_or_else(Error::overflow)
        }
        (Unary::Minus, Value::Float(float)) => Ok((-float).into()),
        (Unary::Minus, Value::Duration(duration)) => duration.negated().map(Value::Duration),
        // The parser turns brackets around a comparison into a plus, so a plus takes every type.
        (Unary::Plus, value) => Ok(value),
        (Unary::Minus, other) => Err(mismatch("INTEGER, FLOAT or DURATION", &other)),
    }
}
