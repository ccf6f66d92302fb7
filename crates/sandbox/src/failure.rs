//! The engine's errors under Neo4j's codes.

use bolt::Failure;
use bolt::failure::code;
use graph::Error;

pub(crate) fn of(error: &Error) -> Failure {
    let code = match error {
        Error::Syntax { .. } | Error::Semantic(_) | Error::UnknownFunction(_) => code::SYNTAX,
        Error::Unsupported(_) => code::NOT_SUPPORTED,
        Error::UnknownProcedure(_) => code::PROCEDURE_NOT_FOUND,
        Error::MissingParameter(_) => code::PARAMETER_MISSING,
        Error::Type(_) => code::TYPE,
        Error::Argument(_) => code::ARGUMENT,
        Error::Arithmetic(_) => code::ARITHMETIC,
        Error::Deleted { .. } => code::ENTITY_NOT_FOUND,
        Error::StillConnected(_) => code::CONSTRAINT,
        Error::ReadOnly(_) => code::ACCESS_MODE,
        Error::Forbidden(_) => code::FORBIDDEN,
        Error::Cancelled => code::TERMINATED,
        Error::TimedOut => code::TIMED_OUT,
        Error::MemoryLimit { .. } => code::MEMORY_LIMIT,
        Error::LockTimeout { .. } => code::LOCK_TIMEOUT,
    };
    Failure::new(code, error.to_string())
}
