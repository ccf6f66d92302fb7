//! A server that can't be used: at which step that showed, and what to try.

use std::io;

use bolt::failure::code;
use bolt::version::HandshakeError;
use client::ClientError;
use net::{DialError, Encryption, Target};

/// The step that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Step {
    Connect,
    Login,
    Query,
}

/// Why a server can't be used.
#[derive(Debug)]
pub(super) struct Unusable {
    pub step: Step,
    error: ClientError,
}

impl Step {
    /// For [`Result::map_err`].
    pub fn failed(self) -> impl FnOnce(ClientError) -> Unusable {
        move |error| Unusable { step: self, error }
    }
}

impl Unusable {
    /// What happened, in a sentence.
    pub fn problem(&self, target: &Target, user: &str) -> String {
        let error = &self.error;
        match self.step {
            Step::Connect => format!("cannot reach {target}: {error}"),
            Step::Login => format!("{target} answers, but not to user `{user}`: {error}"),
            Step::Query => format!("{target} takes the login, but cannot run a query: {error}"),
        }
    }

    /// What to try, the likeliest first.
    pub fn advice(&self, target: &Target) -> Vec<String> {
        let address = target.address();
        match &self.error {
            ClientError::Dial(error) => dialling(error, target),
            ClientError::Handshake(HandshakeError::Http) => vec![format!(
                "{} is a port for HTTP; Bolt's is 7687, unless server.bolt.listen_address says otherwise.",
                target.port
            )],
            ClientError::Handshake(HandshakeError::NothingInCommon) => vec![
                "The server speaks no version of Bolt from 4.4 on: Neo4j 4.4 or later is needed."
                    .into(),
            ],
            ClientError::Handshake(_) | ClientError::Protocol(_) => {
                vec![format!("Ask whoever runs {address} what listens there: it is not Bolt.")]
            }
            ClientError::TimedOut(_) => vec![
                "It may be starting, or have no thread left: try again, with a longer --timeout-s."
                    .into(),
                format!("See whether something else than Neo4j listens on {address}."),
            ],
            ClientError::Closed | ClientError::Io(_) => closed(self.step, target),
            ClientError::Server(failure) => refused(&failure.code),
        }
    }
}

fn dialling(error: &DialError, target: &Target) -> Vec<String> {
    let (host, port) = (&target.host, target.port);
    match error {
        DialError::Resolve(_) => vec![format!(
            "See whether `{host}` is spelt right, and known here: getent hosts {host}"
        )],
        DialError::Connect(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            let mut advice = vec![format!(
                "Nothing listens on port {port}: start the server, or name its Bolt port (7687 unless server.bolt.listen_address says otherwise)."
            )];
            if target.is_this_machine() {
                advice.push(format!(
                    "Inside a container `{host}` is the container itself: name the server's container, or publish its port."
                ));
            }
            advice
        }
        DialError::Connect(_) => vec![format!(
            "See whether a firewall or a security group lets this machine reach port {port} of {host}."
        )],
        DialError::Tls(_) if target.encryption == Encryption::Verified => vec![
            "If the certificate is one of your own, +ssc takes any, for a trial.".into(),
            "If the server does not encrypt, write the URI without +s.".into(),
        ],
        DialError::Tls(_) | DialError::Io(_) => {
            vec!["If the server does not encrypt, write the URI without +s or +ssc.".into()]
        }
    }
}

fn closed(step: Step, target: &Target) -> Vec<String> {
    match (step, target.encryption) {
        (Step::Connect, Encryption::None) => vec![
            "It may want TLS: try bolt+s://, or bolt+ssc:// for a certificate of one's own.".into(),
            "It may be full: a server, balancer or quota that takes no more connections closes them at once.".into(),
        ],
        _ => vec!["Its own log (logs/debug.log) says why it closes connections.".into()],
    }
}

/// What the server's own code asks for.
fn refused(failure: &str) -> Vec<String> {
    let advice = match failure {
        code::UNAUTHORIZED => {
            "See to NEO4J_USERNAME and NEO4J_PASSWORD; a new Neo4j's are neo4j and neo4j, to be changed at once."
        }
        code::AUTHENTICATION_RATE_LIMIT => {
            "Somebody has tried wrong passwords: wait for five seconds (dbms.security.auth_lock_time)."
        }
        code::CREDENTIALS_EXPIRED => {
            "The password has to be changed first: ALTER CURRENT USER SET PASSWORD, for example in cypher-shell."
        }
        code::DATABASE_NOT_FOUND => "SHOW DATABASES lists what there is; name one by --database.",
        code::DATABASE_UNAVAILABLE => {
            "The database is stopped or starting: SHOW DATABASES says which."
        }
        code::NO_THREADS => {
            "Every thread is busy (server.bolt.thread_pool_max_size): SHOW TRANSACTIONS says with what."
        }
        code::FORBIDDEN => "This user may not read: ask for a role, such as reader.",
        _ => return Vec::new(),
    };
    vec![advice.to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use bolt::Failure;

    fn advice(uri: &str, step: Step, error: ClientError) -> String {
        Unusable { step, error }.advice(&uri.parse().unwrap()).join(" ")
    }

    fn io(kind: io::ErrorKind) -> io::Error {
        kind.into()
    }

    #[test]
    fn each_way_to_fail_has_something_to_try() {
        let refused =
            || ClientError::Dial(DialError::Connect(io(io::ErrorKind::ConnectionRefused)));
        let unknown = || ClientError::Dial(DialError::Tls("unknown issuer".into()));
        let code = |code: &str| ClientError::Server(Failure::new(code, "…"));
        let cases = [
            ("bolt://db", Step::Connect, refused(), "nothing listens", "container"),
            ("bolt://db", Step::Connect, ClientError::Closed, "bolt+s", "logs/"),
            ("bolt+s://db", Step::Connect, ClientError::Closed, "logs/", "bolt+s"),
            ("bolt+s://db", Step::Connect, unknown(), "+ssc takes any", "firewall"),
            ("bolt+ssc://db", Step::Connect, unknown(), "does not encrypt", "takes any"),
            (
                "bolt://db:7474",
                Step::Connect,
                ClientError::Handshake(HandshakeError::Http),
                "7687",
                "TLS",
            ),
            ("bolt://db", Step::Login, code(code::UNAUTHORIZED), "NEO4J_PASSWORD", "roles"),
            ("bolt://db", Step::Query, code(code::DATABASE_NOT_FOUND), "--database", "PASSWORD"),
        ];
        for (uri, step, error, expected, unwanted) in cases {
            let case = format!("{uri} {step:?} {error:?}");
            let advice = advice(uri, step, error).to_lowercase();
            assert!(advice.contains(&expected.to_lowercase()), "{case}: {advice}");
            assert!(!advice.contains(&unwanted.to_lowercase()), "{case}: {advice}");
        }
        let local = advice("bolt://localhost", Step::Connect, refused());
        assert!(local.contains("Inside a container"), "{local}");
    }

    #[test]
    fn what_the_server_says_is_left_alone_if_nothing_helps() {
        assert_eq!(
            advice("bolt://db", Step::Query, ClientError::Server(Failure::new("Neo.X", "y"))),
            ""
        );
    }
}
