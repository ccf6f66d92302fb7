//! What is known while a query is bound, apart from the variables in sight.

use super::scope::Scope;
use crate::context::Signatures;
use crate::{ast, bound};

#[derive(Clone, Copy)]
pub(super) struct Binder<'a> {
    pub signatures: &'a dyn Signatures,
    /// What stays in the row, and in sight, across a WITH: the variables that a subquery has from
    /// the query around it.
    pub kept: &'a Scope,
    pub ending: Ending,
    /// What the row holds already, so that it is not evaluated again.
    pub computed: &'a [Computed<'a>],
}

/// How a query may end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// With RETURN, an update, or a procedure call that stands alone.
    WithResult,
    /// With any clause: EXISTS and COUNT only look at rows.
    Anyhow,
}

/// An expression whose value is in the row: an aggregate, or an item that a sort key repeats.
pub(super) struct Computed<'a> {
    pub expression: &'a ast::Expression,
    pub stand_in: bound::Expression,
}

impl Binder<'_> {
    /// What stands for `expression`, if its value is in the row already.
    pub fn stand_in(&self, expression: &ast::Expression) -> Option<bound::Expression> {
        // An expression with a NaN inside is not equal to itself, so places are compared as well.
        let is_it = |computed: &&Computed<'_>| {
            std::ptr::eq(computed.expression, expression) || computed.expression == expression
        };
        self.computed.iter().find(is_it).map(|computed| computed.stand_in.clone())
    }

    /// The same for patterns and subqueries, which see nothing of what has been computed.
    pub fn without_computed(&self) -> Self {
        Self { computed: &[], ..*self }
    }
}
