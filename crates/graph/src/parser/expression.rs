//! Expressions by precedence climbing: few stack frames a level, so that nesting stays cheap.

use std::sync::Arc;

use super::Parser;
use crate::ast::{Aggregate, Expression};
use crate::error::{Error, Result};
use crate::kinds::{AggregateKind, Binary, Quantifier, Shortest, SubqueryKind, Unary};
use crate::lexer::Token;
use crate::value::Value;

impl Parser<'_> {
    pub(super) fn expression(&mut self) -> Result<Expression> {
        self.binary(0)
    }

    fn binary(&mut self, level_min: u8) -> Result<Expression> {
        self.enter()?;
        let mut left = self.prefix(level_min)?;
        let mut operators = 0;
        while let Some((operator, level, tokens)) = self.operator() {
            if level < level_min {
                break;
            }
            operators += 1;
            if operators > OPERATORS_MAX {
                return Err(Error::Unsupported(format!(
                    "more than {OPERATORS_MAX} operators in a row"
                )));
            }
            self.at += tokens;
            left = match operator {
                Operator::IsNull { negated } => {
                    Expression::IsNull { operand: Box::new(left), negated }
                }
                Operator::Binary(operator) => {
                    // Everything is left-associative, `^` included.
                    let right = self.binary(level + 1)?;
                    join(left, operator, right)
                }
            };
        }
        self.leave();
        Ok(left)
    }

    fn prefix(&mut self, level_min: u8) -> Result<Expression> {
        if level_min <= NOT_LEVEL && self.keyword("NOT") {
            let operand = self.binary(NOT_LEVEL)?;
            return Ok(Expression::Unary(Unary::Not, Box::new(operand)));
        }
        if self.symbol("-") {
            let operand = self.binary(UNARY_LEVEL)?;
            return Ok(match operand {
                Expression::Literal(Value::Integer(integer)) => {
                    Expression::Literal(Value::Integer(-integer))
                }
                Expression::Literal(Value::Float(float)) => {
                    Expression::Literal(Value::Float(-float))
                }
                operand => Expression::Unary(Unary::Minus, Box::new(operand)),
            });
        }
        if self.symbol("+") {
            let operand = self.binary(UNARY_LEVEL)?;
            return Ok(Expression::Unary(Unary::Plus, Box::new(operand)));
        }
        self.postfix()
    }

    /// The operator that comes next, its level and how many tokens it takes.
    fn operator(&self) -> Option<(Operator, u8, usize)> {
        let binary = |operator, level| Some((Operator::Binary(operator), level, 1));
        match self.token() {
            Token::Symbol(symbol) => match *symbol {
                "=" => binary(Binary::Equal, 4),
                "<>" | "!=" => binary(Binary::NotEqual, 4),
                "<" => binary(Binary::Less, 4),
                "<=" => binary(Binary::LessOrEqual, 4),
                ">" => binary(Binary::Greater, 4),
                ">=" => binary(Binary::GreaterOrEqual, 4),
                "=~" => binary(Binary::Matches, 5),
                "+" | "||" => binary(Binary::Add, 6),
                "-" => binary(Binary::Subtract, 6),
                "*" => binary(Binary::Multiply, 7),
                "/" => binary(Binary::Divide, 7),
                "%" => binary(Binary::Modulo, 7),
                "^" => binary(Binary::Power, 8),
                _ => None,
            },
            Token::Word(word) => self.word_operator(&word.to_uppercase()),
            _ => None,
        }
    }

    fn word_operator(&self, word: &str) -> Option<(Operator, u8, usize)> {
        let followed_by = |keyword: &str, ahead| matches!(self.token_at(ahead), Token::Word(w) if w.eq_ignore_ascii_case(keyword));
        let binary = |operator, level, tokens| Some((Operator::Binary(operator), level, tokens));
        match word {
            "OR" => binary(Binary::Or, 0, 1),
            "XOR" => binary(Binary::Xor, 1, 1),
            "AND" => binary(Binary::And, 2, 1),
            "IN" => binary(Binary::In, 5, 1),
            "CONTAINS" => binary(Binary::Contains, 5, 1),
            "STARTS" if followed_by("WITH", 1) => binary(Binary::StartsWith, 5, 2),
            "ENDS" if followed_by("WITH", 1) => binary(Binary::EndsWith, 5, 2),
            "IS" if followed_by("NULL", 1) => Some((Operator::IsNull { negated: false }, 5, 2)),
            "IS" if followed_by("NOT", 1) && followed_by("NULL", 2) => {
                Some((Operator::IsNull { negated: true }, 5, 3))
            }
            _ => None,
        }
    }

    /// An atom with properties, labels, indexes and slices behind it.
    pub(super) fn postfix(&mut self) -> Result<Expression> {
        let mut expression = self.atom()?;
        let mut steps = 0;
        loop {
            expression = if self.symbol(".") {
                Expression::Property(Box::new(expression), self.name()?)
            } else if self.is_symbol(":")
                && matches!(
                    self.token_at(1),
                    Token::Word(_) | Token::Quoted(_) | Token::Symbol("!" | "%" | "(")
                )
            {
                self.at += 1;
                Expression::HasLabels(Box::new(expression), self.label_expression()?)
            } else if self.symbol("[") {
                self.index_or_slice(expression)?
            } else if self.is_symbol("{") && matches!(expression, Expression::Variable(_)) {
                self.map_projection(expression)?
            } else {
                return Ok(expression);
            };
            steps += 1;
            if steps > OPERATORS_MAX {
                return Err(Error::Unsupported(format!(
                    "more than {OPERATORS_MAX} look-ups in a row"
                )));
            }
        }
    }

    fn index_or_slice(&mut self, list: Expression) -> Result<Expression> {
        let list = Box::new(list);
        let from = if self.is_symbol("..") { None } else { Some(Box::new(self.expression()?)) };
        if !self.symbol("..") {
            self.expect("]")?;
            let index = from.expect("an index stands where no slice does");
            return Ok(Expression::Index(list, index));
        }
        let to = if self.is_symbol("]") { None } else { Some(Box::new(self.expression()?)) };
        self.expect("]")?;
        Ok(Expression::Slice { list, from, to })
    }

    fn map_projection(&mut self, source: Expression) -> Result<Expression> {
        self.expect("{")?;
        let (mut all, mut entries) = (false, Vec::new());
        while !self.is_symbol("}") {
            if self.symbol(".") {
                if self.symbol("*") {
                    all = true;
                } else {
                    let key = self.name()?;
                    entries
                        .push((key.clone(), Expression::Property(Box::new(source.clone()), key)));
                }
            } else {
                let key = self.name()?;
                let value = if self.symbol(":") {
                    self.expression()?
                } else {
                    Expression::Variable(key.clone())
                };
                entries.push((key, value));
            }
            if !self.symbol(",") {
                break;
            }
        }
        self.expect("}")?;
        Ok(Expression::MapProjection { source: Box::new(source), all, entries })
    }

    fn atom(&mut self) -> Result<Expression> {
        let literal = |value| Ok(Expression::Literal(value));
        match self.token().clone() {
            Token::Integer(integer) => self.taken(literal(Value::Integer(integer))),
            Token::Float(float) => self.taken(literal(Value::Float(float))),
            Token::String(string) => self.taken(literal(Value::String(string))),
            Token::Parameter(name) => self.taken(Ok(Expression::Parameter(name))),
            Token::Symbol("(") => self.bracketed(),
            Token::Symbol("[") => self.list(),
            Token::Symbol("{") => self.map().map(Expression::Map),
            Token::Word(word) => self.word(&word),
            Token::Quoted(_) => self.named(),
            _ => Err(self.unexpected("an expression")),
        }
    }

    fn taken(&mut self, expression: Result<Expression>) -> Result<Expression> {
        self.at += 1;
        expression
    }

    fn word(&mut self, word: &str) -> Result<Expression> {
        let keyword = word.to_ascii_uppercase();
        let next_is = |symbol| *self.token_at(1) == Token::Symbol(symbol);
        match keyword.as_str() {
            "NULL" => self.taken(Ok(Expression::Literal(Value::Null))),
            "TRUE" => self.taken(Ok(Expression::Literal(Value::Boolean(true)))),
            "FALSE" => self.taken(Ok(Expression::Literal(Value::Boolean(false)))),
            "INF" | "INFINITY" if !next_is("(") => {
                self.taken(Ok(Expression::Literal(f64::INFINITY.into())))
            }
            "NAN" if !next_is("(") => self.taken(Ok(Expression::Literal(f64::NAN.into()))),
            "CASE" => self.case(),
            "EXISTS" if next_is("{") => self.subquery(SubqueryKind::Exists),
            "COUNT" if next_is("{") => self.subquery(SubqueryKind::Count),
            "COLLECT" if next_is("{") => self.subquery(SubqueryKind::Collect),
            "ALL" if next_is("(") => self.quantifier(Quantifier::All),
            "ANY" if next_is("(") => self.quantifier(Quantifier::Any),
            "NONE" if next_is("(") => self.quantifier(Quantifier::None),
            "SINGLE" if next_is("(") => self.quantifier(Quantifier::Single),
            "REDUCE" if next_is("(") => self.reduce(),
            "SHORTESTPATH" if next_is("(") => self.shortest(Shortest::One),
            "ALLSHORTESTPATHS" if next_is("(") => self.shortest(Shortest::All),
            _ => self.named(),
        }
    }

    /// A variable, or a function whose name may have dots.
    fn named(&mut self) -> Result<Expression> {
        let start = self.at;
        let name = self.dotted_name()?;
        if self.symbol("(") {
            return self.function(name);
        }
        self.at = start;
        self.variable().map(Expression::Variable)
    }

    fn function(&mut self, name: Arc<str>) -> Result<Expression> {
        let lower = name.to_lowercase();
        if let Some(kind) = aggregate(&lower) {
            return self.aggregate(kind);
        }
        // `exists((a)-->())` and `exists(n.x)` are older than EXISTS {}.
        let mut arguments = self.list_until(")")?;
        if lower == "exists" && arguments.len() == 1 {
            let argument = arguments.remove(0);
            return Ok(match argument {
                pattern @ Expression::PatternExists(_) => pattern,
                value => Expression::IsNull { operand: Box::new(value), negated: true },
            });
        }
        Ok(Expression::Function { name: lower.into(), arguments })
    }

    fn aggregate(&mut self, kind: AggregateKind) -> Result<Expression> {
        let mut aggregate = Aggregate { kind, distinct: false, argument: None, fraction: None };
        if !(kind == AggregateKind::Count && self.symbol("*")) {
            aggregate.distinct = self.keyword("DISTINCT");
            aggregate.argument = Some(Box::new(self.expression()?));
        }
        if matches!(kind, AggregateKind::PercentileContinuous | AggregateKind::PercentileDiscrete) {
            self.expect(",")?;
            aggregate.fraction = Some(Box::new(self.expression()?));
        }
        self.expect(")")?;
        Ok(Expression::Aggregate(aggregate))
    }

    /// Round brackets hold an expression or begin a pattern; a pattern goes on with `-` or `<-`
    /// and what can only be a relationship.
    fn bracketed(&mut self) -> Result<Expression> {
        let start = self.at;
        if let Some(pattern) = self.pattern_if_here()? {
            return Ok(Expression::PatternExists(Box::new(pattern)));
        }
        self.at = start + 1;
        let expression = self.expression()?;
        self.expect(")")?;
        // A comparison in brackets is a value; as a chain's part it must not be taken apart.
        Ok(match expression {
            Expression::Binary(operator, ..) if operator.is_comparison() => {
                Expression::Unary(Unary::Plus, Box::new(expression))
            }
            Expression::Chain(..) => Expression::Unary(Unary::Plus, Box::new(expression)),
            expression => expression,
        })
    }

    pub(super) fn map(&mut self) -> Result<Vec<(Arc<str>, Expression)>> {
        self.expect("{")?;
        if self.symbol("}") {
            return Ok(Vec::new());
        }
        let entries = self.separated(|parser| {
            let key = parser.name()?;
            parser.expect(":")?;
            Ok((key, parser.expression()?))
        })?;
        self.expect("}")?;
        // Of a key that is written twice the last value counts.
        let mut unique: Vec<(Arc<str>, Expression)> = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            match unique.iter_mut().find(|(known, _)| *known == key) {
                Some(entry) => entry.1 = value,
                None => unique.push((key, value)),
            }
        }
        Ok(unique)
    }

    fn case(&mut self) -> Result<Expression> {
        self.at += 1;
        let operand =
            if self.is_keyword("WHEN") { None } else { Some(Box::new(self.expression()?)) };
        let mut branches = Vec::new();
        while self.keyword("WHEN") {
            let when = self.expression()?;
            self.expect_keyword("THEN")?;
            branches.push((when, self.expression()?));
        }
        if branches.is_empty() {
            return Err(self.unexpected("WHEN"));
        }
        let otherwise =
            if self.keyword("ELSE") { Some(Box::new(self.expression()?)) } else { None };
        self.expect_keyword("END")?;
        Ok(Expression::Case { operand, branches, otherwise })
    }

    fn quantifier(&mut self, kind: Quantifier) -> Result<Expression> {
        self.at += 2;
        let variable = self.variable()?;
        self.expect_keyword("IN")?;
        let list = Box::new(self.expression()?);
        self.expect_keyword("WHERE")?;
        let filter = Box::new(self.expression()?);
        self.expect(")")?;
        Ok(Expression::Quantifier { kind, variable, list, filter })
    }

    fn reduce(&mut self) -> Result<Expression> {
        self.at += 2;
        let accumulator = self.variable()?;
        self.expect("=")?;
        let initial = Box::new(self.expression()?);
        self.expect(",")?;
        let variable = self.variable()?;
        self.expect_keyword("IN")?;
        let list = Box::new(self.expression()?);
        self.expect("|")?;
        let step = Box::new(self.expression()?);
        self.expect(")")?;
        Ok(Expression::Reduce { accumulator, initial, variable, list, step })
    }

    fn shortest(&mut self, shortest: Shortest) -> Result<Expression> {
        self.at += 2;
        let mut pattern = self.pattern_part()?;
        pattern.shortest = Some(shortest);
        self.expect(")")?;
        Ok(Expression::ShortestPath(Box::new(pattern)))
    }

    fn subquery(&mut self, kind: SubqueryKind) -> Result<Expression> {
        self.at += 2;
        let is_path = matches!(self.token(), Token::Word(_) | Token::Quoted(_))
            && *self.token_at(1) == Token::Symbol("=");
        let query =
            if self.is_symbol("(") || is_path { self.bare_pattern_query()? } else { self.query()? };
        self.expect("}")?;
        if query.writes() {
            return Err(self.semantic("A subquery expression may not write"));
        }
        Ok(Expression::Subquery { kind, query: Box::new(query) })
    }
}

/// `a < b < c` is one chain of comparisons, not a comparison of a truth value; brackets
/// keep theirs apart (see `bracketed`).
fn join(left: Expression, operator: Binary, right: Expression) -> Expression {
    if !operator.is_comparison() {
        return Expression::Binary(operator, Box::new(left), Box::new(right));
    }
    match left {
        Expression::Binary(first, a, b) if first.is_comparison() => {
            Expression::Chain(vec![*a, *b, right], vec![first, operator])
        }
        Expression::Chain(mut operands, mut operators) => {
            operands.push(right);
            operators.push(operator);
            Expression::Chain(operands, operators)
        }
        left => Expression::Binary(operator, Box::new(left), Box::new(right)),
    }
}

enum Operator {
    Binary(Binary),
    IsNull { negated: bool },
}

fn aggregate(name: &str) -> Option<AggregateKind> {
    Some(match name {
        "count" => AggregateKind::Count,
        "sum" => AggregateKind::Sum,
        "avg" => AggregateKind::Average,
        "min" => AggregateKind::Minimum,
        "max" => AggregateKind::Maximum,
        "collect" => AggregateKind::Collect,
        "stdev" => AggregateKind::Deviation,
        "stdevp" => AggregateKind::DeviationOfPopulation,
        "percentilecont" => AggregateKind::PercentileContinuous,
        "percentiledisc" => AggregateKind::PercentileDiscrete,
        _ => return None,
    })
}

const NOT_LEVEL: u8 = 3;
/// Binds closer than every operator.
const UNARY_LEVEL: u8 = 9;
/// A row of operators becomes a tree as deep as the row is long.
const OPERATORS_MAX: usize = 1000;
