//! Credentials as a name and a digest: enough to recognise them, useless to whoever finds them.

use aws_lc_rs::{hmac, rand};
use bolt::message::Auth;
use bolt::packstream::{Put, put_value};
use bytes::BytesMut;
use zeroize::Zeroize;

use crate::credential::{DIGEST_BYTES, Digest};

/// What has to be equal for two logins to share a pool: for `basic`, everything but the password; for
/// other schemes everything, because what names somebody there may be the credential itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct IdentityKey {
    principal: String,
    proof: Proof,
    digest: [u8; DIGEST_BYTES],
}

/// What a login proves itself by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Proof {
    /// The password of the principal, which is a user's name.
    Password,
    /// Something that names nobody whom the server would lock, or is no login at all.
    Other,
}

impl IdentityKey {
    /// The user whose connections and failed tries count together, whatever the realm or else is in
    /// the token: the server locks a name. A token of another form is no try.
    pub fn principal(&self) -> Option<&str> {
        (self.proof == Proof::Password).then_some(&self.principal)
    }

    /// For logs and lists.
    pub fn name(&self) -> &str {
        &self.principal
    }
}

pub(super) struct Digester {
    key: hmac::Key,
}

impl Digester {
    pub fn new() -> Self {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &rand::SystemRandom::new());
        Self { key: key.expect("the system has random numbers") }
    }

    pub fn identify(&self, auth: &Auth) -> (IdentityKey, Digest) {
        let whole = self.digest(auth, |_| true);
        let principal = auth.principal().to_owned();
        let has_password = auth.scheme() == "basic"
            && !principal.is_empty()
            && auth.0.str("credentials").is_some();
        let (proof, digest) = match has_password {
            true => (Proof::Password, self.digest(auth, |key| key != "credentials")),
            false => (Proof::Other, whole),
        };
        (IdentityKey { principal, proof, digest }, Digest(whole))
    }

    /// The digest of those entries that `counts` accepts, in the order of their keys.
    fn digest(&self, auth: &Auth, counts: impl Fn(&str) -> bool) -> [u8; DIGEST_BYTES] {
        let mut entries: Vec<_> = auth.0.iter().filter(|(key, _)| counts(key)).collect();
        entries.sort_by_key(|(key, _)| *key);
        // Large enough for most, so that no copy of a password is left behind by growing.
        let mut bytes = BytesMut::with_capacity(16 * 1024);
        for (key, value) in entries {
            key.put(&mut bytes);
            put_value(&mut bytes, value);
        }
        let tag = hmac::sign(&self.key, &bytes);
        bytes.as_mut().zeroize();
        let mut digest = [0; DIGEST_BYTES];
        digest.copy_from_slice(tag.as_ref());
        digest
    }
}

impl std::fmt::Debug for Digester {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digester")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bolt::Dictionary;

    #[test]
    fn passwords_change_the_digest_but_not_the_identity() {
        let digester = Digester::new();
        let (key, digest) = digester.identify(&Auth::basic("neo4j", "secret"));
        let (same_key, other) = digester.identify(&Auth::basic("neo4j", "other"));
        assert_eq!(key, same_key);
        assert_ne!(digest, other);
        assert_eq!(digest, digester.identify(&Auth::basic("neo4j", "secret")).1);
        assert_ne!(key, digester.identify(&Auth::basic("eve", "secret")).0);
        // Another process can't compare.
        assert_ne!(digest, Digester::new().identify(&Auth::basic("neo4j", "secret")).1);
    }

    #[test]
    fn the_order_of_entries_does_not_matter_and_the_realm_does() {
        let digester = Digester::new();
        let entries = |realm: &str, reversed: bool| {
            let mut entries = vec![
                ("scheme", "basic"),
                ("principal", "a"),
                ("credentials", "b"),
                ("realm", realm),
            ];
            if reversed {
                entries.reverse();
            }
            let entries = entries.into_iter().map(|(key, value)| (key.to_owned(), value.into()));
            digester.identify(&Auth(entries.collect::<Dictionary>()))
        };
        assert_eq!(entries("x", false), entries("x", true));
        assert_ne!(entries("x", false).0, entries("y", false).0);
        assert_eq!(entries("x", false).0.principal(), entries("y", false).0.principal());
    }

    #[test]
    fn a_token_of_another_form_is_no_try_of_a_password() {
        let digester = Digester::new();
        let token = Dictionary::new().with("scheme", "basic").with("principal", "eve");
        assert_eq!(digester.identify(&Auth(token.clone())).0.principal(), None);
        let list = Auth(token.with("credentials", vec!["x"]));
        assert_eq!(digester.identify(&list).0.principal(), None);
        let basic = Auth(Auth::basic("eve", "x").0.clone().with("foo", 1));
        assert_eq!(digester.identify(&basic).0.principal(), Some("eve"));
    }

    #[test]
    fn who_has_no_name_is_known_by_the_token() {
        let bearer = |token: &str| {
            Auth(Dictionary::new().with("scheme", "bearer").with("credentials", token))
        };
        let digester = Digester::new();
        let (key, _) = digester.identify(&bearer("one"));
        assert_eq!(key.principal(), None);
        assert_ne!(key, digester.identify(&bearer("two")).0);
        // A name beside a token proves nothing.
        let named = |token| Auth(bearer(token).0.clone().with("principal", "svc"));
        assert_ne!(digester.identify(&named("one")).0, digester.identify(&named("two")).0);
    }
}
