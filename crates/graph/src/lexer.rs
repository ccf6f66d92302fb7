//! From the text of a query to tokens, each with its place. Comments and white space are dropped.

use std::sync::Arc;

use crate::error::{Error, Result};

#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// An identifier or keyword as it was written.
    Word(Arc<str>),
    /// An identifier in backticks, which is never a keyword.
    Quoted(Arc<str>),
    String(Arc<str>),
    Integer(i64),
    Float(f64),
    Parameter(Arc<str>),
    /// An operator or bracket.
    Symbol(&'static str),
    End,
}

/// A token with the bytes of the query that it stands in.
#[derive(Clone, Debug)]
pub struct Spanned {
    pub token: Token,
    pub start: usize,
    pub end: usize,
}

pub fn tokenize(query: &str) -> Result<Vec<Spanned>> {
    let mut lexer = Lexer { query, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blanks()?;
        let start = lexer.at;
        let token = lexer.token()?;
        let is_end = token == Token::End;
        tokens.push(Spanned { token, start, end: lexer.at });
        if is_end {
            return Ok(tokens);
        }
    }
}

/// A syntax error at a byte of the query.
pub fn error_at(query: &str, at: usize, message: impl Into<String>) -> Error {
    let before = &query[..at.min(query.len())];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Error::Syntax {
        message: message.into(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}

struct Lexer<'a> {
    query: &'a str,
    at: usize,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.query[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn error(&self, message: impl Into<String>) -> Error {
        error_at(self.query, self.at, message)
    }

    fn skip_blanks(&mut self) -> Result<()> {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if let Some(comment) = self.rest().strip_prefix("/*") {
                let length =
                    comment.find("*/").ok_or_else(|| self.error("a comment has no end"))?;
                self.at += length + 4;
            } else if self.rest().starts_with("//") {
                self.at += self.rest().find('\n').unwrap_or(self.rest().len());
            } else {
                return Ok(());
            }
        }
    }

    fn token(&mut self) -> Result<Token> {
        let Some(first) = self.peek() else { return Ok(Token::End) };
        match first {
            '\'' | '"' => self.string(first),
            '`' => Ok(Token::Quoted(self.backticked()?)),
            '$' => {
                self.at += 1;
                let name =
                    if self.peek() == Some('`') { self.backticked()? } else { self.word().into() };
                if name.is_empty() {
                    return Err(self.error("a parameter's name is missing after '$'"));
                }
                Ok(Token::Parameter(name))
            }
            '0'..='9' => self.number(),
            '.' if self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) => self.number(),
            c if c.is_alphabetic() || c == '_' => Ok(Token::Word(self.word().into())),
            _ => self.symbol(),
        }
    }

    fn word(&mut self) -> &str {
        let length = self
            .rest()
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(self.rest().len());
        self.at += length;
        &self.query[self.at - length..self.at]
    }

    fn symbol(&mut self) -> Result<Token> {
        let symbol = SYMBOLS.iter().find(|symbol| self.rest().starts_with(**symbol));
        let symbol = symbol.ok_or_else(|| {
            self.error(format!("Invalid input '{}'", self.peek().unwrap_or_default()))
        })?;
        self.at += symbol.len();
        Ok(Token::Symbol(symbol))
    }

    /// A doubled backtick stands for one.
    fn backticked(&mut self) -> Result<Arc<str>> {
        let start = self.at;
        let mut name = String::new();
        loop {
            self.at += 1;
            let length = self
                .rest()
                .find('`')
                .ok_or_else(|| error_at(self.query, start, "a name in backticks has no end"))?;
            name.push_str(&self.rest()[..length]);
            self.at += length + 1;
            if self.peek() != Some('`') {
                return Ok(name.into());
            }
            name.push('`');
        }
    }

    fn string(&mut self, quote: char) -> Result<Token> {
        let start = self.at;
        let no_end = || error_at(self.query, start, "a string has no end");
        let mut text = String::new();
        self.at += 1;
        loop {
            let c = self.peek().ok_or_else(no_end)?;
            self.at += c.len_utf8();
            match c {
                c if c == quote => return Ok(Token::String(text.into())),
                '\\' => self.escape(&mut text)?,
                c => text.push(c),
            }
        }
    }

    /// A backslash before anything else stands for itself, as in `'\\d+'`.
    fn escape(&mut self, text: &mut String) -> Result<()> {
        let c = self.peek().ok_or_else(|| self.error("a string has no end"))?;
        self.at += c.len_utf8();
        match c {
            'n' => text.push('\n'),
            't' => text.push('\t'),
            'r' => text.push('\r'),
            'b' => text.push('\u{8}'),
            'f' => text.push('\u{C}'),
            '\\' | '\'' | '"' => text.push(c),
            'u' => text.push(self.unicode()?),
            other => text.extend(['\\', other]),
        }
        Ok(())
    }

    /// Four hexadecimal digits; characters past them are two escapes, as in UTF-16.
    fn unicode(&mut self) -> Result<char> {
        let mut units = vec![self.code_unit()?];
        if (0xD800..0xDC00).contains(&units[0]) && self.rest().starts_with("\\u") {
            self.at += 2;
            units.push(self.code_unit()?);
        }
        let decoded = char::decode_utf16(units).next();
        decoded.and_then(|c| c.ok()).ok_or_else(|| self.error("invalid unicode escape"))
    }

    fn code_unit(&mut self) -> Result<u16> {
        let unit = self.rest().get(..4).and_then(|hex| u16::from_str_radix(hex, 16).ok());
        let unit = unit.ok_or_else(|| self.error("invalid unicode escape"))?;
        self.at += 4;
        Ok(unit)
    }

    fn number(&mut self) -> Result<Token> {
        let start = self.at;
        for (prefix, radix) in [("0x", 16), ("0o", 8)] {
            if self.rest().get(..2).is_some_and(|head| head.eq_ignore_ascii_case(prefix)) {
                self.at += 2;
                let digits = self.word().replace('_', "");
                let number = i64::from_str_radix(&digits, radix).ok().map(Token::Integer);
                return number.ok_or_else(|| error_at(self.query, start, "invalid number"));
            }
        }
        self.digits();
        let mut is_float = false;
        let mut fraction = self.rest().chars();
        if fraction.next() == Some('.') && fraction.next().is_some_and(|c| c.is_ascii_digit()) {
            is_float = true;
            self.at += 1;
            self.digits();
        }
        if self.rest().starts_with(['e', 'E']) {
            let signed = self.rest()[1..].starts_with(['+', '-']);
            if self.rest()[1 + usize::from(signed)..].starts_with(|c: char| c.is_ascii_digit()) {
                is_float = true;
                self.at += 1 + usize::from(signed);
                self.digits();
            }
        }
        let text = self.query[start..self.at].replace('_', "");
        let number = if is_float {
            text.parse().ok().map(Token::Float)
        } else {
            text.parse().ok().map(Token::Integer)
        };
        // 9223372036854775808 is legal right after a minus; the parser can't see that here.
        number.ok_or_else(|| error_at(self.query, start, "integer is too large"))
    }

    fn digits(&mut self) {
        let rest = self.rest();
        let length = rest.find(|c: char| !(c.is_ascii_digit() || c == '_')).unwrap_or(rest.len());
        self.at += length;
    }
}

/// Longer ones first, so that `<=` isn't read as `<`.
const SYMBOLS: [&str; 31] = [
    "..", "<=", ">=", "<>", "!=", "=~", "+=", "||", "(", ")", "[", "]", "{", "}", ",", ".", ":",
    ";", "|", "&", "!", "=", "<", ">", "+", "-", "*", "/", "%", "^", "@",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(query: &str) -> Vec<Token> {
        tokenize(query).unwrap().into_iter().map(|spanned| spanned.token).collect()
    }

    #[test]
    fn comments_strings_and_numbers_are_read() {
        use Token::{End, Float, Integer, Parameter, Quoted, String, Symbol, Word};
        let query = "RETURN 1.5e3, 0xFF, 'it\\'s' /* c */, `a``b`, $p // end";
        let expected = [
            Word("RETURN".into()),
            Float(1500.0),
            Symbol(","),
            Integer(255),
            Symbol(","),
            String("it's".into()),
            Symbol(","),
            Quoted("a`b".into()),
            Symbol(","),
            Parameter("p".into()),
            End,
        ];
        assert_eq!(tokens(query), expected);
    }

    #[test]
    fn a_range_is_not_a_float() {
        assert_eq!(tokens("1..3")[..2], [Token::Integer(1), Token::Symbol("..")]);
    }

    #[test]
    fn errors_say_where() {
        let error = tokenize("RETURN\n  ?").unwrap_err();
        assert_eq!(
            error,
            Error::Syntax { message: "Invalid input '?'".into(), line: 2, column: 3 }
        );
        for broken in ["'abc", "`abc", "/* abc", "$", "99999999999999999999", "'\\u12'"] {
            assert!(tokenize(broken).is_err(), "{broken}");
        }
    }
}
