//! How many clients each user has, in whatever pools: a limit is not passed by a token that has
//! something else in it.

use std::collections::HashMap;

use crate::pool::UserId;

#[derive(Debug, Default)]
pub(super) struct Users {
    /// None has zero.
    clients: HashMap<UserId, usize>,
}

impl Users {
    /// A client more, unless there are `max` already.
    pub fn join(&mut self, user: UserId, max: Option<usize>) -> bool {
        let count = self.clients.get(&user).copied().unwrap_or(0);
        let has_room = max.is_none_or(|max| count < max);
        if has_room {
            self.clients.insert(user, count + 1);
        }
        has_room
    }

    pub fn left(&mut self, user: UserId) {
        if let Some(count) = self.clients.get_mut(&user) {
            *count -= 1;
            if *count == 0 {
                self.clients.remove(&user);
            }
        }
    }
}
