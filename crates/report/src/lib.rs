//! Turns measurements into something to look at: text tables, charts as SVG and PNG, and
//! self-contained HTML pages. It computes nothing that a reader would take for a measurement.
//!
//! - [`bars`]: a result at a glance
//! - [`chart`]: lines over time, with peaks and limits
//! - [`picture`]: a chart as PNG
//! - [`page`]: an HTML page that opens from disk, in light and dark, on a desk and on a phone
//! - [`table`]: rows and columns for the terminal and for HTML

mod axis;
pub mod bars;
pub mod chart;
mod drawing;
pub mod page;
pub mod picture;
mod svg;
pub mod table;
mod typeface;
mod wrap;

pub use bars::{Bar, Bars, Group, Tone};
pub use chart::{Chart, Colour, Limit, Series};
pub use drawing::Draw;
pub use page::{Link, Page};
pub use picture::{PictureError, png};
pub use table::Table;
pub use wrap::wrapped;
