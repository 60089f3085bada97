//! The state of every instance, as `pm status` shows it.

use std::time::Duration;

use super::kind::Kind;
use super::life::Beside;
use super::needs::Standing;
use super::proc::Proc;
use super::state::{Goal, State};
use super::{Moment, Supervisor};
use crate::app::{Exit, InstanceId, PortSlot, RunId};

/// What an instance is doing, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It waits for others to start first.
    Waiting,
    /// It will not be started, because this instance that it depends on has ended for good.
    Blocked(InstanceId),
    /// It is being started.
    Starting,
    /// It runs, and is not ready yet.
    Unready,
    /// It runs, and is ready.
    Ready,
    /// It runs; its type has no `ready`.
    Up,
    /// It is stopping, or its last output is being read.
    Stopping,
    /// It crashed, and starts again after this time.
    BackingOff(Duration),
    /// It was stopped by request.
    Stopped,
    /// It ended for good.
    Ended(Exit),
    /// It failed for good, although it exited with 0 when pm stopped it.
    GivenUp,
}

/// A second run of an instance, while it is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecondRun {
    /// Which.
    pub run: RunId,
    /// Its process id, if it has a process.
    pub pid: Option<i32>,
    /// It ends. Otherwise it starts, and takes over when it is ready.
    pub is_leaving: bool,
}

/// One line of `pm status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Which instance.
    pub id: InstanceId,
    /// The run that all else is about; of the number 0 before the first.
    pub run: RunId,
    /// What it does.
    pub doing: Doing,
    /// Its process id, if it has a process.
    pub pid: Option<i32>,
    /// Which of its two ports it has.
    pub slot: PortSlot,
    /// How long it has been up.
    pub uptime: Option<Duration>,
    /// What its start waits for: one instance of each dependency that is not met.
    pub waits_for: Vec<InstanceId>,
    /// How often it was started again after a crash or a clean exit.
    pub restarts: u32,
    /// The run beside this one.
    pub beside: Option<SecondRun>,
}

impl Supervisor {
    /// Returns the positions of process types whose instances were all scaled away.
    pub fn scaled_to_zero(&self) -> impl Iterator<Item = usize> + '_ {
        let is_at_zero = |process_type: u16| {
            self.left.keys().any(|id| id.process_type == process_type)
                && self.procs.of_type(process_type).next().is_none()
        };
        let types = 0..self.app.types.len();
        types.filter(move |at| u16::try_from(*at).is_ok_and(is_at_zero))
    }

    /// Returns what every instance does.
    pub fn status(&self, now: Moment) -> Vec<Status> {
        self.procs.iter().map(|(id, proc)| self.status_of(id, proc, now)).collect()
    }

    /// Returns what every instance of a process type does.
    pub fn status_of_type(&self, process_type: u16, now: Moment) -> Vec<Status> {
        let all = self.procs.of_type(process_type);
        all.map(|(id, proc)| self.status_of(id, proc, now)).collect()
    }

    /// Returns whether every instance of a type has ended for good, or waits for one that has: none comes back unless
    /// somebody asks for it.
    pub fn is_over(&self, process_type: u16) -> bool {
        let count = |kind| self.procs.count(kind, process_type);
        let blocked = match self.standing_of(process_type) {
            Standing::Blocked(_) => count(Kind::Startable),
            Standing::Free | Standing::Waits(_) | Standing::Held(_) => 0,
        };
        let wanted = count(Kind::Wanted);
        wanted > 0 && count(Kind::Done) + blocked == wanted
    }

    fn status_of(&self, id: InstanceId, proc: &Proc, now: Moment) -> Status {
        let of = |seq| RunId { instance: id, seq };
        Status {
            id,
            run: of(proc.life.seq),
            doing: self.doing(id, proc, now),
            waits_for: match (self.standing_of(id.process_type), proc.life.state, proc.goal) {
                (Standing::Free, _, _) => Vec::new(),
                (_, State::Idle, Goal::Run) => self.all_awaited(id.process_type),
                _ => Vec::new(), // It waits for no other.
            },
            pid: proc.life.pid,
            slot: proc.life.slot,
            uptime: match proc.life.state {
                State::Up { since, .. }
                | State::Withdrawing { since, .. }
                | State::Stopping { since, .. } => Some(now.since(since)),
                State::Idle
                | State::Spawning
                | State::Draining { .. }
                | State::Backoff { .. }
                | State::Ended(_) => None,
            },
            restarts: proc.restarts,
            beside: proc.beside.life().map(|life| SecondRun {
                run: of(life.seq),
                pid: life.pid,
                is_leaving: matches!(proc.beside, Beside::Leaving(_)),
            }),
        }
    }

    fn doing(&self, id: InstanceId, proc: &Proc, now: Moment) -> Doing {
        match (proc.life.state, proc.goal) {
            (State::Idle | State::Ended(_), Goal::Stop) => Doing::Stopped,
            (State::Idle, Goal::Run | Goal::Renew | Goal::Leave) => {
                match self.standing_of(id.process_type) {
                    Standing::Blocked(by) => Doing::Blocked(by),
                    Standing::Free | Standing::Waits(_) | Standing::Held(_) => Doing::Waiting,
                }
            }
            (State::Spawning, _) => Doing::Starting,
            (State::Up { unready: Some(_), .. }, _) => Doing::Unready,
            (State::Up { unready: None, .. }, _) if self.policy(id).ready.is_some() => Doing::Ready,
            (State::Up { unready: None, .. }, _) => Doing::Up,
            (State::Withdrawing { .. } | State::Stopping { .. } | State::Draining { .. }, _) => {
                Doing::Stopping
            }
            (State::Backoff { until }, _) => Doing::BackingOff(until.since(now)),
            (State::Ended(exit), Goal::Run | Goal::Renew | Goal::Leave) => {
                let is_given_up = exit.is_success() && proc.crashed(exit);
                if is_given_up { Doing::GivenUp } else { Doing::Ended(exit) }
            }
        }
    }
}
