//! Lists, and comprehensions, which begin like lists.

use super::tokens::Parser;
use crate::ast::Expression;
use crate::error::Result;
use crate::lexer::Token;

impl Parser<'_> {
    /// Looks ahead, up to the first comma, to see which kind of list this is. Trying one kind after
    /// the other would read nested lists again and again.
    pub(super) fn list(&mut self) -> Result<Expression> {
        let (has_bar, has_comma, has_where) = self.look_into_brackets();
        self.at += 1;
        let is_name = matches!(self.token(), Token::Word(_) | Token::Quoted(_));
        let then_in =
            matches!(self.token_at(1), Token::Word(word) if word.eq_ignore_ascii_case("IN"));
        if is_name && then_in && (has_bar || has_where || !has_comma) {
            return self.list_comprehension();
        }
        let is_path = is_name
            && *self.token_at(1) == Token::Symbol("=")
            && *self.token_at(2) == Token::Symbol("(");
        if has_bar && (is_path || self.is_symbol("(")) {
            return self.pattern_comprehension();
        }
        self.list_until("]").map(Expression::List)
    }

    /// Whether `|`, a comma or WHERE stands directly inside the brackets that begin here; `|` and
    /// WHERE count only before a comma.
    fn look_into_brackets(&self) -> (bool, bool, bool) {
        let (mut open, mut ahead) = (0_usize, 0);
        let (mut has_bar, mut has_where) = (false, false);
        loop {
            match self.token_at(ahead) {
                Token::Symbol("(" | "[" | "{") => open += 1,
                Token::Symbol(")" | "]" | "}") if open <= 1 => return (has_bar, false, has_where),
                Token::Symbol(")" | "]" | "}") => open -= 1,
                Token::Symbol("|") if open == 1 => has_bar = true,
                Token::Symbol(",") if open == 1 => return (has_bar, true, has_where),
                Token::Word(word) if open == 1 && word.eq_ignore_ascii_case("WHERE") => {
                    has_where = true
                }
                Token::End => return (has_bar, false, has_where),
                _ => {}
            }
            ahead += 1;
        }
    }

    /// `[x IN list WHERE … | …]`; `[x IN list]` alone is a comprehension as well, but
    /// `[x IN list, y]` is a list of truth values.
    fn list_comprehension(&mut self) -> Result<Expression> {
        let variable = self.variable()?;
        self.expect_keyword("IN")?;
        let list = Box::new(self.expression()?);
        let filter = self.filter()?.map(Box::new);
        let map = if self.symbol("|") { Some(Box::new(self.expression()?)) } else { None };
        self.expect("]")?;
        Ok(Expression::ListComprehension { variable, list, filter, map })
    }

    fn pattern_comprehension(&mut self) -> Result<Expression> {
        let path = if *self.token_at(1) == Token::Symbol("=") {
            let path = self.variable()?;
            self.at += 1;
            Some(path)
        } else {
            None
        };
        let mut pattern = self.pattern_part()?;
        pattern.path = path;
        let filter = self.filter()?.map(Box::new);
        self.expect("|")?;
        let map = Box::new(self.expression()?);
        self.expect("]")?;
        Ok(Expression::PatternComprehension { pattern: Box::new(pattern), filter, map })
    }
}
