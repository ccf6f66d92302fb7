//! The dictionaries inside requests: login, transaction settings, stream control, routing.

use std::fmt;

use zeroize::Zeroize;

use super::MessageError;
use crate::packstream::{Dictionary, Value};
use crate::version::Version;

/// The dictionary of HELLO. Before Bolt 5.1 it holds the credentials as well.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hello {
    pub user_agent: String,
    /// Present, though maybe empty, if the client uses a `neo4j` scheme.
    pub routing: Option<Dictionary>,
    /// Asks for `"utc"` on Bolt 4.4.
    pub patch_bolt: Vec<String>,
    /// From 5.3: `product` and more.
    pub bolt_agent: Option<Dictionary>,
    /// Credentials, on versions before 5.1 only.
    pub auth: Option<Auth>,
    /// Every other entry, such as notification filters, in order.
    pub other: Dictionary,
}

impl Hello {
    pub(super) fn from_entries(mut entries: Dictionary, version: Version) -> Self {
        let user_agent = match entries.remove("user_agent") {
            Some(Value::String(user_agent)) => user_agent,
            _ => String::new(),
        };
        let mut dictionary = |key| match entries.remove(key) {
            Some(Value::Dictionary(dictionary)) => Some(dictionary),
            _ => None,
        };
        let (routing, bolt_agent) = (dictionary("routing"), dictionary("bolt_agent"));
        let patch_bolt = entries.strings("patch_bolt");
        entries.remove("patch_bolt");
        // The other entries are printed, so credentials must not stay among them.
        let is_auth = |key: &str| AUTH_KEYS.contains(&key);
        let (auth, other): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|(key, _)| is_auth(key));
        let auth = (!version.has_logon()).then(|| Auth(auth.into_iter().collect()));
        let other = other.into_iter().collect();
        Self { user_agent, routing, patch_bolt, bolt_agent, auth, other }
    }

    pub(super) fn to_entries(&self) -> Dictionary {
        let mut entries = Dictionary::new().with("user_agent", self.user_agent.as_str());
        if let Some(routing) = &self.routing {
            entries.push("routing", routing.clone());
        }
        if !self.patch_bolt.is_empty() {
            entries.push("patch_bolt", self.patch_bolt.clone());
        }
        if let Some(bolt_agent) = &self.bolt_agent {
            entries.push("bolt_agent", bolt_agent.clone());
        }
        let auth = self.auth.iter().flat_map(|auth| auth.0.clone());
        entries.into_iter().chain(auth).chain(self.other.clone()).collect()
    }
}

/// A password or token. It is never printed, and it is overwritten when it is dropped.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Secret {
    /// The secret itself, for code that has to send or compare it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for Secret {
    fn from(secret: T) -> Self {
        Self(secret.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Credentials as they were sent. `Debug` shows the scheme and nothing else; what they hold is
/// overwritten when they are dropped.
#[derive(Clone, Default, PartialEq)]
pub struct Auth(pub Dictionary);

impl Drop for Auth {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Auth {
    pub fn basic(principal: &str, credentials: &str) -> Self {
        let entries = Dictionary::new().with("scheme", "basic");
        Self(entries.with("principal", principal).with("credentials", credentials))
    }

    pub fn none() -> Self {
        Self(Dictionary::new().with("scheme", "none"))
    }

    /// `basic`, `bearer`, `kerberos`, `none` or a custom scheme; empty if it was not sent.
    pub fn scheme(&self) -> &str {
        self.0.str("scheme").unwrap_or_default()
    }

    pub fn principal(&self) -> &str {
        self.0.str("principal").unwrap_or_default()
    }

    pub fn credentials(&self) -> &str {
        self.0.str("credentials").unwrap_or_default()
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("scheme", &self.scheme()).finish_non_exhaustive()
    }
}

/// The settings of a transaction, in BEGIN and in auto-commit RUN. Drivers leave out what has its
/// default value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TransactionExtra {
    pub mode: AccessMode,
    pub database: Option<String>,
    pub impersonated_user: Option<String>,
    pub bookmarks: Vec<String>,
    /// Milliseconds; `None` means the server's default, 0 no time-out.
    pub timeout_ms: Option<i64>,
    pub metadata: Dictionary,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessMode {
    Read,
    #[default]
    Write,
}

impl TransactionExtra {
    pub(super) fn from_entries(entries: Dictionary) -> Result<Self, MessageError> {
        let mut extra = Self::default();
        for (key, value) in entries {
            match (key.as_str(), value) {
                (_, Value::Null) => {}
                ("mode", Value::String(mode)) if mode.eq_ignore_ascii_case("r") => {
                    extra.mode = AccessMode::Read;
                }
                ("mode", Value::String(_)) => extra.mode = AccessMode::Write,
                ("db", Value::String(database)) => extra.database = Some(database),
                ("imp_user", Value::String(user)) => extra.impersonated_user = Some(user),
                ("tx_timeout", Value::Integer(timeout_ms)) => extra.timeout_ms = Some(timeout_ms),
                ("tx_metadata", Value::Dictionary(metadata)) => extra.metadata = metadata,
                ("bookmarks", Value::List(bookmarks)) => extra.bookmarks = strings(bookmarks)?,
                ("mode" | "db" | "imp_user" | "tx_timeout" | "tx_metadata" | "bookmarks", _) => {
                    return Err(MessageError::Field("a transaction setting has the wrong type"));
                }
                _ => {}
            }
        }
        Ok(extra)
    }

    pub(super) fn to_entries(&self) -> Dictionary {
        let mut entries = Dictionary::new();
        if !self.bookmarks.is_empty() {
            entries.push("bookmarks", self.bookmarks.clone());
        }
        if let Some(timeout_ms) = self.timeout_ms {
            entries.push("tx_timeout", timeout_ms);
        }
        if !self.metadata.is_empty() {
            entries.push("tx_metadata", self.metadata.clone());
        }
        if self.mode == AccessMode::Read {
            entries.push("mode", "r");
        }
        put_database_and_user(&mut entries, &self.database, &self.impersonated_user);
        entries
    }
}

/// What PULL and DISCARD are about: how many records, and of which open result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// `None` stands for all (-1 on the wire).
    pub records: Option<u64>,
    /// The result's number inside a transaction; `None` for the newest one.
    pub qid: Option<i64>,
}

impl Stream {
    /// All records of the newest result.
    pub const ALL: Self = Self { records: None, qid: None };

    pub(super) fn from_entries(entries: &Dictionary) -> Result<Self, MessageError> {
        let records = match entries.get("n") {
            Some(Value::Integer(-1)) => None,
            Some(Value::Integer(n @ 1..)) => Some(*n as u64),
            _ => return Err(MessageError::Field("\"n\" must be -1 or a positive integer")),
        };
        let qid = match entries.get("qid") {
            None | Some(Value::Null | Value::Integer(-1)) => None,
            Some(Value::Integer(qid)) => Some(*qid),
            Some(_) => return Err(MessageError::Field("\"qid\" must be an integer")),
        };
        Ok(Self { records, qid })
    }

    pub(super) fn to_entries(self) -> Dictionary {
        let n = self.records.map_or(-1, |records| i64::try_from(records).unwrap_or(i64::MAX));
        let entries = Dictionary::new().with("n", n);
        match self.qid {
            Some(qid) => entries.with("qid", qid),
            None => entries,
        }
    }
}

/// A request for a routing table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Route {
    /// `address` is the one that the client dialled.
    pub routing: Dictionary,
    pub bookmarks: Vec<String>,
    pub database: Option<String>,
    pub impersonated_user: Option<String>,
}

impl Route {
    pub(super) fn extra_entries(&self) -> Dictionary {
        let mut entries = Dictionary::new();
        put_database_and_user(&mut entries, &self.database, &self.impersonated_user);
        entries
    }
}

fn put_database_and_user(
    entries: &mut Dictionary,
    database: &Option<String>,
    user: &Option<String>,
) {
    for (key, value) in [("db", database), ("imp_user", user)] {
        if let Some(value) = value {
            entries.push(key, value.as_str());
        }
    }
}

pub(super) fn strings(values: Vec<Value>) -> Result<Vec<String>, MessageError> {
    let string = |value| match value {
        Value::String(string) => Ok(string),
        _ => Err(MessageError::Field("bookmarks must be strings")),
    };
    values.into_iter().map(string).collect()
}

const AUTH_KEYS: [&str; 5] = ["scheme", "principal", "credentials", "realm", "parameters"];
