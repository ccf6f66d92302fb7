//! Names of a sane length.

use std::borrow::Cow;

/// So many characters of a name are enough to know whose it is.
pub const NAME_CHARS: usize = 64;

/// At most `chars` characters, and a sign if that is not all.
pub fn short(name: &str, chars: usize) -> Cow<'_, str> {
    match name.char_indices().nth(chars) {
        None => Cow::Borrowed(name),
        Some((end, _)) => Cow::Owned(format!("{}…", &name[..end])),
    }
}
