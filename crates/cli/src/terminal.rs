//! What a command says on standard output, where some of it was said by a server.

use std::fmt::Display;

/// Prints one line, whatever is in it.
pub fn say(line: impl Display) {
    println!("{}", harmless::line(&line.to_string()));
}
