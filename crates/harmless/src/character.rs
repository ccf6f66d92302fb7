//! Which characters do something instead of being seen.

use std::borrow::Cow;

/// Whether a character moves the cursor, begins a terminal's command, ends a line, or turns the
/// direction of what follows, so that a reader sees something else than what is there.
pub(crate) fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Replaces characters; what has none of these is not copied.
pub(crate) fn replaced<'a>(
    text: &'a str,
    is_meant: impl Fn(char) -> bool,
    replace: impl Fn(char, &mut String),
) -> Cow<'a, str> {
    let Some(first) = text.find(&is_meant) else { return Cow::Borrowed(text) };
    let mut replaced = String::with_capacity(text.len() + 16);
    replaced.push_str(&text[..first]);
    for c in text[first..].chars() {
        if is_meant(c) { replace(c, &mut replaced) } else { replaced.push(c) }
    }
    Cow::Owned(replaced)
}

/// As Rust writes it in a string: `\n`, `\u{1b}`.
pub(crate) fn spell(c: char, output: &mut String) {
    output.extend(c.escape_default());
}
