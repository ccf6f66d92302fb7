//! Breadth first over the states that have not been seen. The path to each is kept as the action that
//! led to it, so that the shortest way to a violation can be gone again and written down.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hash, Hasher};

use bolt::Tracker;
use tokio::time::Instant;

use super::client::Said;
use super::ending::{Carried, everybody_is_served, everybody_leaves};
use super::server::Outcome;
use super::trace::Trace;
use super::violation::Violation;
use super::world::{Setting, Step, World};
use crate::unit::Lag;
use crate::unit::expiry::Expiry;

/// One thing that can happen.
#[derive(Clone, Copy, Debug)]
enum Action {
    Start,
    Say(usize, Said),
    Leave(usize),
    Refuse(usize),
    Expire(usize, Expiry),
    Lag(usize, Lag),
    Contend(usize),
    Serve(usize, Outcome),
    End(usize, Carried),
    Intrude(usize),
    Drain,
}

/// What was explored.
#[derive(Debug, Default)]
pub struct Report {
    pub states: usize,
    pub transitions: usize,
    /// The longest of the shortest paths.
    pub depth: usize,
    /// No state was left out.
    pub is_complete: bool,
    /// The first violation, with the shortest path to it.
    pub found: Option<(Violation, Vec<String>)>,
}

/// Explores all states that can be reached, or the first `states_max`.
pub fn explore(setting: &Setting, states_max: usize) -> Report {
    Search::new(setting, states_max).run()
}

struct Search<'a> {
    setting: &'a Setting,
    states_max: usize,
    now: Instant,
    seen: HashSet<u64, BuildHasherDefault<Known>>,
    /// By number: the state before, and what led from there.
    paths: Vec<(u32, Action)>,
    open: VecDeque<(World, u32, usize)>,
    report: Report,
}

impl<'a> Search<'a> {
    fn new(setting: &'a Setting, states_max: usize) -> Self {
        Self {
            setting,
            states_max,
            now: Instant::now(),
            seen: HashSet::default(),
            paths: Vec::new(),
            open: VecDeque::new(),
            report: Report { is_complete: true, ..Report::default() },
        }
    }

    fn run(mut self) -> Report {
        self.add(World::new(self.setting), 0, Action::Start, 0);
        while let Some((world, number, depth)) = self.open.pop_front() {
            if let Err((violation, last)) = self.expand(&world, number, depth) {
                let lines = self.tell(number, last, violation);
                self.report.found = Some((violation, lines));
                break;
            }
        }
        self.report.states = self.seen.len();
        self.report
    }

    fn expand(
        &mut self,
        world: &World,
        number: u32,
        depth: usize,
    ) -> Result<(), (Violation, Option<Action>)> {
        let mut step = Step { setting: self.setting, now: self.now, trace: Trace::default() };
        everybody_is_served(world, &mut step).map_err(|violation| (violation, None))?;
        everybody_leaves(world, &mut step).map_err(|violation| (violation, None))?;
        for action in actions(world, self.setting) {
            let mut next = world.clone();
            take(&mut next, &mut step, action).map_err(|violation| (violation, Some(action)))?;
            self.report.transitions += 1;
            self.add(next, number, action, depth + 1);
        }
        Ok(())
    }

    fn add(&mut self, world: World, from: u32, action: Action, depth: usize) {
        if self.seen.len() >= self.states_max {
            self.report.is_complete = false;
            return;
        }
        let mut hasher = Mixer::default();
        world.hash(&mut hasher);
        if self.seen.insert(hasher.finish()) {
            let number = u32::try_from(self.paths.len()).expect("fewer states than that");
            self.paths.push((from, action));
            self.open.push_back((world, number, depth));
            self.report.depth = depth;
        }
    }

    /// The path to a state and one step more, or the way that does not end from there, gone again and
    /// written down.
    fn tell(&self, number: u32, last: Option<Action>, violation: Violation) -> Vec<String> {
        let mut actions: Vec<Action> = last.iter().copied().collect();
        let mut at = number;
        while at > 0 {
            let (from, action) = self.paths[at as usize];
            actions.push(action);
            at = from;
        }
        let mut step = Step { setting: self.setting, now: self.now, trace: Trace::recording() };
        let mut world = World::new(self.setting);
        for action in actions.into_iter().rev() {
            let _ = take(&mut world, &mut step, action);
        }
        if last.is_none() {
            step.trace.note("# from here on:");
            let _ = everybody_is_served(&world, &mut step) == Err(violation)
                || everybody_leaves(&world, &mut step) == Err(violation);
        }
        step.trace.lines()
    }
}

/// Everything that can happen next.
fn actions(world: &World, setting: &Setting) -> Vec<Action> {
    let mut actions = Vec::new();
    for (c, client) in world.clients.iter().enumerate() {
        if !client.is_gone {
            actions.push(Action::Leave(c));
            let may_ask =
                client.asked < setting.requests && client.unanswered.len() < setting.pipelined;
            if client.is_mid_request {
                actions.push(Action::Say(c, Said::RunEnds));
            } else if may_ask {
                actions.extend(setting.alphabet.iter().map(|said| Action::Say(c, *said)));
            }
        }
        let Some(unit) = &client.unit else { continue };
        if unit.is_waiting() {
            actions.push(Action::Refuse(c));
        } else if !client.is_gone {
            let lag = if client.lag == Lag::None { Lag::Some } else { Lag::None };
            actions.push(Action::Lag(c, lag));
        }
        let connection = client.connection.and_then(|k| world.connections[k].as_ref());
        let nothing = Tracker::ready();
        let tracker = connection.map_or(&nothing, |connection| &connection.tracker);
        let may_pass =
            Expiry::ALL.into_iter().filter(|expiry| unit.due(tracker, *expiry).is_some());
        actions.extend(may_pass.map(|expiry| Action::Expire(c, expiry)));
        actions.extend(unit.resting().map(|_| Action::Contend(c)));
    }
    for (k, connection) in world.connections.iter().enumerate() {
        let Some(connection) = connection else { continue };
        actions.push(Action::End(k, Carried::Nothing));
        if connection.holder.is_some() {
            actions.extend(connection.outcomes().into_iter().map(|out| Action::Serve(k, out)));
            if connection.may_be_unsent() {
                actions.push(Action::End(k, Carried::Unsent));
            }
            if connection.has_received() {
                actions.push(Action::End(k, Carried::Everything));
            } else if !connection.is_dying() && !connection.is_mid_record {
                actions.push(Action::Intrude(k));
            }
        }
    }
    if !world.is_draining {
        actions.push(Action::Drain);
    }
    actions
}

fn take(world: &mut World, step: &mut Step<'_>, action: Action) -> Result<(), Violation> {
    match action {
        Action::Start => Ok(()),
        Action::Say(c, said) => world.say(step, c, said),
        Action::Leave(c) => world.leave(step, c),
        Action::Refuse(c) => world.refuse(step, c),
        Action::Expire(c, expiry) => world.expire(step, c, expiry),
        Action::Lag(c, lag) => world.lag(step, c, lag),
        Action::Contend(c) => world.contend(step, c),
        Action::Serve(k, outcome) => world.serve(step, k, outcome),
        Action::End(k, carried) => world.end(step, k, carried),
        Action::Intrude(k) => world.intrude(step, k),
        Action::Drain => world.drain(step),
    }
}

/// A state's 64 bits. With ten million states, two of them are the same by accident once in 400,000
/// explorations.
#[derive(Default)]
struct Mixer(u64);

impl Mixer {
    fn add(&mut self, word: u64) {
        let mixed = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ (mixed >> 29);
    }
}

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.add(value.into());
    }

    fn write_u16(&mut self, value: u16) {
        self.add(value.into());
    }

    fn write_u64(&mut self, value: u64) {
        self.add(value);
    }

    fn write_usize(&mut self, value: usize) {
        self.add(value as u64);
    }

    fn write_isize(&mut self, value: isize) {
        self.add(value as u64);
    }

    fn finish(&self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
        mixed ^ (mixed >> 33)
    }
}

/// For a set of what is mixed already.
#[derive(Default)]
struct Known(u64);

impl Hasher for Known {
    fn write(&mut self, _: &[u8]) {
        unreachable!("only whole words are in the set")
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
