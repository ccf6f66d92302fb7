//! What all rules of the parser are made of: looking at tokens, taking them, and saying what was
//! expected instead.

use std::sync::Arc;

use crate::ast::Expression;
use crate::error::{Error, Result};
use crate::lexer::{Spanned, Token, error_at};

pub(super) struct Parser<'a> {
    pub query: &'a str,
    pub tokens: Vec<Spanned>,
    pub at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(query: &'a str, tokens: Vec<Spanned>) -> Self {
        Self { query, tokens, at: 0, depth: 0 }
    }
}

impl Parser<'_> {
    pub(super) fn token(&self) -> &Token {
        self.token_at(0)
    }

    /// The token `ahead` places further on. After the last token there is only `End`.
    pub(super) fn token_at(&self, ahead: usize) -> &Token {
        &self.tokens[(self.at + ahead).min(self.tokens.len() - 1)].token
    }

    pub(super) fn is_keyword(&self, keyword: &str) -> bool {
        matches!(self.token(), Token::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    pub(super) fn keyword(&mut self, keyword: &str) -> bool {
        let found = self.is_keyword(keyword);
        self.at += usize::from(found);
        found
    }

    pub(super) fn symbol(&mut self, symbol: &str) -> bool {
        let found = matches!(self.token(), Token::Symbol(s) if *s == symbol);
        self.at += usize::from(found);
        found
    }

    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.token(), Token::Symbol(s) if *s == symbol)
    }

    pub(super) fn expect(&mut self, symbol: &str) -> Result<()> {
        if self.symbol(symbol) { Ok(()) } else { Err(self.unexpected(&format!("'{symbol}'"))) }
    }

    pub(super) fn expect_keyword(&mut self, keyword: &str) -> Result<()> {
        if self.keyword(keyword) { Ok(()) } else { Err(self.unexpected(keyword)) }
    }

    /// An identifier; keywords are allowed.
    pub(super) fn name(&mut self) -> Result<Arc<str>> {
        let (Token::Word(name) | Token::Quoted(name)) = self.token().clone() else {
            return Err(self.unexpected("an identifier"));
        };
        self.at += 1;
        Ok(name)
    }

    pub(super) fn variable(&mut self) -> Result<Arc<str>> {
        self.name()
    }

    pub(super) fn dotted_name(&mut self) -> Result<Arc<str>> {
        let mut name = self.name()?.to_string();
        while self.symbol(".") {
            name.push('.');
            name.push_str(&self.name()?);
        }
        Ok(name.into())
    }

    pub(super) fn separated<T>(
        &mut self,
        mut rule: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut items = vec![rule(self)?];
        while self.symbol(",") {
            items.push(rule(self)?);
        }
        Ok(items)
    }

    /// Expressions up to a closing bracket, which is taken.
    pub(super) fn list_until(&mut self, close: &str) -> Result<Vec<Expression>> {
        if self.symbol(close) {
            return Ok(Vec::new());
        }
        let items = self.separated(Self::expression)?;
        self.expect(close)?;
        Ok(items)
    }

    pub(super) fn unexpected(&self, expected: &str) -> Error {
        let spanned = &self.tokens[self.at.min(self.tokens.len() - 1)];
        let found = match &self.query[spanned.start..spanned.end] {
            "" => "the end of the query".to_owned(),
            text => format!("'{text}'"),
        };
        error_at(self.query, spanned.start, format!("Invalid input {found}: expected {expected}"))
    }

    pub(super) fn semantic(&self, message: &str) -> Error {
        error_at(self.query, self.tokens[self.at.saturating_sub(1)].start, message)
    }

    /// Bounds how deep rules call one another, because each call takes some of the stack.
    pub(super) fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Error::Unsupported(format!(
                "expressions nested more than {DEPTH_MAX} deep"
            )));
        }
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }
}

/// With [`crate::STACK_BYTES`] of stack this leaves a wide margin in debug builds too.
const DEPTH_MAX: usize = 200;
