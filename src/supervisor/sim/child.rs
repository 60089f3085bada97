//! Fake children, and the process types that they belong to.

use crate::app::{Exit, Front, Moment, Policy, PortSlot, Reach, Restart, Role};

/// How a fake child behaves. Times are milliseconds; an end by a signal takes one.
#[derive(Clone, Copy, Debug)]
pub(in crate::supervisor) enum FakeChild {
    /// Runs until it is asked to stop.
    Forever,
    /// Runs until it is asked to stop, and exits with 0 then.
    Polite,
    /// Ends only when killed.
    Deaf,
    /// Does not even end when killed.
    Immortal,
    /// Ends by itself, this long after its start.
    ExitsAfter(u64, Exit),
    /// Cannot be started.
    Missing,
    /// Ends by itself; a grandchild outside of the group keeps its pipe open.
    Leaky(u64, Exit),
    /// When asked to stop, ends its workers in its own way and then itself, this much later. These end at once
    /// when they are asked.
    Master(u64),
    /// A shell that ends at once when asked to stop; what it has started itself takes this long.
    Shell(u64),
    /// The same, and what it has started leaves a worker in the group, which takes this long when it is asked.
    ShellOfMaster(u64, u64),
    /// Ends at once when asked to stop; the rest of its group takes this much longer when it is asked.
    LeavesGroup(u64),
    /// Ends at once when asked to stop; the rest of its group ends only when killed.
    LeavesGroupDeaf,
    /// Ends at once when asked to stop; the rest of its group does not even end when killed.
    LeavesGroupImmortal,
    /// Ends by itself and leaves a job in its group, which ends when asked to stop.
    LeavesJob(u64, Exit),
    /// Ends by itself and leaves a job in its group, which ends only when killed.
    LeavesDeafJob(u64, Exit),
    /// Runs until asked, and has a descendant outside of its group that ends when asked.
    Daemonises,
    /// The same, but the descendant ends only when killed.
    DaemonisesDeaf,
    /// The same, but the descendant does not even end when killed.
    DaemonisesImmortal,
}

/// What a descendant outside of the groups obeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Orphan {
    Polite,
    Deaf,
    Immortal,
}

impl FakeChild {
    /// Returns when and how it ends by itself.
    pub(super) fn own_end(self) -> Option<(u64, Exit)> {
        match self {
            Self::ExitsAfter(after, exit)
            | Self::Leaky(after, exit)
            | Self::LeavesJob(after, exit)
            | Self::LeavesDeafJob(after, exit) => Some((after, exit)),
            Self::Forever
            | Self::Polite
            | Self::Deaf
            | Self::Immortal
            | Self::Missing
            | Self::Master(_)
            | Self::Shell(_)
            | Self::ShellOfMaster(..)
            | Self::LeavesGroup(_)
            | Self::LeavesGroupDeaf
            | Self::LeavesGroupImmortal
            | Self::Daemonises
            | Self::DaemonisesDeaf
            | Self::DaemonisesImmortal => None,
        }
    }

    /// Returns whether it is a shell that has started something itself.
    pub(super) fn has_job(self) -> bool {
        matches!(self, Self::Shell(_) | Self::ShellOfMaster(..))
    }

    /// Returns whether others than its program are in its group.
    pub(super) fn has_members(self) -> bool {
        matches!(
            self,
            Self::Master(_)
                | Self::ShellOfMaster(..)
                | Self::LeavesGroup(_)
                | Self::LeavesGroupDeaf
                | Self::LeavesGroupImmortal
                | Self::LeavesJob(..)
                | Self::LeavesDeafJob(..)
        )
    }

    /// Returns when it ends after a signal that ends: the stop signal, else SIGKILL.
    pub(super) fn ends(self, is_stop: bool, reach: Reach) -> Ends {
        let is_asked_alone = is_stop && reach == Reach::Program;
        Ends {
            leader: match self {
                Self::Immortal => None,
                Self::Deaf => (!is_stop).then_some(1),
                Self::Master(drain) if is_stop => Some(1 + drain),
                _ => Some(1), // Every other leader obeys at once.
            },
            job: match self {
                Self::Shell(drain) | Self::ShellOfMaster(drain, _) if is_stop => Some(1 + drain),
                _ => Some(1),
            },
            members: match self {
                Self::LeavesGroupImmortal => None,
                Self::Master(drain) if is_asked_alone => Some(1 + drain),
                _ if is_asked_alone => None, // They were not asked.
                Self::LeavesGroup(more) | Self::ShellOfMaster(_, more) if is_stop => Some(1 + more),
                Self::LeavesGroupDeaf | Self::LeavesDeafJob(..) if is_stop => None,
                _ => Some(1), // Every other obeys at once.
            },
        }
    }

    pub(super) fn orphan(self) -> Option<Orphan> {
        match self {
            Self::Leaky(..) | Self::Daemonises => Some(Orphan::Polite),
            Self::DaemonisesDeaf => Some(Orphan::Deaf),
            Self::DaemonisesImmortal => Some(Orphan::Immortal),
            _ => None, // No other has one.
        }
    }
}

/// Milliseconds from a signal until the parts of a group end; `None`: they do not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) leader: Option<u64>,
    /// What a shell has started itself.
    pub(super) job: Option<u64>,
    pub(super) members: Option<u64>,
}

/// A process type of the virtual application. Its nth life is its nth child; the last one repeats.
#[derive(Clone, Debug)]
pub(in crate::supervisor) struct TypeRow {
    pub(in crate::supervisor) name: &'static str,
    pub(in crate::supervisor) count: u16,
    pub(in crate::supervisor) policy: Policy,
    pub(in crate::supervisor) children: Vec<FakeChild>,
    pub(in crate::supervisor) front: Option<Front>,
}

impl TypeRow {
    /// Returns the same type behind a front.
    pub(in crate::supervisor) fn behind_front(self) -> Self {
        Self { front: Some(Front::default()), ..self }
    }
}

pub(in crate::supervisor) fn row(name: &'static str, policy: Policy, child: FakeChild) -> TypeRow {
    TypeRow { name, count: 1, policy, children: vec![child], front: None }
}

pub(in crate::supervisor) fn on_failure() -> Policy {
    Policy::default()
}

pub(in crate::supervisor) fn never() -> Policy {
    Policy { restart: Restart::Never, ..Policy::default() }
}

pub(in crate::supervisor) fn always() -> Policy {
    Policy { restart: Restart::Always, ..Policy::default() }
}

pub(in crate::supervisor) fn release() -> Policy {
    Policy { role: Role::Release, ..Policy::default() }
}

/// What a run gets of a front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Traffic {
    Nothing,
    Requests,
    /// No more; those in flight until this moment at most.
    Last(Moment),
    /// All have been answered.
    Over,
}

/// A run between its spawn and its sweep.
#[derive(Clone, Debug)]
pub(super) struct FakeLife {
    pub(super) child: FakeChild,
    pub(super) leader: Option<Exit>,
    /// What a shell has started itself runs.
    pub(super) has_job: bool,
    pub(super) has_members: bool,
    /// How often its program was asked to end.
    pub(super) asked: u32,
    /// How often the rest of its group was.
    pub(super) rest_asked: u32,
    pub(super) killed: bool,
    pub(super) slot: PortSlot,
    pub(super) traffic: Traffic,
    /// It is asked whether it is alive, or will be when it is ready.
    pub(super) is_watched: bool,
}

impl FakeLife {
    pub(super) fn program_runs(&self) -> bool {
        self.leader.is_none() || self.has_job
    }
}
