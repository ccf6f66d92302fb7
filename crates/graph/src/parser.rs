//! From tokens to the tree of a query. A word is a keyword only where one may stand, so every
//! keyword may also be a name. Parts of Cypher that this engine lacks are refused by name.

mod atom;
mod call;
mod clause;
mod expression;
mod item;
mod list;
mod pattern;
mod schema;
mod tokens;

use std::sync::Arc;

use crate::ast::{Query, SchemaCommand};
use crate::error::{Error, Result};
use crate::lexer::{Token, tokenize};
use tokens::Parser;

/// A query, with the words that may stand before it.
#[derive(Clone, Debug)]
pub struct Statement {
    pub body: Body,
    /// The database that `USE` names.
    pub database: Option<Arc<str>>,
    /// EXPLAIN: the query is only checked, and does not run.
    pub explain: bool,
}

#[derive(Clone, Debug)]
pub enum Body {
    Query(Query),
    /// CREATE INDEX or DROP INDEX.
    Schema(SchemaCommand),
}

pub fn parse(query: &str) -> Result<Statement> {
    let tokens = tokenize(query)?;
    Parser::new(query, tokens).statement()
}

impl Parser<'_> {
    fn statement(&mut self) -> Result<Statement> {
        let mut explain = false;
        loop {
            if self.keyword("EXPLAIN") {
                explain = true;
            } else if self.keyword("PROFILE") {
                return Err(Error::Unsupported("PROFILE".into()));
            } else if self.keyword("CYPHER") {
                self.pre_parser_options();
            } else {
                break;
            }
        }
        let database = if self.keyword("USE") { Some(self.dotted_name()?) } else { None };
        let body = match self.schema_command()? {
            Some(command) => Body::Schema(command),
            None => Body::Query(self.query()?),
        };
        self.symbol(";");
        if *self.token() != Token::End {
            return Err(self.unexpected("the end of the query"));
        }
        Ok(Statement { body, database, explain })
    }

    /// Skips `CYPHER 5 runtime=slotted` and the like, which choose among planners that Neo4j has.
    fn pre_parser_options(&mut self) {
        if matches!(self.token(), Token::Integer(_) | Token::Float(_)) {
            self.at += 1;
        }
        while matches!(self.token(), Token::Word(_)) && *self.token_at(1) == Token::Symbol("=") {
            self.at += 3;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_and_long_queries_are_refused_not_crashed() {
        let shapes =
            ["(", "[", "{a:", "NOT ", "-", "abs(", "CASE WHEN ", "EXISTS { RETURN ", "[x IN "];
        std::thread::Builder::new()
            .stack_size(crate::STACK_BYTES)
            .spawn(move || {
                for shape in shapes {
                    let query = format!("RETURN {}1", shape.repeat(100_000));
                    assert!(parse(&query).is_err(), "{shape}");
                }
                let long = format!("RETURN 1{}", " + 1".repeat(100_000));
                assert!(matches!(parse(&long), Err(Error::Unsupported(_))));
            })
            .unwrap()
            .join()
            .unwrap();
    }

    #[test]
    fn what_is_missing_is_named() {
        for (query, what) in [
            ("LOAD CSV FROM 'x' AS row RETURN row", "LOAD"),
            ("CREATE CONSTRAINT FOR (n:A) REQUIRE n.x IS UNIQUE", "CONSTRAINT"),
            ("PROFILE RETURN 1", "PROFILE"),
            ("CALL { RETURN 1 AS x } IN TRANSACTIONS", "IN TRANSACTIONS"),
            ("SHOW FUNCTIONS", "SHOW FUNCTIONS"),
        ] {
            let error = parse(query).unwrap_err();
            assert!(matches!(&error, Error::Unsupported(named) if named.contains(what)), "{error}");
        }
    }

    #[test]
    fn errors_say_what_was_expected_and_where() {
        let error = parse("RETURN 1 +").unwrap_err();
        assert!(error.to_string().contains("the end of the query"), "{error}");
        assert!(error.to_string().contains("line 1, column 11"), "{error}");
    }
}
