//! Who holds connections, by application.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use harmless::line;

use super::Held;
use crate::applications::ApplicationName;

/// Those who hold the most come first.
#[derive(Debug, Default)]
pub(crate) struct Holders(Vec<Share>);

/// The connections that one application holds.
#[derive(Clone, Debug)]
pub(crate) struct Share {
    pub application: ApplicationName,
    pub connections: usize,
    /// How long the one has been held that was so for longest.
    pub longest: Duration,
    /// What happens on that one, for people.
    pub doing: &'static str,
}

impl Holders {
    pub fn new(held: Vec<Held>) -> Self {
        let mut shares: BTreeMap<ApplicationName, Share> = BTreeMap::new();
        for held in held {
            let client = &held.holder.client;
            let application =
                client.application().map_or_else(ApplicationName::others, |one| one.name.clone());
            let share = Share {
                application: application.clone(),
                connections: 1,
                longest: held.holder.since.elapsed(),
                doing: held.words(),
            };
            shares.entry(application).and_modify(|known| known.add(&share)).or_insert(share);
        }
        let mut shares: Vec<_> = shares.into_values().collect();
        shares.sort_by_key(|share| Reverse(share.connections));
        Self(shares)
    }

    pub fn shares(&self) -> &[Share] {
        &self.0
    }

    /// Connections.
    pub fn total(&self) -> usize {
        self.0.iter().map(|share| share.connections).sum()
    }
}

impl Share {
    fn add(&mut self, other: &Self) {
        self.connections += other.connections;
        if other.longest > self.longest {
            (self.longest, self.doing) = (other.longest, other.doing);
        }
    }
}

/// For example ": 17 by airflow dag=load (longest for 312 s, idle in transaction), 3 by load.py/1.0 (longest
/// for 2 s, at work)", and nothing if there are none. The tasks of a DAG are one holder.
impl fmt::Display for Holders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut groups: BTreeMap<String, Share> = BTreeMap::new();
        for share in &self.0 {
            let group = groups.entry(share.application.group());
            group.and_modify(|known| known.add(share)).or_insert_with(|| share.clone());
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|(_, share)| Reverse(share.connections));
        for (place, (name, share)) in groups.iter().take(NAMED_MAX).enumerate() {
            let between = if place == 0 { ": " } else { ", " };
            let (count, seconds) = (share.connections, share.longest.as_secs());
            let (name, doing) = (line(name), share.doing);
            write!(f, "{between}{count} by {name} (longest for {seconds} s, {doing})")?;
        }
        let others = groups.iter().skip(NAMED_MAX).map(|(_, share)| share.connections);
        match others.sum() {
            0_usize => Ok(()),
            others => write!(f, ", {others} by others"),
        }
    }
}

/// So many applications are named.
const NAMED_MAX: usize = 3;
