//! Cypher's functions, by name, and its arithmetic. A name that isn't here is an error, never a
//! null.

mod arithmetic;
mod entity;
mod function;
mod list;
mod number;
mod point;
pub mod temporal;
mod text;

pub use arithmetic::arithmetic;
pub use entity::element_id;
pub use function::Function;
pub use list::range;
pub use point::point_component;
pub use text::matches_regex;

/// The function of this name, which is in lower case.
pub fn named(name: &str) -> Option<Function> {
    all().find(|function| function.name == name)
}

fn all() -> impl Iterator<Item = Function> {
    let groups = [
        entity::FUNCTIONS,
        number::FUNCTIONS,
        text::FUNCTIONS,
        list::FUNCTIONS,
        point::FUNCTIONS,
        temporal::FUNCTIONS,
    ];
    groups.into_iter().flatten().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_for_one_function() {
        let mut names: Vec<_> = all().map(|function| function.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(names.iter().all(|name| *name == name.to_lowercase()));
    }
}
