//! Inside HTML and SVG.

use std::borrow::Cow;

use crate::character::{acts, replaced};

/// Text that is safe inside HTML and SVG, attributes included. A control character, which SVG does
/// not allow at all, becomes its picture.
pub fn html(text: &str) -> Cow<'_, str> {
    let is_meant = |c| matches!(c, '&' | '<' | '>' | '"' | '\'') || is_picture_needed(c);
    replaced(text, is_meant, |c, output| match c {
        '&' => output.push_str("&amp;"),
        '<' => output.push_str("&lt;"),
        '>' => output.push_str("&gt;"),
        '"' => output.push_str("&quot;"),
        '\'' => output.push_str("&#39;"),
        c => output.push(picture(c)),
    })
}

/// Line breaks and tabs are as good as spaces there.
fn is_picture_needed(c: char) -> bool {
    (acts(c) && !matches!(c, '\n' | '\t')) || matches!(c, '\u{FFFE}' | '\u{FFFF}')
}

fn picture(c: char) -> char {
    let code = match u32::from(c) {
        code @ 0..=0x1F => 0x2400 + code,
        0x7F => 0x2421,
        _ => 0xFFFD,
    };
    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
}
