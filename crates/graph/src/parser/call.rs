//! CALL of a procedure or of a subquery, and SHOW, which is a procedure as well.

use std::sync::Arc;

use super::tokens::Parser;
use crate::ast::{Call, Clause, Expression, Imports};
use crate::error::{Error, Result};
use crate::lexer::Token;

impl Parser<'_> {
    pub(super) fn call(&mut self, optional: bool) -> Result<Clause> {
        let imports = if self.symbol("(") {
            let imports = if self.symbol("*") {
                Imports::All
            } else if *self.token() == Token::Symbol(")") {
                Imports::Named(Vec::new())
            } else {
                Imports::Named(self.separated(Self::variable)?)
            };
            self.expect(")")?;
            imports
        } else {
            Imports::ByWith
        };
        if self.symbol("{") {
            let query = self.query()?;
            self.expect("}")?;
            if self.is_keyword("IN") {
                return Err(Error::Unsupported("CALL { } IN TRANSACTIONS".into()));
            }
            return Ok(Clause::Subquery { imports, query, optional });
        }
        let procedure = self.dotted_name()?;
        let arguments = if self.symbol("(") { Some(self.list_until(")")?) } else { None };
        self.yields(procedure, arguments).map(Clause::Call)
    }

    fn yields(&mut self, procedure: Arc<str>, arguments: Option<Vec<Expression>>) -> Result<Call> {
        let mut call = Call { procedure, arguments, yields: None, filter: None };
        if self.keyword("YIELD") && !self.symbol("*") {
            call.yields = Some(self.separated(|parser| {
                let column = parser.name()?;
                let alias = if parser.keyword("AS") { parser.name()? } else { column.clone() };
                Ok((column, alias))
            })?);
        }
        call.filter = self.filter()?;
        Ok(call)
    }

    /// `SHOW X` is a procedure `show.x`, with YIELD and WHERE as CALL has them.
    pub(super) fn show(&mut self) -> Result<Call> {
        let what = self.name()?.to_lowercase();
        let procedure = match what.as_str() {
            "database" | "databases" => "show.databases",
            "default" | "home" => {
                let _ = self.keyword("DATABASE");
                "show.databases"
            }
            "transaction" | "transactions" => "show.transactions",
            "index" | "indexes" => "show.indexes",
            "constraint" | "constraints" => "show.constraints",
            "user" | "users" => "show.users",
            "procedure" | "procedures" => "show.procedures",
            _ => return Err(Error::Unsupported(format!("SHOW {}", what.to_uppercase()))),
        };
        self.yields(procedure.into(), Some(Vec::new()))
    }
}
