//! How many clients each user has, in whatever pools: a limit is not passed by a token that has
//! something else in it.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::locks::{Rank, Ranked};
use crate::pool::UserId;

#[derive(Debug)]
pub(crate) struct Users {
    /// None has zero.
    clients: Ranked<Mutex<HashMap<UserId, usize>>>,
}

impl Default for Users {
    fn default() -> Self {
        Self { clients: Ranked::mutex(Rank::Users, HashMap::new()) }
    }
}

impl Users {
    /// A client more, unless there are `max` already.
    pub fn join(&self, user: UserId, max: Option<usize>) -> bool {
        let mut clients = self.clients.lock();
        let count = clients.get(&user).copied().unwrap_or(0);
        let has_room = max.is_none_or(|max| count < max);
        if has_room {
            clients.insert(user, count + 1);
        }
        has_room
    }

    pub fn left(&self, user: UserId) {
        let mut clients = self.clients.lock();
        if let Some(count) = clients.get_mut(&user) {
            *count -= 1;
            if *count == 0 {
                clients.remove(&user);
            }
        }
    }
}
