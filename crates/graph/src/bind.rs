//! From a parsed query to one that is ready to run: every name is looked up once, before the query
//! runs. What can't mean anything is refused here: unknown variables and functions, columns of the
//! same name, aggregates in places where nothing is grouped.

mod binder;
mod checks;
mod clauses;
mod expression;
mod grouping;
mod pattern;
mod projection;
mod scope;

use std::sync::Arc;

use crate::context::Signatures;
use crate::error::Result;
use crate::{ast, bound};
use binder::{Binder, Ending};
use scope::Scope;

/// Binds a whole query. The names are the columns of its result.
pub fn bind(
    query: &ast::Query,
    signatures: &dyn Signatures,
) -> Result<(bound::Query, Vec<Arc<str>>)> {
    let kept = Scope::default();
    let binder = Binder { signatures, kept: &kept, ending: Ending::WithResult, computed: &[] };
    binder.query(query, |_| Scope::default())
}
