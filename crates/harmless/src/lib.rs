//! Text that somebody outside has chosen – names of users, user agents, a server's words – made
//! harmless for each kind of output. Whoever shows such text calls the function of the output that
//! it goes to; nothing here knows what is shown.
//!
//! - [`html`]: inside HTML and SVG
//! - [`json`]: a whole JSON document
//! - [`label`]: the value of a label in OpenMetrics
//! - [`log`]: a line of a log
//! - [`markdown`]: a cell of a Markdown table
//! - [`terminal`]: a line, or a text of several lines, for a terminal
//! - [`short`]: cut to a length that suits a name

mod character;
mod html;
mod json;
mod label;
mod log;
mod markdown;
mod short;
mod terminal;

pub use html::html;
pub use json::json;
pub use label::label;
pub use log::{Colours, log_line};
pub use markdown::markdown_cell;
pub use short::{NAME_CHARS, short};
pub use terminal::{line, text};
