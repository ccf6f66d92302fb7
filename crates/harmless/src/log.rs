//! A line of a log.

use std::borrow::Cow;

use crate::character::{acts, replaced, spell};

/// Whether whoever wrote a line has coloured it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// Every escape character in it is the logger's own.
    Own,
    None,
}

/// What was logged as one event, as one line. Its last line break stays.
pub fn log_line(event: &str, colours: Colours) -> Cow<'_, str> {
    let (text, end) = match event.strip_suffix('\n') {
        Some(text) => (text, "\n"),
        None => (event, ""),
    };
    let is_meant = |c| acts(c) && (c != ESCAPE || colours == Colours::None);
    match replaced(text, is_meant, spell) {
        Cow::Borrowed(_) => Cow::Borrowed(event),
        Cow::Owned(line) => Cow::Owned(line + end),
    }
}

const ESCAPE: char = '\u{1b}';
