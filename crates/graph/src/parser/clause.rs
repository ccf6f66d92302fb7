//! Queries and their clauses, each by its first word.

use super::tokens::Parser;
use crate::ast::{Clause, Expression, Query, Single};
use crate::error::{Error, Result};
use crate::lexer::Token;

impl Parser<'_> {
    pub(super) fn query(&mut self) -> Result<Query> {
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

    pub(super) fn single(&mut self) -> Result<Single> {
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

    pub(super) fn filter(&mut self) -> Result<Option<Expression>> {
        if self.keyword("WHERE") { self.expression().map(Some) } else { Ok(None) }
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
}

const CLAUSES_MAX: usize = 500;
