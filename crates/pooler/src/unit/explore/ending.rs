//! From every state the end can be reached: if everybody does what it should, everybody is answered;
//! and if everybody leaves and no server says a word, every connection is freed.

use bolt::{RequestTag, Tracker};

use super::client::{Client, Said};
use super::server::{Connection, Outcome};
use super::violation::{NOT_FREED, NOT_SERVED, Violation};
use super::world::{Step, World};
use crate::unit::expiry::Expiry;

type Checked<T = ()> = Result<T, Violation>;

/// Servers answer what they can, and clients end what they have begun.
pub fn everybody_is_served(world: &World, step: &mut Step<'_>) -> Checked {
    let mut world = world.clone();
    for _ in 0..STEPS_MAX {
        let has_served = serve_all(&mut world, step)?;
        let has_said = !has_served && say_what_ends(&mut world, step)?;
        if !has_served && !has_said {
            break;
        }
    }
    let is_done =
        |client: &Client| client.unit.is_none() && (client.is_gone || client.unanswered.is_empty());
    match world.clients.iter().all(is_done) && world.queue.is_empty() {
        true => Ok(()),
        false => Err(Violation(NOT_SERVED)),
    }
}

fn serve_all(world: &mut World, step: &mut Step<'_>) -> Checked<bool> {
    let mut has_served = false;
    for k in 0..world.connections.len() {
        let Some(connection) = &world.connections[k] else { continue };
        if connection.holder.is_none() {
            continue;
        }
        match best(connection) {
            Some(outcome) => world.serve(step, k, outcome)?,
            None if connection.is_dying() => world.end(step, k, Carried::Nothing)?,
            None => continue,
        }
        has_served = true;
    }
    Ok(has_served)
}

fn best(connection: &Connection) -> Option<Outcome> {
    let outcomes = connection.outcomes();
    let wanted = [Outcome::Success, Outcome::Ignored, Outcome::Failure, Outcome::Record];
    wanted.into_iter().find(|outcome| outcomes.contains(outcome))
}

/// A client with half a request ends it; one with open work and nothing to wait for gives it up.
fn say_what_ends(world: &mut World, step: &mut Step<'_>) -> Checked<bool> {
    let mut has_said = false;
    for c in 0..world.clients.len() {
        let client = &world.clients[c];
        if client.is_gone || client.unit.is_none() {
            continue;
        }
        if client.is_mid_request {
            world.say(step, c, Said::RunEnds)?;
        } else if client.unanswered.is_empty() {
            world.say(step, c, Said::Request(RequestTag::Reset))?;
        } else {
            continue;
        }
        has_said = true;
    }
    Ok(has_said)
}

/// Clients leave, and no server says anything any more.
pub fn everybody_leaves(world: &World, step: &mut Step<'_>) -> Checked {
    let mut world = world.clone();
    for c in 0..world.clients.len() {
        if !world.clients[c].is_gone {
            world.leave(step, c)?;
        }
    }
    for c in 0..world.clients.len() {
        if let Some(expiry) = last_resort(&world, c) {
            world.expire(step, c, expiry)?;
        }
    }
    let is_free = |known: &Option<Connection>| {
        known.as_ref().is_none_or(|connection| connection.holder.is_none())
    };
    let is_free = world.connections.iter().all(is_free);
    let is_over = world.clients.iter().all(|client| client.unit.is_none());
    if is_free && is_over { Ok(()) } else { Err(Violation(NOT_FREED)) }
}

/// The limit that frees a connection, if it can be reached.
fn last_resort(world: &World, c: usize) -> Option<Expiry> {
    let client = &world.clients[c];
    let unit = client.unit.as_ref()?;
    let connection = client.connection.and_then(|k| world.connections[k].as_ref());
    let nothing = Tracker::ready();
    let tracker = connection.map_or(&nothing, |connection| &connection.tracker);
    let may_pass = |expiry: &Expiry| unit.due(tracker, *expiry).is_some();
    [Expiry::Recovery, Expiry::Silence].into_iter().find(may_pass)
}

/// What a server that ends had done before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Carried {
    /// Nothing had left for it yet.
    Unsent,
    Nothing,
    /// All that it had received; the answers are lost.
    Everything,
}

const STEPS_MAX: usize = 64;
