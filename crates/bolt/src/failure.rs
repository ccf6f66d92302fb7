//! FAILURE: an error code, a message and, from Bolt 5.7, a GQL status. This module owns the shape that
//! they have in each version, and the status that belongs to each code that this project answers with.

use std::fmt;

use crate::packstream::{Dictionary, Value};
use crate::version::Version;

/// An error as Neo4j reports it. `Display` gives code and message, never a query or a parameter
/// unless the server put it into the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// For example `Neo.ClientError.Statement.SyntaxError`.
    pub code: String,
    pub message: String,
    /// Five characters, for example `42001`; known to servers from Bolt 5.7.
    pub gql_status: String,
    /// The status in words.
    pub description: String,
}

impl Failure {
    /// A failure with the GQL status that goes with `code`.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        let (gql_status, description) = gql_status(code);
        Self {
            code: code.to_owned(),
            message: message.into(),
            gql_status: gql_status.to_owned(),
            description: description.to_owned(),
        }
    }

    /// Whether drivers may run the work again: `Neo.TransientError.*`.
    pub fn is_transient(&self) -> bool {
        self.classification() == "TRANSIENT_ERROR"
    }

    /// The second part of the code, as the diagnostic record writes it.
    fn classification(&self) -> &'static str {
        match self.code.split('.').nth(1) {
            Some("ClientError") => "CLIENT_ERROR",
            Some("TransientError") => "TRANSIENT_ERROR",
            _ => "DATABASE_ERROR",
        }
    }

    /// The metadata of FAILURE as `version` wants it.
    pub fn to_metadata(&self, version: Version) -> Dictionary {
        if !version.has_gql_failures() {
            return Dictionary::new()
                .with("code", self.code.as_str())
                .with("message", self.message.as_str());
        }
        let diagnostic_record = Dictionary::new()
            .with("OPERATION", "")
            .with("OPERATION_CODE", "0")
            .with("CURRENT_SCHEMA", "/")
            .with("_classification", self.classification());
        Dictionary::new()
            .with("neo4j_code", self.code.as_str())
            .with("message", self.message.as_str())
            .with("gql_status", self.gql_status.as_str())
            .with("description", self.description.as_str())
            .with("diagnostic_record", diagnostic_record)
    }

    /// Reads the metadata in either shape. A field that is missing becomes empty.
    pub fn from_metadata(metadata: &Dictionary) -> Self {
        let text = |key| metadata.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let code = metadata.str("neo4j_code").or(metadata.str("code")).unwrap_or_default();
        Self {
            code: code.to_owned(),
            message: text("message"),
            gql_status: text("gql_status"),
            description: text("description"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Failure {}

/// The codes that this project's servers answer with.
pub mod code {
    pub const ACCESS_MODE: &str = "Neo.ClientError.Statement.AccessMode";
    pub const ARGUMENT: &str = "Neo.ClientError.Statement.ArgumentError";
    pub const ARITHMETIC: &str = "Neo.ClientError.Statement.ArithmeticError";
    pub const AUTHENTICATION_RATE_LIMIT: &str = "Neo.ClientError.Security.AuthenticationRateLimit";
    pub const AUTHORIZATION_EXPIRED: &str = "Neo.ClientError.Security.AuthorizationExpired";
    pub const CONSTRAINT: &str = "Neo.ClientError.Schema.ConstraintValidationFailed";
    pub const CREDENTIALS_EXPIRED: &str = "Neo.ClientError.Security.CredentialsExpired";
    pub const DATABASE_NOT_FOUND: &str = "Neo.ClientError.Database.DatabaseNotFound";
    pub const DATABASE_UNAVAILABLE: &str = "Neo.TransientError.General.DatabaseUnavailable";
    pub const ENTITY_NOT_FOUND: &str = "Neo.ClientError.Statement.EntityNotFound";
    pub const FORBIDDEN: &str = "Neo.ClientError.Security.Forbidden";
    pub const INVALID_BOOKMARK: &str = "Neo.ClientError.Transaction.InvalidBookmark";
    pub const LOCK_TIMEOUT: &str = "Neo.TransientError.Transaction.LockAcquisitionTimeout";
    pub const MEMORY_LIMIT: &str = "Neo.TransientError.General.MemoryPoolOutOfMemoryError";
    pub const NO_THREADS: &str = "Neo.TransientError.Request.NoThreadsAvailable";
    pub const NOT_SUPPORTED: &str = "Neo.DatabaseError.Statement.ExecutionFailed";
    pub const PARAMETER_MISSING: &str = "Neo.ClientError.Statement.ParameterMissing";
    pub const PROCEDURE_NOT_FOUND: &str = "Neo.ClientError.Procedure.ProcedureNotFound";
    pub const REQUEST_INVALID: &str = "Neo.ClientError.Request.Invalid";
    pub const REQUEST_INVALID_FORMAT: &str = "Neo.ClientError.Request.InvalidFormat";
    pub const RESOURCE_EXHAUSTION: &str = "Neo.TransientError.Request.ResourceExhaustion";
    pub const SYNTAX: &str = "Neo.ClientError.Statement.SyntaxError";
    pub const TERMINATED: &str = "Neo.TransientError.Transaction.Terminated";
    pub const TIMED_OUT: &str =
        "Neo.ClientError.Transaction.TransactionTimedOutClientConfiguration";
    pub const TOKEN_EXPIRED: &str = "Neo.ClientError.Security.TokenExpired";
    pub const TRANSACTION_TIMED_OUT: &str = "Neo.ClientError.Transaction.TransactionTimedOut";
    pub const TYPE: &str = "Neo.ClientError.Statement.TypeError";
    pub const UNAUTHORIZED: &str = "Neo.ClientError.Security.Unauthorized";
    pub const UNKNOWN: &str = "Neo.DatabaseError.General.UnknownError";
}

/// Status and description of the codes above as the Neo4j status code reference pairs them.
fn gql_status(code: &str) -> (&'static str, &'static str) {
    match code {
        code::ACCESS_MODE => {
            ("08N09", "error: connection exception - access mode does not allow the operation")
        }
        code::ARITHMETIC => ("22012", "error: data exception - division by zero"),
        code::AUTHENTICATION_RATE_LIMIT => (
            "42NFD",
            "error: syntax error or access rule violation - credentials provided too often",
        ),
        code::CONSTRAINT => ("22N80", "error: data exception - index entry conflict"),
        code::DATABASE_NOT_FOUND => {
            ("22N51", "error: data exception - a graph reference with this name was not found")
        }
        code::DATABASE_UNAVAILABLE => {
            ("08N09", "error: connection exception - database unavailable")
        }
        code::LOCK_TIMEOUT => (
            "51N3C",
            "error: system configuration or operation exception - lock acquisition timed out",
        ),
        code::MEMORY_LIMIT => {
            ("51N66", "error: system configuration or operation exception - insufficient memory")
        }
        code::NO_THREADS | code::RESOURCE_EXHAUSTION => (
            "51N59",
            "error: system configuration or operation exception - internal resource exhaustion",
        ),
        code::PARAMETER_MISSING => {
            ("42N51", "error: syntax error or access rule violation - invalid parameter")
        }
        code::SYNTAX => ("42001", "error: syntax error or access rule violation - invalid syntax"),
        code::TERMINATED | code::TIMED_OUT | code::TRANSACTION_TIMED_OUT => {
            ("25N14", "error: invalid transaction state - transaction termination client error")
        }
        code::TYPE => ("22G03", "error: data exception - invalid value type"),
        code::FORBIDDEN | code::UNAUTHORIZED => {
            ("42NFF", "error: syntax error or access rule violation - permission/access denied")
        }
        _ => ("50N42", "error: general processing exception - unexpected error"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_has_another_name_from_5_7() {
        let failure = Failure::new(code::SYNTAX, "Invalid input");
        let old = failure.to_metadata(Version::V5_4);
        assert_eq!(old.str("code"), Some(code::SYNTAX));
        assert_eq!(old.len(), 2);

        let new = failure.to_metadata(Version::V5_7);
        assert_eq!(new.str("neo4j_code"), Some(code::SYNTAX));
        assert_eq!(new.str("gql_status"), Some("42001"));
        let record = new.get("diagnostic_record").and_then(Value::as_dictionary).unwrap();
        assert_eq!(record.str("_classification"), Some("CLIENT_ERROR"));
        assert_eq!(Failure::from_metadata(&new), failure);
        assert_eq!(Failure::from_metadata(&old).code, failure.code);
    }

    #[test]
    fn only_transient_errors_are_transient() {
        assert!(Failure::new(code::NO_THREADS, "").is_transient());
        assert!(!Failure::new(code::SYNTAX, "").is_transient());
        assert!(!Failure::new("nonsense", "").is_transient());
    }
}
