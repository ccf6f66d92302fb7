//! What a pattern asks of a node's labels, or of a relationship's type: `A`, `A&!B`, `%`.

use std::sync::Arc;

#[derive(Clone, Debug, PartialEq)]
pub enum LabelExpression {
    Name(Arc<str>),
    Any,
    Not(Box<LabelExpression>),
    And(Vec<LabelExpression>),
    Or(Vec<LabelExpression>),
}

impl LabelExpression {
    /// The names of `A` or `A:B`; `None` for everything that isn't a plain list of labels.
    pub(crate) fn names(&self) -> Option<Vec<Arc<str>>> {
        match self {
            Self::Name(name) => Some(vec![name.clone()]),
            Self::And(all) => {
                let names = all.iter().map(Self::names).collect::<Option<Vec<_>>>()?;
                Some(names.into_iter().flatten().collect())
            }
            _ => None,
        }
    }

    pub(crate) fn matches(&self, labels: &[Arc<str>]) -> bool {
        match self {
            Self::Name(name) => labels.contains(name),
            Self::Any => !labels.is_empty(),
            Self::Not(inner) => !inner.matches(labels),
            Self::And(all) => all.iter().all(|inner| inner.matches(labels)),
            Self::Or(any) => any.iter().any(|inner| inner.matches(labels)),
        }
    }
}
