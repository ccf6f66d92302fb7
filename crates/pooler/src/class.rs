//! What has to be equal for two clients of one principal to take turns on a connection.

use bolt::message::Hello;
use bolt::{Dictionary, Version};

/// HELLO tells the server things that last as long as the connection. Those that a client could
/// notice are here, so that it only gets a connection whose HELLO was like its own. User agents,
/// routing addresses and the like change nothing for the client and are left out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Class {
    pub version: Version,
    /// Date-times count from UTC on Bolt 4.4.
    pub utc: bool,
    /// HELLO had a routing context: the server may route queries to other members of a cluster.
    pub routing: bool,
    /// `notifications_…` entries of HELLO, in the order of their keys.
    pub notifications: Dictionary,
}

impl Class {
    /// `upstream_routes`: the upstream is known by a `neo4j` scheme.
    pub fn of(hello: &Hello, version: Version, upstream_routes: bool) -> Self {
        let mut notifications: Vec<_> = hello
            .other
            .clone()
            .into_iter()
            .filter(|(key, _)| key.starts_with("notifications_"))
            .collect();
        notifications.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self {
            version,
            utc: version == Version::V4_4 && hello.patch_bolt.iter().any(|patch| patch == "utc"),
            routing: upstream_routes && hello.routing.is_some(),
            notifications: notifications.into_iter().collect(),
        }
    }
}
