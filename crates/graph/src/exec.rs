//! Clauses as operators on streams of rows. Reading is lazy; writing runs clause by clause, so that
//! no clause sees half of another's work.

mod fit;
mod group;
mod matching;
mod output;
mod project;
mod read;
mod rows;
mod shortest;
mod sort;
mod write;

pub use matching::matches;
pub use read::read;
pub use rows::Rows;
pub use shortest::shortest_path;
pub use write::{Counters, Writer};
