//! Text for a terminal.

use std::borrow::Cow;

use crate::character::{acts, replaced, spell};

/// One line: whatever would move the cursor or end the line is spelled out.
pub fn line(text: &str) -> Cow<'_, str> {
    replaced(text, acts, spell)
}

/// A text that may have several lines, such as a server's error with a mark below the mistake.
pub fn text(text: &str) -> Cow<'_, str> {
    replaced(text, |c| acts(c) && !matches!(c, '\n' | '\t'), spell)
}
