//! Tokens to clauses. Keywords are words in their places, so that every one of them may also be a
//! name. What Cypher has and this engine lacks is refused by name.

mod expression;
mod list;
mod pattern;
mod tokens;

use std::sync::Arc;

use crate::ast::{
    Call, Clause, Expression, Imports, Item, Projection, Query, RemoveItem, SetItem, Single,
    SortKey,
};
use crate::error::{Error, Result};
use crate::lexer::{Spanned, Token, tokenize};

/// A query with what stands before it.
#[derive(Clone, Debug)]
pub struct Statement {
    pub body: Body,
    /// The database that `USE` names.
    pub database: Option<Arc<str>>,
    /// EXPLAIN: plan, don't run.
    pub explain: bool,
}

#[derive(Clone, Debug)]
pub enum Body {
    Query(Query),
    /// CREATE INDEX, DROP INDEX, CREATE CONSTRAINT …: the text after the first two words.
    Schema(SchemaCommand),
}

/// Indexes have no effect on results, so they are accepted and forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaCommand {
    CreateIndex,
    DropIndex,
}

pub fn parse(query: &str) -> Result<Statement> {
    let tokens = tokenize(query)?;
    let mut parser = Parser { query, tokens, at: 0, depth: 0 };
    parser.statement()
}

struct Parser<'a> {
    query: &'a str,
    tokens: Vec<Spanned>,
    at: usize,
    depth: usize,
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

    /// `CYPHER 5 runtime=slotted` and the like choose among planners that aren't here.
    fn pre_parser_options(&mut self) {
        if matches!(self.token(), Token::Integer(_) | Token::Float(_)) {
            self.at += 1;
        }
        while matches!(self.token(), Token::Word(_)) && *self.token_at(1) == Token::Symbol("=") {
            self.at += 3;
        }
    }

    fn schema_command(&mut self) -> Result<Option<SchemaCommand>> {
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

    fn query(&mut self) -> Result<Query> {
        let mut query = Query { parts: vec![self.single()?], keeps_duplicates: false };
        while self.keyword("UNION") {
            let all = self.keyword("ALL");
            let _ = !all && self.keyword("DISTINCT");
            if query.parts.len() > 1 && all != query.keeps_duplicates {
                return Err(self.semantic("Invalid combination of UNION and UNION ALL"));
            }
            query.keeps_duplicates = all;
            query.parts.push(self.single()?);
        }
        Ok(query)
    }

    fn single(&mut self) -> Result<Single> {
        self.enter()?;
        let mut clauses = Vec::new();
        while let Some(clause) = self.clause()? {
            if matches!(clauses.last(), Some(Clause::Project(last)) if last.is_return) {
                return Err(self.semantic("RETURN can only be used at the end of the query"));
            }
            clauses.push(clause);
            if clauses.len() > CLAUSES_MAX {
                return Err(Error::Unsupported(format!(
                    "more than {CLAUSES_MAX} clauses in a query"
                )));
            }
        }
        if clauses.is_empty() {
            return Err(self.unexpected("a clause such as MATCH, CREATE or RETURN"));
        }
        self.leave();
        Ok(Single { clauses })
    }

    fn clause(&mut self) -> Result<Option<Clause>> {
        let Token::Word(word) = self.token().clone() else { return Ok(None) };
        let keyword = word.to_uppercase();
        self.at += 1;
        Ok(Some(match keyword.as_str() {
            "MATCH" => self.match_clause(false)?,
            "OPTIONAL" if self.keyword("MATCH") => self.match_clause(true)?,
            "OPTIONAL" if self.keyword("CALL") => self.call(true)?,
            "UNWIND" => {
                let list = self.expression()?;
                self.expect_keyword("AS")?;
                Clause::Unwind { list, variable: self.variable()? }
            }
            "WITH" => Clause::Project(self.projection(false)?),
            "RETURN" => Clause::Project(self.projection(true)?),
            "CREATE" => Clause::Create(self.patterns()?),
            "MERGE" => self.merge()?,
            "SET" => Clause::Set(self.separated(Self::set_item)?),
            "REMOVE" => Clause::Remove(self.separated(Self::remove_item)?),
            "DELETE" => {
                Clause::Delete { detach: false, targets: self.separated(Self::expression)? }
            }
            "DETACH" => {
                self.expect_keyword("DELETE")?;
                Clause::Delete { detach: true, targets: self.separated(Self::expression)? }
            }
            "NODETACH" => {
                self.expect_keyword("DELETE")?;
                Clause::Delete { detach: false, targets: self.separated(Self::expression)? }
            }
            "FOREACH" => self.foreach()?,
            "CALL" => self.call(false)?,
            "SHOW" => Clause::Call(self.show()?),
            "FINISH" => Clause::Finish,
            "LOAD" | "LET" | "FILTER" | "ORDER" | "LIMIT" | "SKIP" | "OFFSET" | "INSERT"
            | "FOR" | "TERMINATE" | "ALTER" | "GRANT" | "DENY" | "REVOKE" | "BEGIN" | "COMMIT"
            | "ROLLBACK" => {
                return Err(Error::Unsupported(format!("the clause {keyword}")));
            }
            _ => {
                self.at -= 1;
                return Ok(None);
            }
        }))
    }

    fn match_clause(&mut self, optional: bool) -> Result<Clause> {
        let patterns = self.patterns()?;
        if self.is_keyword("USING") {
            return Err(Error::Unsupported("planner hints (USING)".into()));
        }
        Ok(Clause::Match { optional, patterns, filter: self.filter()? })
    }

    fn filter(&mut self) -> Result<Option<Expression>> {
        if self.keyword("WHERE") { self.expression().map(Some) } else { Ok(None) }
    }

    fn projection(&mut self, is_return: bool) -> Result<Projection> {
        let mut projection =
            Projection { is_return, distinct: self.keyword("DISTINCT"), ..Projection::default() };
        projection.all = self.symbol("*");
        if !projection.all || self.symbol(",") {
            projection.items = self.separated(|parser| parser.item(is_return))?;
        }
        if self.is_keyword("ORDER") {
            self.at += 1;
            self.expect_keyword("BY")?;
            projection.order = self.separated(Self::sort_key)?;
        }
        if self.keyword("SKIP") || self.keyword("OFFSET") {
            projection.skip = Some(self.expression()?);
        }
        if self.keyword("LIMIT") {
            projection.limit = Some(self.expression()?);
        }
        if !is_return {
            projection.filter = self.filter()?;
        }
        Ok(projection)
    }

    fn item(&mut self, is_return: bool) -> Result<Item> {
        let start = self.tokens[self.at].start;
        let expression = self.expression()?;
        let text = &self.query[start..self.tokens[self.at - 1].end];
        if self.keyword("AS") {
            return Ok(Item { expression, name: self.name()? });
        }
        if !is_return && !matches!(expression, Expression::Variable(_)) {
            return Err(self.semantic("Expression in WITH must be aliased (use AS)"));
        }
        // `` `a b` `` is the name `a b`; everything else is named by its own text.
        let name = match &expression {
            Expression::Variable(variable) => variable.clone(),
            _ => text.into(),
        };
        Ok(Item { expression, name })
    }

    fn sort_key(&mut self) -> Result<SortKey> {
        let expression = self.expression()?;
        let descending = self.keyword("DESC") || self.keyword("DESCENDING");
        let _ = !descending && (self.keyword("ASC") || self.keyword("ASCENDING"));
        Ok(SortKey { expression, descending })
    }

    fn merge(&mut self) -> Result<Clause> {
        let pattern = self.pattern()?;
        let (mut on_create, mut on_match) = (Vec::new(), Vec::new());
        while self.keyword("ON") {
            let items = if self.keyword("CREATE") {
                &mut on_create
            } else {
                self.expect_keyword("MATCH")?;
                &mut on_match
            };
            self.expect_keyword("SET")?;
            items.append(&mut self.separated(Self::set_item)?);
        }
        Ok(Clause::Merge { pattern, on_create, on_match })
    }

    fn set_item(&mut self) -> Result<SetItem> {
        let target = self.postfix()?;
        match target {
            Expression::Property(target, key) => {
                self.expect("=")?;
                Ok(SetItem::Property { target: *target, key, value: self.expression()? })
            }
            Expression::HasLabels(target, labels) => {
                let (target, labels) = self.plain_labels(*target, &labels)?;
                Ok(SetItem::Labels { target, labels })
            }
            Expression::Variable(target) => {
                let merge = self.symbol("+=");
                if !merge {
                    self.expect("=")?;
                }
                Ok(SetItem::Properties { target, value: self.expression()?, merge })
            }
            _ => Err(self.unexpected("a property, a label or a variable to set")),
        }
    }

    fn remove_item(&mut self) -> Result<RemoveItem> {
        match self.postfix()? {
            Expression::Property(target, key) => Ok(RemoveItem::Property { target: *target, key }),
            Expression::HasLabels(target, labels) => {
                let (target, labels) = self.plain_labels(*target, &labels)?;
                Ok(RemoveItem::Labels { target, labels })
            }
            _ => Err(self.unexpected("a property or a label to remove")),
        }
    }

    fn foreach(&mut self) -> Result<Clause> {
        self.expect("(")?;
        let variable = self.variable()?;
        self.expect_keyword("IN")?;
        let list = self.expression()?;
        self.expect("|")?;
        let body = self.single()?.clauses;
        self.expect(")")?;
        if !body.iter().all(Clause::is_update) {
            return Err(self.semantic("Only updating clauses may stand inside FOREACH"));
        }
        Ok(Clause::Foreach { variable, list, body })
    }

    fn call(&mut self, optional: bool) -> Result<Clause> {
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
    fn show(&mut self) -> Result<Call> {
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

const CLAUSES_MAX: usize = 500;
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
