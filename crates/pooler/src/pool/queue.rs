//! The clients that wait for a connection. There is one queue: everybody has a number, and whoever
//! has the lowest is first. It is kept as a line for each class, so that the next one for a free
//! connection is found without looking at the others, however many wait.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::ticket::Reply;
use crate::class::{Class, is_same};

#[derive(Debug, Default)]
pub(super) struct Queue {
    /// None is empty. They stand in the order of their first waiters.
    lines: Vec<Line>,
    /// How often somebody of another class was served before the first in the queue.
    overtaken: usize,
}

#[derive(Debug)]
struct Line {
    class: Arc<Class>,
    /// In the order of their numbers.
    waiters: VecDeque<Waiter>,
}

#[derive(Debug)]
pub(super) struct Waiter {
    number: u64,
    since: Instant,
    pub answer: oneshot::Sender<Reply>,
}

impl Line {
    /// The number of the first waiter.
    fn front(&self) -> u64 {
        self.waiters.front().map_or(u64::MAX, |waiter| waiter.number)
    }
}

impl Queue {
    pub fn len(&self) -> usize {
        self.lines.iter().map(|line| line.waiters.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub fn waiting_of(&self, class: &Arc<Class>) -> usize {
        self.find(class).map_or(0, |index| self.lines[index].waiters.len())
    }

    /// Whose turn it is.
    pub fn first_class(&self) -> Option<&Arc<Class>> {
        self.lines.first().map(|line| &line.class)
    }

    /// Since when the first one has waited.
    pub fn first_since(&self) -> Option<Instant> {
        self.lines.first()?.waiters.front().map(|waiter| waiter.since)
    }

    /// How many have waited since `before` at least.
    pub fn waiting_since(&self, before: Instant) -> usize {
        let waited = |line: &Line| line.waiters.partition_point(|waiter| waiter.since <= before);
        self.lines.iter().map(waited).sum()
    }

    /// How often the first one was passed by others.
    pub fn overtaken(&self) -> usize {
        self.overtaken
    }

    /// Somebody waits for a connection of `class`. `number` is higher than everybody's.
    pub fn join(&mut self, class: &Arc<Class>, number: u64, answer: oneshot::Sender<Reply>) {
        let waiter = Waiter { number, since: Instant::now(), answer };
        let line = match self.find(class) {
            Some(index) => &mut self.lines[index],
            None => self.lines.push_mut(Line { class: class.clone(), waiters: VecDeque::new() }),
        };
        line.waiters.push_back(waiter);
    }

    /// Takes somebody out who may have been served already.
    pub fn leave(&mut self, class: &Arc<Class>, number: u64) {
        let Some(index) = self.find(class) else { return };
        let waiters = &mut self.lines[index].waiters;
        if let Ok(place) = waiters.binary_search_by_key(&number, |waiter| waiter.number) {
            waiters.remove(place);
            self.sort_in(index);
        }
    }

    /// Takes out the next one for a connection of `class`.
    pub fn pop(&mut self, class: &Arc<Class>) -> Option<Waiter> {
        let index = self.find(class)?;
        self.overtaken = if index == 0 { 0 } else { self.overtaken + 1 };
        let waiter = self.lines[index].waiters.pop_front();
        self.sort_in(index);
        waiter
    }

    /// The first one is about to be served: a connection is being opened for it.
    pub fn forgive_overtaking(&mut self) {
        self.overtaken = 0;
    }

    /// Takes out everybody, in order.
    pub fn take_all(&mut self) -> Vec<Waiter> {
        self.overtaken = 0;
        in_order(self.lines.drain(..).flat_map(|line| line.waiters))
    }

    /// Takes out everybody whose class says so, in order.
    pub fn take_of(&mut self, mut is_meant: impl FnMut(&Arc<Class>) -> bool) -> Vec<Waiter> {
        let taken = self.lines.extract_if(.., |line| is_meant(&line.class));
        in_order(taken.flat_map(|line| line.waiters))
    }

    /// Which class to open a connection of, while `connecting` are on their way, so many of each
    /// class as `connecting_of` says. Each of those is meant for one of its class, and so the first
    /// `connecting + 1` in the queue can't all have one. The class of the first whose class has too
    /// few is the answer.
    pub fn uncovered(
        &self,
        connecting: usize,
        connecting_of: impl Fn(&Arc<Class>) -> usize,
    ) -> Option<&Arc<Class>> {
        if self.len() <= connecting {
            return None;
        }
        // The lines are sorted, so that nobody in a later one is among those first.
        let lines = &self.lines[..self.lines.len().min(connecting + 1)];
        let ahead_of = |number: u64| -> usize {
            let ahead = |line: &Line| line.waiters.partition_point(|other| other.number < number);
            lines.iter().map(ahead).sum()
        };
        let is_short = |line: &&Line| {
            let without = line.waiters.get(connecting_of(&line.class));
            without.is_some_and(|waiter| ahead_of(waiter.number) <= connecting)
        };
        lines.iter().find(is_short).map(|line| &line.class)
    }

    /// Whether everything is where it is said to be; for assertions.
    pub fn is_sound(&self) -> bool {
        self.lines.iter().all(|line| !line.waiters.is_empty())
            && self.lines.is_sorted_by_key(Line::front)
    }

    fn find(&self, class: &Arc<Class>) -> Option<usize> {
        self.lines.iter().position(|line| is_same(&line.class, class))
    }

    /// Moves a line that has lost a waiter to where it belongs.
    fn sort_in(&mut self, index: usize) {
        if self.lines[index].waiters.is_empty() {
            self.lines.remove(index);
            return;
        }
        let front = self.lines[index].front();
        let later = &self.lines[index + 1..];
        let passed = later.iter().take_while(|line| line.front() < front).count();
        self.lines[index..=index + passed].rotate_left(1);
    }
}

fn in_order(waiters: impl Iterator<Item = Waiter>) -> Vec<Waiter> {
    let mut waiters: Vec<_> = waiters.collect();
    waiters.sort_by_key(|waiter| waiter.number);
    waiters
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A queue in which clients of these classes have arrived, one after the other.
    struct Scene {
        queue: Queue,
        classes: Vec<Arc<Class>>,
        answers: Vec<oneshot::Receiver<Reply>>,
    }

    impl Scene {
        fn new(arrivals: &[usize]) -> Self {
            let classes = (0..4).map(class).collect();
            let mut scene = Self { queue: Queue::default(), classes, answers: Vec::new() };
            for class in arrivals {
                scene.arrive(*class);
            }
            scene
        }

        fn arrive(&mut self, class: usize) {
            let (sender, answer) = oneshot::channel();
            self.queue.join(&self.classes[class], self.answers.len() as u64, sender);
            self.answers.push(answer);
        }

        fn pop(&mut self, class: usize) -> Option<u64> {
            let waiter = self.queue.pop(&self.classes[class]);
            assert!(self.queue.is_sound());
            waiter.map(|waiter| waiter.number)
        }

        /// The queue as it was written down first: one list, gone through from the front.
        fn uncovered_plainly(&self, connecting: &[usize]) -> Option<usize> {
            let mut everybody: Vec<(u64, usize)> = Vec::new();
            for (index, class) in self.classes.iter().enumerate() {
                let line = self.queue.lines.iter().find(|line| line.class == *class);
                let waiters = line.into_iter().flat_map(|line| &line.waiters);
                everybody.extend(waiters.map(|waiter| (waiter.number, index)));
            }
            everybody.sort_unstable();
            let total: usize = connecting.iter().sum();
            let first: Vec<usize> =
                everybody.iter().take(total + 1).map(|(_, class)| *class).collect();
            let wanted = |class| first.iter().filter(|other| **other == class).count();
            let short = first.iter().find(|class| wanted(**class) > connecting[**class]);
            short.copied().filter(|_| everybody.len() > total)
        }
    }

    fn class(minor: u8) -> Arc<Class> {
        Class::for_test(minor)
    }

    #[test]
    fn whoever_came_first_is_first_whatever_the_class() {
        let mut scene = Scene::new(&[0, 1, 0, 1, 2]);
        assert_eq!(scene.queue.len(), 5);
        assert_eq!(scene.queue.waiting_of(&scene.classes[0]), 2);
        assert_eq!(scene.queue.first_class(), Some(&scene.classes[0]));
        assert_eq!(scene.pop(0), Some(0));
        assert_eq!(scene.queue.first_class(), Some(&scene.classes[1]));
        // Passing the first is counted until that one is served.
        assert_eq!((scene.pop(0), scene.queue.overtaken()), (Some(2), 1));
        assert_eq!((scene.pop(2), scene.queue.overtaken()), (Some(4), 2));
        assert_eq!((scene.pop(1), scene.queue.overtaken()), (Some(1), 0));
        assert_eq!((scene.pop(1), scene.pop(1)), (Some(3), None));
        assert!(scene.queue.is_empty());
    }

    #[test]
    fn who_leaves_changes_nobody_elses_turn() {
        let mut scene = Scene::new(&[0, 1, 0, 1]);
        let classes = scene.classes.clone();
        scene.queue.leave(&classes[0], 0);
        assert!(scene.queue.is_sound());
        assert_eq!(scene.queue.first_class(), Some(&classes[1]));
        // Somebody who has been served, or whose whole class has.
        scene.queue.leave(&classes[0], 0);
        scene.queue.leave(&classes[3], 7);
        assert_eq!((scene.pop(1), scene.pop(0), scene.pop(1)), (Some(1), Some(2), Some(3)));
    }

    #[test]
    fn all_are_taken_out_in_the_order_in_which_they_came() {
        let numbers = |waiters: Vec<Waiter>| waiters.iter().map(|w| w.number).collect::<Vec<_>>();
        let mut scene = Scene::new(&[0, 1, 2, 0, 2]);
        let other = scene.classes[1].clone();
        assert_eq!(numbers(scene.queue.take_of(|class| *class != other)), [0, 2, 3, 4]);
        scene.arrive(0);
        assert_eq!(numbers(scene.queue.take_all()), [1, 5]);
        assert!(scene.queue.is_empty());
    }

    #[test]
    fn connections_are_opened_for_the_first_who_has_none_coming() {
        let numbers = |seed: u64| (0..8).map(move |shift| ((seed >> (3 * shift)) & 7) as usize);
        for seed in (0..1 << 24).step_by(97) {
            let arrivals: Vec<usize> =
                numbers(seed).filter(|class| *class < 6).map(|class| class % 3).collect();
            let mut scene = Scene::new(&arrivals);
            if seed % 2 == 1 {
                scene.pop(1);
            }
            for connecting in [[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 1], [1, 1, 1, 0], [2, 0, 1, 1]]
            {
                let classes = &scene.classes;
                let connecting_of = |class: &Arc<Class>| {
                    connecting[classes.iter().position(|other| other == class).unwrap()]
                };
                let found = scene.queue.uncovered(connecting.iter().sum(), connecting_of);
                let expected = scene.uncovered_plainly(&connecting);
                let context = format!("{arrivals:?} {connecting:?}");
                assert_eq!(found, expected.map(|class| &classes[class]), "{context}");
            }
        }
    }
}
