//! The row that WITH or RETURN makes of an incoming one.

use crate::bound::Projection;
use crate::context::Context;
use crate::error::Result;
use crate::row::Row;
use crate::value::Value;

/// What stays of the query around a subquery, followed by the results.
pub(super) fn outputs(context: &Context, projection: &Projection, row: &mut Row) -> Result<Row> {
    let mut output = context.outer.to_vec();
    output.resize(projection.kept, Value::Null);
    for item in &projection.items {
        output.push(context.eval(item, row)?);
    }
    Ok(output)
}
