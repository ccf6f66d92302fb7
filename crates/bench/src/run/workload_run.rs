//! One workload on all targets: every client is connected before the first round, each round gives every
//! target one turn, and what the workload has put into the database is counted and removed at the end.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use super::clients::TargetClients;
use super::target::RunTarget;
use crate::results::{TargetResult, WorkloadResult};
use crate::settings::{NamedProcess, Settings};
use crate::turn::{IsStopped, Turn, TurnResult};
use crate::workload::{Requests, Workload};

pub(super) struct WorkloadRun<'a> {
    pub settings: &'a Settings,
    pub workload: Workload,
    pub requests: &'a Arc<Requests>,
    pub processes: &'a [NamedProcess],
    pub is_stopped: &'a IsStopped,
}

impl WorkloadRun<'_> {
    /// `None` if the run was ended before the first round was over.
    pub async fn run(&self, targets: &[RunTarget]) -> Result<Option<WorkloadResult>> {
        let mut connected = Vec::new();
        let measured = match self.connect(targets, &mut connected).await {
            Ok(()) => Ok(self.rounds(&mut connected).await),
            Err(error) => Err(error),
        };
        let mut miscounted = Vec::new();
        for clients in connected {
            miscounted.extend(clients.close(self.settings).await);
        }
        // Whatever else went wrong, a write that was lost or done twice is always reported.
        let measured = match miscounted.is_empty() {
            true => measured,
            false => measured
                .and_then(|measured| {
                    measured.context("ended before the first round was over").map(Some)
                })
                .with_context(|| miscounted.join("; ")),
        };
        let workload = self.workload;
        Ok(measured?.map(|targets| WorkloadResult { workload, targets, miscounted }))
    }

    /// Adds the clients of target after target, so that those of the first ones can be closed if a later
    /// target fails.
    async fn connect(
        &self,
        targets: &[RunTarget],
        connected: &mut Vec<TargetClients>,
    ) -> Result<()> {
        for target in targets {
            let (workload, settings) = (self.workload, self.settings);
            connected
                .push(TargetClients::connect(target, workload, settings, self.requests).await?);
        }
        Ok(())
    }

    async fn rounds(&self, connected: &mut [TargetClients]) -> Option<Vec<TargetResult>> {
        for clients in connected.iter_mut() {
            self.turn(clients, Duration::ZERO, self.settings.warm_up).await;
        }
        let mut turns: Vec<Vec<TurnResult>> = connected.iter().map(|_| Vec::new()).collect();
        for round in 0..self.settings.rounds {
            self.show_progress(round);
            for index in order(connected.len(), round) {
                if (self.is_stopped)() {
                    break;
                }
                let (settle, duration) = (self.settings.settle, self.settings.turn_duration());
                turns[index].extend(self.turn(&mut connected[index], settle, duration).await);
            }
        }
        self.show_progress(self.settings.rounds);
        results(connected, &turns)
    }

    async fn turn(
        &self,
        clients: &mut TargetClients,
        settle: Duration,
        duration: Duration,
    ) -> Option<TurnResult> {
        let turn = Turn {
            settle,
            duration,
            rate: self.settings.rate,
            is_stopped: self.is_stopped.clone(),
            processes: self.processes,
        };
        turn.run(&mut clients.clients).await
    }

    fn show_progress(&self, round: usize) {
        if self.settings.shows_progress {
            let end = if round == self.settings.rounds { "\n" } else { "\r" };
            eprint!("{}: round {round} of {}{end}", self.workload, self.settings.rounds);
        }
    }
}

/// Each round begins with another target, so that none always comes after the same other one.
fn order(targets: usize, round: usize) -> impl Iterator<Item = usize> {
    (0..targets).map(move |place| (place + round) % targets)
}

/// `None` if no round is complete. When a run is broken off in the middle of a round, only some targets
/// have had their turn in it; that round is left out.
fn results(targets: &[TargetClients], turns: &[Vec<TurnResult>]) -> Option<Vec<TargetResult>> {
    let complete = turns.iter().map(Vec::len).min().filter(|rounds| *rounds > 0)?;
    let mut results: Vec<TargetResult> = Vec::new();
    for (target, turns) in targets.iter().zip(turns) {
        let turns = &turns[..complete];
        let rounds = turns.iter().map(TurnResult::sample).collect();
        let total = TurnResult::total(turns);
        results.push(TargetResult::new(&target.name, total, rounds, results.first()));
    }
    Some(results)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_take_turns_in_being_first() {
        let rounds: Vec<Vec<usize>> = (0..4).map(|round| order(3, round).collect()).collect();
        assert_eq!(rounds, [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2]]);
    }
}
