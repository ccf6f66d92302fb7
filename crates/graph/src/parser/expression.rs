//! Expressions with operators, by precedence climbing. It needs few stack frames for each level, so
//! that nested expressions take little of the stack.

use super::tokens::Parser;
use crate::ast::Expression;
use crate::error::{Error, Result};
use crate::kinds::{Binary, Unary};
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

    /// An atom, followed by properties, labels, indexes and slices.
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

const NOT_LEVEL: u8 = 3;
/// The level of a sign, which binds closer than every operator.
const UNARY_LEVEL: u8 = 9;
/// A row of operators becomes a tree as deep as the row is long.
const OPERATORS_MAX: usize = 1000;
