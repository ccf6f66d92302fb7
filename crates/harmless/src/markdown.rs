//! A cell of a Markdown table.

use std::borrow::Cow;

use crate::character::{acts, replaced, spell};

/// One line, without the end of the cell and without HTML in it.
pub fn markdown_cell(text: &str) -> Cow<'_, str> {
    replaced(
        text,
        |c| acts(c) || matches!(c, '|' | '<' | '&'),
        |c, output| match c {
            '|' => output.push_str(r"\|"),
            '<' => output.push_str("&lt;"),
            '&' => output.push_str("&amp;"),
            c => spell(c, output),
        },
    )
}
