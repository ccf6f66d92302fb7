//! Expressions to values. A row holds the variables by slot; slots past its end are null.

mod operators;

use std::sync::Arc;

use crate::bound::{Expression, Pattern};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::exec;
use crate::functions;
use crate::functions::temporal;
use crate::kinds::{Binary, Quantifier, SubqueryKind, Unary};
use crate::row::{Row, get, set};
use crate::store::Entity;
use crate::value::{Map, Value, map_get, mismatch};

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
            Expression::HasLabels(inner, labels) => match self.eval(inner, row)? {
                Value::Null => Ok(Value::Null),
                Value::Node(id) => {
                    let node = self.graph.existing_node(id)?;
                    Ok(labels.matches(&node.labels).into())
                }
                Value::Relationship(id) => {
                    let r = self.graph.existing_relationship(id)?;
                    Ok(labels.matches(std::slice::from_ref(&r.kind)).into())
                }
                other => Err(mismatch("a node or a relationship", &other)),
            },
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
                let from = from.as_ref().map(|from| self.eval(from, row)).transpose()?;
                let to = to.as_ref().map(|to| self.eval(to, row)).transpose()?;
                slice(&list, from, to)
            }
            Expression::List(items) => {
                let items: Result<Vec<_>> = items.iter().map(|item| self.eval(item, row)).collect();
                Ok(Value::list(items?))
            }
            Expression::Map(entries) => Ok(Value::map(self.entries(entries, row)?)),
            Expression::MapProjection { source, all, entries } => {
                self.map_projection(source, *all, entries, row)
            }
            Expression::Case { operand, branches, otherwise } => {
                self.case(operand.as_deref(), branches, otherwise.as_deref(), row)
            }
            Expression::Function { function, arguments } => {
                let arguments: Result<Vec<_>> =
                    arguments.iter().map(|item| self.eval(item, row)).collect();
                function.call(self, &arguments?)
            }
            Expression::ListComprehension { slot, list, filter, map } => {
                let list = self.eval(list, row)?;
                let mut results = Vec::new();
                let found = self.for_each(&list, *slot, row, |row, item| {
                    if filter.as_ref().map_or(Ok(true), |filter| self.is_true(filter, row))? {
                        let mapped = map.as_ref().map(|map| self.eval(map, row)).transpose()?;
                        results.push(mapped.unwrap_or(item));
                    }
                    self.control.fits(results.len() * size_of::<Value>())?;
                    Ok(true)
                })?;
                Ok(if found { Value::list(results) } else { Value::Null })
            }
            Expression::Quantifier { kind, slot, list, filter } => {
                let list = self.eval(list, row)?;
                self.quantifier(*kind, *slot, &list, filter, row)
            }
            Expression::Reduce { accumulator, initial, slot, list, step } => {
                let (mut total, list) = (self.eval(initial, row)?, self.eval(list, row)?);
                let found = self.for_each(&list, *slot, row, |row, _| {
                    set(row, *accumulator, total.clone());
                    total = self.eval(step, row)?;
                    self.check_grown(&total)?;
                    Ok(true)
                })?;
                Ok(if found { total } else { Value::Null })
            }
            Expression::PatternComprehension { pattern, filter, map } => {
                let mut results = Vec::new();
                let width = row.len();
                for found in exec::matches(self, pattern.clone(), row.clone())? {
                    let mut found = found?;
                    if filter
                        .as_ref()
                        .map_or(Ok(true), |filter| self.is_true(filter, &mut found))?
                    {
                        results.push(self.eval(map, &mut found)?);
                    }
                }
                row.truncate(width);
                Ok(Value::list(results))
            }
            Expression::PatternExists(pattern) => self.pattern_exists(pattern, row),
            Expression::ShortestPath(pattern) => exec::shortest_path(self, pattern, row),
            Expression::Subquery { kind, query } => {
                let rows = exec::read(self, query, row.clone())?;
                subquery_value(self, *kind, rows)
            }
        }
    }

    /// Whether a predicate holds; null does not.
    pub fn is_true(&self, expression: &Expression, row: &mut Row) -> Result<bool> {
        match self.eval(expression, row)? {
            Value::Boolean(boolean) => Ok(boolean),
            Value::Null => Ok(false),
            other => Err(mismatch("BOOLEAN", &other)),
        }
    }

    /// Only a loop can nest values without end, and everything that walks values recurses.
    fn check_grown(&self, value: &Value) -> Result<()> {
        if value.is_deeper_than(NESTING_MAX) {
            return Err(Error::Unsupported(format!("values nested more than {NESTING_MAX} deep")));
        }
        self.control.fits(value.size())
    }

    fn parameter(&self, name: &str) -> Result<Value> {
        let value = map_get(&self.parameters, name);
        value.cloned().ok_or_else(|| Error::MissingParameter(name.to_owned()))
    }

    pub fn entries(&self, entries: &[(Arc<str>, Expression)], row: &mut Row) -> Result<Map> {
        entries.iter().map(|(key, value)| Ok((key.clone(), self.eval(value, row)?))).collect()
    }

    pub fn property(&self, value: &Value, key: &str) -> Result<Value> {
        match value {
            Value::Null => Ok(Value::Null),
            Value::Node(id) => self.graph.property(Entity::Node(*id), key),
            Value::Relationship(id) => self.graph.property(Entity::Relationship(*id), key),
            Value::Map(map) => Ok(map_get(map, key).cloned().unwrap_or(Value::Null)),
            Value::Point(point) => functions::point_component(point, key),
            Value::Date(_)
            | Value::LocalTime(_)
            | Value::Time(_)
            | Value::LocalDateTime(_)
            | Value::DateTime(_)
            | Value::Duration(_) => temporal::component(value, key),
            other => Err(mismatch("a map, a node, a relationship or a temporal value", other)),
        }
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

    fn index(&self, inner: &Value, index: &Value) -> Result<Value> {
        match (inner, index) {
            (Value::Null, _) | (_, Value::Null) => Ok(Value::Null),
            (Value::List(list), Value::Integer(index)) => {
                let index = if *index < 0 { *index + list.len() as i64 } else { *index };
                let found = usize::try_from(index).ok().and_then(|index| list.get(index));
                Ok(found.cloned().unwrap_or(Value::Null))
            }
            (Value::List(_), other) => Err(mismatch("INTEGER", other)),
            (_, Value::String(key)) => self.property(inner, key),
            (_, other) => Err(mismatch("STRING", other)),
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

    /// Calls `step` with each element in `slot` until it says stop; `false` if the list is null.
    fn for_each(
        &self,
        list: &Value,
        slot: usize,
        row: &mut Row,
        mut step: impl FnMut(&mut Row, Value) -> Result<bool>,
    ) -> Result<bool> {
        let list = match list {
            Value::Null => return Ok(false),
            Value::List(list) => list.clone(),
            other => return Err(mismatch("LIST<ANY>", other)),
        };
        let width = row.len();
        for item in list.iter() {
            self.control.check()?;
            set(row, slot, item.clone());
            if !step(row, item.clone())? {
                break;
            }
        }
        row.truncate(width);
        Ok(true)
    }

    fn quantifier(
        &self,
        kind: Quantifier,
        slot: usize,
        list: &Value,
        filter: &Expression,
        row: &mut Row,
    ) -> Result<Value> {
        let (mut holding, mut failing, mut unknown) = (0, 0, 0);
        let found = self.for_each(list, slot, row, |row, _| {
            match self.eval(filter, row)? {
                Value::Boolean(true) => holding += 1,
                Value::Boolean(false) => failing += 1,
                _ => unknown += 1,
            }
            Ok(true)
        })?;
        let decided = match kind {
            _ if !found => None,
            Quantifier::All if failing > 0 => Some(false),
            Quantifier::Any if holding > 0 => Some(true),
            Quantifier::None if holding > 0 => Some(false),
            Quantifier::Single if holding > 1 => Some(false),
            _ if unknown > 0 => None,
            Quantifier::All | Quantifier::None => Some(true),
            Quantifier::Any => Some(false),
            Quantifier::Single => Some(holding == 1),
        };
        Ok(decided.into())
    }

    fn pattern_exists(&self, pattern: &Arc<[Pattern]>, row: &Row) -> Result<Value> {
        let mut found = exec::matches(self, pattern.clone(), row.clone())?;
        Ok(found.next().transpose()?.is_some().into())
    }
}

fn subquery_value(
    context: &Context,
    kind: SubqueryKind,
    mut rows: impl Iterator<Item = Result<Row>>,
) -> Result<Value> {
    match kind {
        SubqueryKind::Exists => Ok(rows.next().transpose()?.is_some().into()),
        SubqueryKind::Count => {
            rows.try_fold(0_i64, |count, row| row.map(|_| count + 1)).map(Value::Integer)
        }
        SubqueryKind::Collect => {
            let mut values = Vec::new();
            for row in rows {
                let value = row?.into_iter().next().unwrap_or(Value::Null);
                context.control.charge(value.size())?;
                values.push(value);
            }
            Ok(Value::list(values))
        }
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
        // Brackets around a comparison leave a plus behind, so it takes every type.
        (Unary::Plus, value) => Ok(value),
        (Unary::Minus, other) => Err(mismatch("INTEGER, FLOAT or DURATION", &other)),
    }
}

fn slice(list: &Value, from: Option<Value>, to: Option<Value>) -> Result<Value> {
    let list = match list {
        Value::Null => return Ok(Value::Null),
        Value::List(list) => list,
        other => return Err(mismatch("LIST<ANY>", other)),
    };
    let length = list.len() as i64;
    let bound = |value: Option<Value>, default: i64| match value {
        None => Ok(Some(default)),
        Some(Value::Null) => Ok(None),
        Some(Value::Integer(index)) if index < 0 => Ok(Some((index + length).max(0))),
        Some(Value::Integer(index)) => Ok(Some(index.min(length))),
        Some(other) => Err(mismatch("INTEGER", &other)),
    };
    let (Some(from), Some(to)) = (bound(from, 0)?, bound(to, length)?) else {
        return Ok(Value::Null);
    };
    let part = list.get(from as usize..to.max(from) as usize).unwrap_or_default();
    Ok(Value::list(part.to_vec()))
}

/// As deep as the codec reads parameters.
const NESTING_MAX: usize = 128;
