//! One function of Cypher: its name, and what it makes of its arguments.

use crate::context::Context;
use crate::error::{Error, Result};
use crate::value::Value;

#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// In lower case.
    pub name: &'static str,
    implementation: fn(&Call<'_>) -> Result<Value>,
}

/// No two functions have the same name, so the name tells whether they are the same.
impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Function {
    pub(super) const fn new(
        name: &'static str,
        implementation: fn(&Call<'_>) -> Result<Value>,
    ) -> Self {
        Self { name, implementation }
    }

    pub fn call(&self, context: &Context, arguments: &[Value]) -> Result<Value> {
        let value = (self.implementation)(&Call { context, name: self.name, arguments })?;
        context.control.fits(value.size())?;
        Ok(value)
    }
}

/// What a function is given when it is called.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub context: &'a Context,
    pub name: &'static str,
    pub arguments: &'a [Value],
}

impl Call<'_> {
    /// The error when no function of this name takes this number of arguments, or these types.
    pub fn unknown(&self) -> Error {
        Error::UnknownFunction(self.name.to_owned())
    }
}
