//! The value of a label in OpenMetrics.

use std::borrow::Cow;

use crate::character::replaced;

/// The value of a label, as it stands between the quotes. A reader gets the name back, but for a zero
/// byte: Prometheus takes that for the end of everything, so its picture stands there instead.
pub fn label(value: &str) -> Cow<'_, str> {
    let is_meant = |c| matches!(c, '\\' | '"' | '\n' | '\0');
    replaced(value, is_meant, |c, output| {
        output.push_str(match c {
            '\\' => r"\\",
            '"' => "\\\"",
            '\n' => r"\n",
            _ => "\u{2400}",
        });
    })
}
