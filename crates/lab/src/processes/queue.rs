//! Which task is next: those that have not run yet in their order, and those that failed, once their
//! delay is over.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Lifelines;
use crate::settings::Retry;

/// One process of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    pub task: usize,
    /// From 1.
    pub attempt: usize,
}

impl Attempt {
    /// Whether the task is given up if this one fails.
    pub fn is_last(self, retry: Retry) -> bool {
        self.attempt > retry.retries
    }
}

#[derive(Debug)]
pub(super) struct TaskQueue {
    tasks: usize,
    retry: Retry,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Tasks below this have run, or run now.
    next: usize,
    running: usize,
    /// By when they are due; a number keeps those of the same moment apart.
    due: BTreeMap<(Instant, usize), Attempt>,
}

/// What a slot that is free does.
enum Turn {
    Run(Attempt),
    /// Look again after this time, or when something has ended.
    Wait(Option<Duration>),
    Over,
}

impl TaskQueue {
    pub fn new(tasks: usize, retry: Retry) -> Self {
        Self { tasks, retry, state: Mutex::default() }
    }

    /// Waits for what is to run next. `None` if nothing is left, or all is cut.
    pub fn next(&self, lifelines: &Lifelines) -> Option<Attempt> {
        while !lifelines.is_cut() {
            // Before the look, so that nothing is missed that ends meanwhile.
            let seen = lifelines.stirs();
            match self.turn(Instant::now()) {
                Turn::Run(attempt) => return Some(attempt),
                Turn::Wait(time) => lifelines.rest(seen, time),
                Turn::Over => return None,
            }
        }
        None
    }

    fn turn(&self, now: Instant) -> Turn {
        let mut state = self.lock();
        let due = state.due.first_key_value().map(|((due, _), _)| *due);
        let attempt = if due.is_some_and(|due| due <= now) {
            state.due.pop_first().map(|(_, attempt)| attempt)
        } else if state.next < self.tasks {
            state.next += 1;
            Some(Attempt { task: state.next - 1, attempt: 1 })
        } else {
            None
        };
        match (attempt, due) {
            (Some(attempt), _) => {
                state.running += 1;
                Turn::Run(attempt)
            }
            (None, Some(due)) => Turn::Wait(Some(due - now)),
            // One that runs may fail, and be due again.
            (None, None) if state.running > 0 && self.retry.retries > 0 => Turn::Wait(None),
            (None, None) => Turn::Over,
        }
    }

    /// A process has ended.
    pub fn ended(&self, attempt: &Attempt, has_failed: bool) {
        let mut state = self.lock();
        state.running -= 1;
        if has_failed && !attempt.is_last(self.retry) {
            let again = Attempt { attempt: attempt.attempt + 1, ..*attempt };
            state.due.insert((Instant::now() + self.retry.delay, attempt.task), again);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(queue: &TaskQueue, now: Instant) -> Option<(usize, usize)> {
        match queue.turn(now) {
            Turn::Run(Attempt { task, attempt }) => Some((task, attempt)),
            Turn::Wait(_) | Turn::Over => None,
        }
    }

    #[test]
    fn a_task_that_failed_comes_again_after_its_delay_and_before_new_ones() {
        let retry = Retry { retries: 1, delay: Duration::from_secs(60) };
        let (queue, now) = (TaskQueue::new(3, retry), Instant::now());
        let later = now + Duration::from_secs(120);
        assert_eq!(attempt(&queue, now), Some((0, 1)));
        queue.ended(&Attempt { task: 0, attempt: 1 }, true);
        assert_eq!(attempt(&queue, now), Some((1, 1)));
        assert_eq!(attempt(&queue, later), Some((0, 2)));
        queue.ended(&Attempt { task: 0, attempt: 2 }, true);
        queue.ended(&Attempt { task: 1, attempt: 1 }, false);
        assert_eq!(attempt(&queue, later), Some((2, 1)));
        assert!(matches!(queue.turn(later), Turn::Wait(_)), "the last one may fail yet");
        queue.ended(&Attempt { task: 2, attempt: 1 }, false);
        assert!(matches!(queue.turn(later), Turn::Over));
    }

    #[test]
    fn without_retries_nobody_waits_for_those_that_run() {
        let queue = TaskQueue::new(1, Retry::default());
        let now = Instant::now();
        assert_eq!(attempt(&queue, now), Some((0, 1)));
        assert!(matches!(queue.turn(now), Turn::Over));
    }
}
