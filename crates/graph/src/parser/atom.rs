//! Atoms: what operators join. Literals, calls, brackets, CASE, and expressions that begin with a
//! word of their own.

use std::sync::Arc;

use super::tokens::Parser;
use crate::ast::{Aggregate, Expression};
use crate::error::Result;
use crate::kinds::{AggregateKind, Quantifier, Shortest, SubqueryKind, Unary};
use crate::lexer::Token;
use crate::value::Value;

impl Parser<'_> {
    pub(super) fn atom(&mut self) -> Result<Expression> {
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

    /// Round brackets hold an expression or begin a pattern. They begin a pattern when `-` or `<-`
    /// and something that can only be a relationship follow.
    fn bracketed(&mut self) -> Result<Expression> {
        let start = self.at;
        if let Some(pattern) = self.pattern_if_here()? {
            return Ok(Expression::PatternExists(Box::new(pattern)));
        }
        self.at = start + 1;
        let expression = self.expression()?;
        self.expect(")")?;
        // A comparison in brackets is a value of its own. The plus keeps it from becoming a part of
        // a chain such as `a < b < c`.
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
        // When a key is written twice, the last value counts.
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
