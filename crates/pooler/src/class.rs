//! What has to be equal for two clients of one principal to take turns on a connection.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, Weak};

use bolt::message::Hello;
use bolt::packstream::{Put, put_value};
use bolt::{Dictionary, Value, Version};
use bytes::BytesMut;

use crate::locks::{Rank, Ranked};

/// HELLO tells the server things that last as long as the connection. Those that a client could
/// notice are here, so that it only gets a connection whose HELLO was like its own. User agents,
/// routing addresses and the like change nothing for the client and are left out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Class {
    /// Compared first: classes that differ are told apart by it, however long their filters are.
    hash: u64,
    pub version: Version,
    /// Date-times count from UTC on Bolt 4.4.
    pub utc: bool,
    /// HELLO had a routing context: the server may route queries to other members of a cluster.
    pub routing: bool,
    /// `notifications_…` entries of HELLO, in the order of their keys; lists of names in the order of
    /// these, each once.
    pub notifications: Dictionary,
}

/// The classes that exist. Clients of the same class share its allocation.
#[derive(Debug)]
pub(crate) struct Classes {
    /// Not known to anybody outside, so that no two classes can be made to look the same.
    hasher: RandomState,
    known: Ranked<Mutex<HashMap<u64, Weak<Class>>>>,
}

impl Default for Classes {
    fn default() -> Self {
        let known = Ranked::mutex(Rank::Classes, HashMap::new());
        Self { hasher: RandomState::new(), known }
    }
}

impl Classes {
    /// `upstream_routes`: the upstream is known by a `neo4j` scheme.
    pub fn of(&self, hello: &Hello, version: Version, upstream_routes: bool) -> Arc<Class> {
        let entries = hello.other.clone().into_iter();
        let mut notifications: Vec<_> = entries
            .filter(|(key, _)| key.starts_with("notifications_"))
            .map(|(key, value)| (key, normal(value)))
            .collect();
        notifications.sort_by(|(a, _), (b, _)| a.cmp(b));
        self.known(Class {
            hash: 0,
            version,
            utc: version == Version::V4_4 && hello.patch_bolt.iter().any(|patch| patch == "utc"),
            routing: upstream_routes && hello.routing.is_some(),
            notifications: notifications.into_iter().collect(),
        })
    }

    /// The one of all that are equal to this. Everything but the look-up is done before the lock is
    /// taken.
    fn known(&self, class: Class) -> Arc<Class> {
        let hash = self.hash(&class);
        let class = Arc::new(Class { hash, ..class });
        let mut known = self.known.lock();
        if let Some(same) = known.get(&hash).and_then(Weak::upgrade) {
            return same;
        }
        if known.len() == known.capacity() {
            known.retain(|_, class| class.strong_count() > 0);
        }
        known.insert(hash, Arc::downgrade(&class));
        class
    }

    fn hash(&self, class: &Class) -> u64 {
        let Class { hash: _, version, utc, routing, notifications } = class;
        let mut bytes = BytesMut::new();
        for (key, value) in notifications.iter() {
            key.put(&mut bytes);
            put_value(&mut bytes, value);
        }
        self.hasher.hash_one((version.major, version.minor, utc, routing, &bytes[..]))
    }
}

impl Class {
    /// The same for equal classes, and for no others.
    pub fn hash(&self) -> u64 {
        self.hash
    }
}

/// Clients that share a class mostly share its allocation, which is quicker to see.
pub(crate) fn is_same(a: &Arc<Class>, b: &Arc<Class>) -> bool {
    Arc::ptr_eq(a, b) || a == b
}

/// A filter means the same in whatever order it names what it leaves out.
fn normal(value: Value) -> Value {
    let Value::List(items) = value else { return value };
    let names: Option<Vec<_>> = items.iter().map(Value::as_str).collect();
    let Some(mut names) = names else { return Value::List(items) };
    names.sort_unstable();
    names.dedup();
    Value::from(names)
}

#[cfg(test)]
impl Class {
    /// A class of its own for each minor version of Bolt 5.
    pub fn for_test(minor: u8) -> Arc<Self> {
        Arc::new(Self {
            hash: minor.into(),
            version: Version::new(5, minor),
            utc: false,
            routing: false,
            notifications: Dictionary::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(categories: &[&str]) -> Hello {
        let categories = categories.to_vec();
        let other = Dictionary::new()
            .with("notifications_minimum_severity", "WARNING")
            .with("notifications_disabled_categories", categories);
        Hello { other, ..Hello::default() }
    }

    #[test]
    fn equal_classes_are_one_and_the_order_of_a_filter_makes_no_difference() {
        let classes = Classes::default();
        let of = |names: &[&str]| classes.of(&hello(names), Version::new(5, 8), false);
        let class = of(&["HINT", "GENERIC"]);
        assert!(Arc::ptr_eq(&class, &of(&["GENERIC", "HINT", "GENERIC"])));
        assert!(!is_same(&class, &of(&["HINT"])));
        assert!(!is_same(&class, &classes.of(&hello(&["HINT", "GENERIC"]), Version::V4_4, false)));
    }

    #[test]
    fn classes_that_nobody_has_are_forgotten() {
        let classes = Classes::default();
        for number in 0..1000 {
            let name = number.to_string();
            classes.of(&hello(&[&name]), Version::new(5, 8), false);
        }
        assert!(classes.known.lock().len() < 20);
    }
}
