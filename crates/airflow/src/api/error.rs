//! What can go wrong between the lab and Airflow.

/// Who is at fault, in one line that names the fix.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error(
        "cannot reach Airflow at {url}: {reason}; is this its web server's URL, and does it run?"
    )]
    Unreachable { url: String, reason: String },
    #[error("{0} does not answer as Airflow does; is this its web server's URL?")]
    NotAirflow(String),
    #[error("Airflow {0} is not supported; 2.8 and later are")]
    Unsupported(String),
    #[error(
        "Airflow refused user `{user}`; check --airflow-user and --airflow-password, and that its API takes passwords: AIRFLOW__API__AUTH_BACKENDS=airflow.api.auth.backend.basic_auth,airflow.api.auth.backend.session"
    )]
    RefusedV1 { user: String },
    #[error("Airflow refused user `{user}`; check --airflow-user and --airflow-password")]
    RefusedV2 { user: String },
    #[error(
        "Airflow does not let user `{user}` do this ({what}); give it the role Admin, Op or User"
    )]
    Forbidden { user: String, what: String },
    #[error("not found: {0}")]
    NotFound(String),
    #[error("Airflow answered {status} to {what}: {detail}")]
    Unexpected { status: u16, what: String, detail: String },
}

impl ApiError {
    /// Whether the same question may well be answered a moment later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Unexpected { status, .. } => *status >= 500,
            _ => false,
        }
    }
}
