//! Turns measurements into something to look at: text tables, charts as SVG and PNG, and
//! self-contained HTML pages. It computes nothing that a reader would take for a measurement.
//!
//! - [`chart`]: lines over time, with the spans of what ran marked
//! - [`picture`]: a chart as PNG
//! - [`page`]: an HTML page that opens from disk, in light and dark, on a desk and on a phone
//! - [`table`]: rows and columns for the terminal and for HTML

mod axis;
pub mod chart;
mod drawing;
pub mod page;
pub mod picture;
mod svg;
pub mod table;
mod typeface;

pub use chart::{Band, Chart, Colour, Series};
pub use page::Page;
pub use picture::{PictureError, png};
pub use table::Table;
