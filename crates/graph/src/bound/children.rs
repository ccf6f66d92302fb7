//! The expressions inside an expression.

use super::Expression;

impl Expression {
    /// The expressions directly inside. Patterns and subqueries, which bring variables and clauses
    /// of their own, show none.
    pub(crate) fn children(&self) -> Vec<&Expression> {
        match self {
            Self::Literal(_)
            | Self::Parameter(_)
            | Self::Variable(_)
            | Self::Aggregated(_)
            | Self::PatternComprehension { .. }
            | Self::PatternExists(_)
            | Self::ShortestPath(_)
            | Self::Subquery { .. } => Vec::new(),
            Self::Property(inner, _)
            | Self::HasLabels(inner, _)
            | Self::Unary(_, inner)
            | Self::IsNull { operand: inner, .. } => vec![inner],
            Self::Binary(_, a, b) | Self::Index(a, b) => vec![a, b],
            Self::Chain(operands, _)
            | Self::List(operands)
            | Self::Function { arguments: operands, .. } => operands.iter().collect(),
            Self::Slice { list, from, to } => with_optional(list, [from, to]),
            Self::Map(entries) => entries.iter().map(|(_, value)| value).collect(),
            Self::MapProjection { source, entries, .. } => {
                std::iter::once(&**source).chain(entries.iter().map(|(_, value)| value)).collect()
            }
            Self::Case { operand, branches, otherwise } => {
                let branches = branches.iter().flat_map(|(when, then)| [when, then]);
                operand.iter().chain(otherwise).map(Box::as_ref).chain(branches).collect()
            }
            Self::ListComprehension { list, filter, map, .. } => with_optional(list, [filter, map]),
            Self::Quantifier { list, filter, .. } => vec![list, filter],
            Self::Reduce { initial, list, step, .. } => vec![initial, list, step],
        }
    }
}

fn with_optional<'a>(
    first: &'a Expression,
    others: [&'a Option<Box<Expression>>; 2],
) -> Vec<&'a Expression> {
    std::iter::once(first).chain(others.into_iter().flatten().map(Box::as_ref)).collect()
}
