//! How a client logs in: `LOGIN A user=eve password=wrong`.

use std::fmt;

use bolt::message::{Auth, Hello};
use bolt::{Dictionary, Request, Version};

use crate::mistake::Mistake;
use crate::options::{Options, words};

/// What a login says that is not the usual.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    pub scheme: Option<String>,
    pub user: Option<String>,
    /// The right one, if there is none here.
    pub password: Option<String>,
    /// The least severity of the notifications that the client wants.
    pub notifications: Option<String>,
    /// The address that the client says it has dialled.
    pub routing: Option<String>,
}

impl Login {
    pub(crate) fn parse(text: &str) -> Result<Self, Mistake> {
        let names = ["scheme", "user", "password", "notifications", "routing"];
        let options = Options::read(text, &names)?;
        let [scheme, user, password, notifications, routing] = names.map(|name| options.text(name));
        Ok(Self { scheme, user, password, notifications, routing })
    }

    /// What a client says: HELLO, and LOGON where the version has it.
    pub fn requests(&self, version: Version, usual_password: &str) -> Vec<Request> {
        let entries = Dictionary::new()
            .with("scheme", self.scheme.as_deref().unwrap_or("basic"))
            .with("principal", self.user.as_deref().unwrap_or("neo4j"))
            .with("credentials", self.password.as_deref().unwrap_or(usual_password));
        let auth = Auth(entries);
        let mut other = Dictionary::new();
        if let Some(severity) = &self.notifications {
            other.push("notifications_minimum_severity", severity.as_str());
        }
        let routing = self.routing.as_deref();
        let has_logon = version.has_logon();
        let hello = Request::Hello(Hello {
            user_agent: "script/1".into(),
            bolt_agent: Some(Dictionary::new().with("product", "script/1")),
            routing: routing.map(|address| Dictionary::new().with("address", address)),
            auth: (!has_logon).then(|| auth.clone()),
            other,
            ..Hello::default()
        });
        if has_logon { vec![hello, Request::Logon(auth)] } else { vec![hello] }
    }
}

/// The options with a space before them, or nothing.
impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = words(&[
            ("scheme", self.scheme.as_deref()),
            ("user", self.user.as_deref()),
            ("password", self.password.as_deref()),
            ("notifications", self.notifications.as_deref()),
            ("routing", self.routing.as_deref()),
        ]);
        if options.is_empty() { Ok(()) } else { write!(f, " {options}") }
    }
}
