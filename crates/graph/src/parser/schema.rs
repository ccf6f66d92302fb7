//! Commands about indexes. Commands about constraints, databases and users are refused by name.

use super::tokens::Parser;
use crate::ast::SchemaCommand;
use crate::error::{Error, Result};
use crate::lexer::Token;

impl Parser<'_> {
    pub(super) fn schema_command(&mut self) -> Result<Option<SchemaCommand>> {
        let verb = if self.is_keyword("CREATE") {
            SchemaCommand::CreateIndex
        } else if self.is_keyword("DROP") {
            SchemaCommand::DropIndex
        } else {
            return Ok(None);
        };
        let word = |parser: &Self, at| match parser.token_at(at) {
            Token::Word(word) => word.to_uppercase(),
            _ => String::new(),
        };
        let kind = ["RANGE", "TEXT", "POINT", "LOOKUP", "FULLTEXT", "VECTOR"];
        let second = word(self, 1);
        let noun = if kind.contains(&second.as_str()) { word(self, 2) } else { second };
        match noun.as_str() {
            "INDEX" => {
                self.at = self.tokens.len() - 1;
                Ok(Some(verb))
            }
            "CONSTRAINT" | "DATABASE" | "USER" | "ROLE" | "ALIAS" => {
                Err(Error::Unsupported(format!("{} {noun}", word(self, 0))))
            }
            _ if verb == SchemaCommand::DropIndex => Err(self.unexpected("INDEX")),
            _ => Ok(None),
        }
    }
}
