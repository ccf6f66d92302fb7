//! A whole JSON document.

use std::borrow::Cow;
use std::fmt::Write;

use crate::character::{acts, replaced};

/// A JSON document that means the same, and that a terminal may be shown. JSON wants only the first
/// 32 control characters escaped. Outside of strings there are none but line breaks, which stay.
pub fn json(document: &str) -> Cow<'_, str> {
    replaced(
        document,
        |c| acts(c) && c != '\n',
        |c, output| {
            // All of them are below U+FFFF, so that none needs two.
            let _ = write!(output, "\\u{:04x}", u32::from(c));
        },
    )
}
