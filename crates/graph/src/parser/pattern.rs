//! Patterns: nodes, relationships, label expressions.

use std::sync::Arc;

use super::tokens::Parser;
use crate::ast::{
    Clause, Expression, Item, NodePattern, Pattern, Projection, Query, RelationshipPattern, Single,
};
use crate::error::{Error, Result};
use crate::kinds::Shortest;
use crate::label::LabelExpression;
use crate::lexer::Token;
use crate::store::Direction;
use crate::value::Value;

impl Parser<'_> {
    pub(super) fn patterns(&mut self) -> Result<Vec<Pattern>> {
        self.separated(Self::pattern)
    }

    /// A pattern with its path variable and `shortestPath`, if any.
    pub(super) fn pattern(&mut self) -> Result<Pattern> {
        let path = if matches!(self.token(), Token::Word(_) | Token::Quoted(_))
            && *self.token_at(1) == Token::Symbol("=")
        {
            let path = self.variable()?;
            self.at += 1;
            Some(path)
        } else {
            None
        };
        let shortest = if self.is_keyword("shortestPath") {
            Some(Shortest::One)
        } else if self.is_keyword("allShortestPaths") {
            Some(Shortest::All)
        } else {
            None
        };
        let mut pattern = if shortest.is_some() {
            self.at += 1;
            self.expect("(")?;
            let pattern = self.pattern_part()?;
            self.expect(")")?;
            pattern
        } else if matches!(self.token(), Token::Word(_)) {
            return Err(Error::Unsupported(format!("the path selector in `{}`", self.name()?)));
        } else {
            self.pattern_part()?
        };
        (pattern.path, pattern.shortest) = (path, shortest);
        Ok(pattern)
    }

    pub(super) fn pattern_part(&mut self) -> Result<Pattern> {
        let mut nodes = vec![self.node_pattern()?];
        let mut relationships = Vec::new();
        while self.is_symbol("-")
            || (self.is_symbol("<") && *self.token_at(1) == Token::Symbol("-"))
        {
            relationships.push(self.relationship_pattern()?);
            nodes.push(self.node_pattern()?);
            if nodes.len() > HOPS_MAX {
                return Err(Error::Unsupported(format!("patterns of more than {HOPS_MAX} nodes")));
            }
        }
        Ok(Pattern { path: None, shortest: None, nodes, relationships })
    }

    /// A pattern with at least one relationship, where an expression could stand as well; `None` if
    /// it isn't one.
    pub(super) fn pattern_if_here(&mut self) -> Result<Option<Pattern>> {
        if !self.looks_like_a_pattern() {
            return Ok(None);
        }
        self.pattern_part().map(Some)
    }

    /// Looks for the bracket that closes the first node, and whether an arrow follows it.
    fn looks_like_a_pattern(&self) -> bool {
        let (mut open, mut ahead) = (0_usize, 0);
        loop {
            match self.token_at(ahead) {
                Token::Symbol("(" | "[" | "{") => open += 1,
                Token::Symbol(")" | "]" | "}") => open = open.saturating_sub(1),
                Token::End => return false,
                _ => {}
            }
            ahead += 1;
            if open == 0 {
                break;
            }
        }
        let symbol = |offset| match self.token_at(ahead + offset) {
            Token::Symbol(symbol) => *symbol,
            _ => "",
        };
        // `(a)-[` and `(a)--` can't be arithmetic here; `(a) - (b)` is.
        match (symbol(0), symbol(1)) {
            ("-", "[") => self.bracket_holds_a_relationship(ahead + 1),
            ("-", "-") => matches!(symbol(2), "(" | ">"),
            ("<", "-") => matches!(symbol(2), "[" | "-"),
            _ => false,
        }
    }

    /// `(a)-[1]` subtracts a list; a relationship is followed by `-`.
    fn bracket_holds_a_relationship(&self, at: usize) -> bool {
        let (mut open, mut ahead) = (0_usize, at);
        loop {
            match self.token_at(ahead) {
                Token::Symbol("[") => open += 1,
                Token::Symbol("]") => open -= 1,
                Token::End => return false,
                _ => {}
            }
            ahead += 1;
            if open == 0 {
                let (next, then) = (self.token_at(ahead), self.token_at(ahead + 1));
                return *next == Token::Symbol("-") && matches!(then, Token::Symbol("(" | ">"));
            }
        }
    }

    /// `EXISTS { (a)-->(b) WHERE … }`: a MATCH without the word.
    pub(super) fn bare_pattern_query(&mut self) -> Result<Query> {
        let clause =
            Clause::Match { optional: false, patterns: self.patterns()?, filter: self.filter()? };
        let item = Item { expression: Expression::Literal(Value::Integer(1)), name: "1".into() };
        let result = Projection { is_return: true, items: vec![item], ..Projection::default() };
        let clauses = vec![clause, Clause::Project(result)];
        Ok(Query { parts: vec![Single { clauses }], keeps_duplicates: false })
    }

    fn node_pattern(&mut self) -> Result<NodePattern> {
        self.expect("(")?;
        let mut node = NodePattern { variable: self.pattern_variable()?, ..NodePattern::default() };
        if self.symbol(":") || self.keyword("IS") {
            node.labels = Some(self.label_expression()?);
        }
        node.properties = self.pattern_properties()?;
        node.filter = self.filter()?;
        self.expect(")")?;
        Ok(node)
    }

    fn relationship_pattern(&mut self) -> Result<RelationshipPattern> {
        let to_left = self.symbol("<");
        self.expect("-")?;
        let mut relationship = RelationshipPattern {
            variable: None,
            types: None,
            direction: Direction::Both,
            length: None,
            properties: None,
            filter: None,
        };
        if self.symbol("[") {
            relationship.variable = self.pattern_variable()?;
            if self.symbol(":") || self.keyword("IS") {
                relationship.types = Some(self.label_expression()?);
            }
            relationship.length = self.hops()?;
            relationship.properties = self.pattern_properties()?;
            relationship.filter = self.filter()?;
            self.expect("]")?;
        }
        self.expect("-")?;
        let to_right = self.symbol(">");
        if self.is_symbol("+") || self.is_symbol("*") || self.is_symbol("{") {
            return Err(Error::Unsupported("quantified relationships".into()));
        }
        relationship.direction = match (to_left, to_right) {
            (true, false) => Direction::Incoming,
            (false, true) => Direction::Outgoing,
            _ => Direction::Both,
        };
        Ok(relationship)
    }

    fn pattern_variable(&mut self) -> Result<Option<Arc<str>>> {
        let is_name = matches!(self.token(), Token::Word(_) | Token::Quoted(_));
        if !is_name
            || self.is_keyword("WHERE")
            || (self.is_keyword("IS") && !matches!(self.token_at(1), Token::Symbol(_)))
        {
            return Ok(None);
        }
        self.variable().map(Some)
    }

    fn pattern_properties(&mut self) -> Result<Option<Expression>> {
        match self.token().clone() {
            Token::Symbol("{") => self.map().map(|map| Some(Expression::Map(map))),
            Token::Parameter(name) => {
                self.at += 1;
                Ok(Some(Expression::Parameter(name)))
            }
            _ => Ok(None),
        }
    }

    /// `*`, `*2`, `*1..`, `*..3`, `*1..3`
    fn hops(&mut self) -> Result<Option<(u64, Option<u64>)>> {
        if !self.symbol("*") {
            return Ok(None);
        }
        let fewest = self.hop_count();
        if !self.symbol("..") {
            return Ok(Some(fewest.map_or((1, None), |exact| (exact, Some(exact)))));
        }
        Ok(Some((fewest.unwrap_or(1), self.hop_count())))
    }

    fn hop_count(&mut self) -> Option<u64> {
        let Token::Integer(count) = *self.token() else { return None };
        self.at += 1;
        u64::try_from(count).ok()
    }

    /// `A`, `A:B`, `A&B`, `A|B`, `!A`, `%`, brackets. Old queries write `:A|:B`.
    pub(super) fn label_expression(&mut self) -> Result<LabelExpression> {
        self.enter()?;
        let mut any = vec![self.label_conjunction()?];
        while self.symbol("|") {
            self.symbol(":");
            any.push(self.label_conjunction()?);
        }
        self.leave();
        Ok(if any.len() == 1 { any.remove(0) } else { LabelExpression::Or(any) })
    }

    fn label_conjunction(&mut self) -> Result<LabelExpression> {
        let mut all = vec![self.label_term()?];
        while self.symbol("&") || self.symbol(":") {
            all.push(self.label_term()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { LabelExpression::And(all) })
    }

    fn label_term(&mut self) -> Result<LabelExpression> {
        self.enter()?;
        let term = if self.symbol("!") {
            LabelExpression::Not(Box::new(self.label_term()?))
        } else if self.symbol("%") {
            LabelExpression::Any
        } else if self.symbol("(") {
            let inner = self.label_expression()?;
            self.expect(")")?;
            inner
        } else if self.is_symbol("$") || matches!(self.token(), Token::Parameter(_)) {
            return Err(Error::Unsupported("dynamic labels and types".into()));
        } else {
            LabelExpression::Name(self.name()?)
        };
        self.leave();
        Ok(term)
    }

    /// For SET and REMOVE, which take names only: `n:A:B`.
    pub(super) fn plain_labels(
        &self,
        target: Expression,
        labels: &LabelExpression,
    ) -> Result<(Arc<str>, Vec<Arc<str>>)> {
        let Expression::Variable(target) = target else {
            return Err(self.unexpected("a variable"));
        };
        let labels = labels.names().ok_or_else(|| self.unexpected("labels joined by ':'"))?;
        Ok((target, labels))
    }
}

const HOPS_MAX: usize = 200;
