//! Every instance, and sets of those that one step of the reconcile is for.
//!
//! Of a thousand instances few are in motion, and what an event costs must not grow with the others. So no step
//! looks through all of them: it asks for a [`Kind`], or for the earliest deadline. What is to be kept up to date
//! cannot be forgotten: an instance is changed through [`Instances::get_mut`] alone, which notes it, and every
//! question first puts what was noted into its sets.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::event::Group;
use super::memory::MemoryWatch;
use super::state::{Cause, Goal, State, StopStage};
use crate::app::{App, InstanceId, Moment};

/// One instance: what is wanted of it, and what it does.
#[derive(Clone, Debug)]
pub(super) struct Proc {
    pub(super) state: State,
    pub(super) goal: Goal,
    /// The next start was asked for over the socket, and its failure concerns only who asked.
    pub(super) by_request: bool,
    /// The application as it was when the current life began.
    pub(super) born: Option<Arc<App>>,
    pub(super) pid: Option<i32>,
    /// The current life; 0 before the first.
    pub(super) seq: u32,
    /// Crashes in a row.
    pub(super) crashes: u32,
    /// Short lives in a row, crashes or not: what the wait grows by.
    pub(super) streak: u32,
    /// Starts after the first.
    pub(super) restarts: u32,
    pub(super) output_open: bool,
    /// How long its next stop may take, where who asked for that has said so.
    pub(super) grace: Option<Duration>,
    /// Its program was asked to end, the rest of its group not yet.
    pub(super) rest_waits: bool,
    pub(super) group: Group,
    /// Why its last run ended, where that was for good.
    pub(super) cause: Cause,
    /// What is known of its memory.
    pub(super) watch: MemoryWatch,
    /// What was told of its waiting for its turn.
    pub(super) told: Told,
}

/// What was told of an instance that waits to be started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Told {
    #[default]
    Nothing,
    /// It waits for what it depends on.
    Waiting,
    /// What it depends on will never be there.
    Blocked,
}

impl Proc {
    /// Makes one that has lived `seq` times.
    pub(super) fn new(seq: u32) -> Self {
        let state = State::Idle;
        Self {
            state,
            goal: Goal::Run,
            by_request: false,
            born: None,
            pid: None,
            seq,
            crashes: 0,
            streak: 0,
            restarts: 0,
            output_open: false,
            grace: None,
            rest_waits: false,
            group: Group::Gone,
            cause: Cause::Itself,
            watch: MemoryWatch::default(),
            told: Told::Nothing,
        }
    }
}

/// What some step looks for. An instance may be of several kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It waits to be started. Not before its last life's output is shown: where nobody reads pm's, one pipe after
    /// the other would wait unread.
    Startable,
    /// Its start is ordered and not yet answered.
    Spawning,
    Up,
    Backoff,
    /// It was asked to stop, and not killed.
    Asked,
    /// It is not to run, and can be moved towards that.
    Unwanted,
    /// Its run can be finished: all has ended that had to.
    Drained,
    /// A process may exist.
    Active,
    /// It has ended, and is not to be started again by anybody who stopped it.
    Done,
    /// It was scaled away and runs no more.
    Left,
    /// It runs and is not ready yet.
    Unready,
    /// It is not scaled away.
    Wanted,
    /// It has been started: it runs, or has ended well.
    Begun,
    /// It runs, and is ready where that can be told.
    Serving,
    /// It has ended well.
    Succeeded,
    /// It has failed for good.
    Failed,
    /// It was stopped by request, or is about to.
    Stopped,
}

impl Kind {
    const ALL: [Self; 17] = [
        Self::Startable,
        Self::Spawning,
        Self::Up,
        Self::Backoff,
        Self::Asked,
        Self::Unwanted,
        Self::Drained,
        Self::Active,
        Self::Done,
        Self::Left,
        Self::Unready,
        Self::Wanted,
        Self::Begun,
        Self::Serving,
        Self::Succeeded,
        Self::Failed,
        Self::Stopped,
    ];

    pub(super) fn is_of(self, proc: &Proc) -> bool {
        let (state, goal) = (proc.state, proc.goal);
        match self {
            Self::Startable => state == State::Idle && goal == Goal::Run && !proc.output_open,
            Self::Spawning => state == State::Spawning,
            Self::Up => matches!(state, State::Up { .. }),
            Self::Backoff => matches!(state, State::Backoff { .. }),
            Self::Asked => matches!(state, State::Stopping { stage: StopStage::Asked, .. }),
            Self::Unwanted => {
                goal != Goal::Run && matches!(state, State::Up { .. } | State::Backoff { .. })
            }
            Self::Drained => match state {
                State::Draining { .. } => !proc.output_open && proc.group == Group::Gone,
                State::Stopping { leader, .. } => leader.is_some() && proc.group == Group::Gone,
                State::Idle
                | State::Spawning
                | State::Up { .. }
                | State::Backoff { .. }
                | State::Ended(_) => false,
            },
            Self::Active => state.is_active(),
            Self::Done => goal == Goal::Run && matches!(state, State::Ended(_)),
            Self::Left => goal == Goal::Leave && !state.is_active(),
            Self::Unready => matches!(state, State::Up { unready: Some(_), .. }),
            Self::Wanted => goal != Goal::Leave,
            Self::Begun => matches!(state, State::Up { .. }) || Self::Succeeded.is_of(proc),
            Self::Serving => matches!(state, State::Up { unready: None, .. }),
            Self::Succeeded => Self::Done.is_of(proc) && !Self::Failed.is_of(proc),
            Self::Failed => {
                Self::Done.is_of(proc) && matches!(state, State::Ended(exit) if proc.crashed(exit))
            }
            Self::Stopped => goal == Goal::Stop,
        }
    }
}

/// The kinds of an instance, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Kinds(u32);

impl Kinds {
    fn of(proc: &Proc) -> Self {
        let kinds = Kind::ALL.into_iter().filter(|kind| kind.is_of(proc));
        Self(kinds.fold(0, |all, kind| all | 1 << kind as u32))
    }

    fn has(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u32 != 0
    }
}

/// Where an instance stands in the sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Membership {
    kinds: Kinds,
    deadline: Option<Moment>,
}

impl Membership {
    fn of(proc: &Proc) -> Self {
        Self { kinds: Kinds::of(proc), deadline: proc.state.deadline() }
    }
}

/// The sets that instances are found by.
#[derive(Clone, Debug, Default, PartialEq)]
struct Index {
    kinds: [BTreeSet<InstanceId>; Kind::ALL.len()],
    /// How many there are of each kind and process type; none of those that are not here.
    counts: BTreeMap<u16, [usize; Kind::ALL.len()]>,
    deadlines: BTreeSet<(Moment, InstanceId)>,
}

impl Index {
    fn set(&mut self, id: InstanceId, old: Membership, new: Membership) {
        if old == new {
            return;
        }
        if old.kinds != new.kinds {
            let counts = self.counts.entry(id.process_type).or_default();
            for kind in Kind::ALL {
                let set = &mut self.kinds[kind as usize];
                match (old.kinds.has(kind), new.kinds.has(kind)) {
                    (false, true) => {
                        set.insert(id);
                        counts[kind as usize] += 1;
                    }
                    (true, false) => {
                        set.remove(&id);
                        counts[kind as usize] -= 1;
                    }
                    (true, true) | (false, false) => {}
                }
            }
        }
        if old.deadline != new.deadline {
            old.deadline.map(|at| self.deadlines.remove(&(at, id)));
            self.deadlines.extend(new.deadline.map(|at| (at, id)));
        }
    }
}

/// All instances of a session, in the order of the Procfile.
#[derive(Clone, Debug, Default)]
pub(super) struct Instances {
    all: BTreeMap<InstanceId, (Proc, Membership)>,
    index: Index,
    /// Those that may have changed since the index was brought up to date.
    stale: Vec<InstanceId>,
    /// Those that may have changed since [`Self::take_changed`].
    changed: Vec<InstanceId>,
}

impl Instances {
    pub(super) fn get(&self, id: InstanceId) -> Option<&Proc> {
        self.all.get(&id).map(|(proc, _)| proc)
    }

    /// Lends an instance for a change.
    pub(super) fn get_mut(&mut self, id: InstanceId) -> Option<&mut Proc> {
        let (proc, _) = self.all.get_mut(&id)?;
        self.stale.push(id);
        Some(proc)
    }

    pub(super) fn insert(&mut self, id: InstanceId, proc: Proc) {
        self.remove(id);
        self.all.insert(id, (proc, Membership::default()));
        self.stale.push(id);
    }

    pub(super) fn remove(&mut self, id: InstanceId) {
        if let Some((_, entry)) = self.all.remove(&id) {
            self.index.set(id, entry, Membership::default());
            self.changed.push(id);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (InstanceId, &Proc)> {
        self.all.iter().map(|(id, (proc, _))| (*id, proc))
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = InstanceId> {
        self.all.keys().copied()
    }

    /// Returns all of one process type.
    pub(super) fn of_type(&self, process_type: u16) -> impl Iterator<Item = (InstanceId, &Proc)> {
        self.all.range(ids_of_type(process_type)).map(|(id, (proc, _))| (*id, proc))
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Returns those of a kind.
    pub(super) fn of(&mut self, kind: Kind) -> &BTreeSet<InstanceId> {
        self.update();
        &self.index.kinds[kind as usize]
    }

    /// Returns the first of a kind and a process type.
    pub(super) fn first_of_type(&mut self, kind: Kind, process_type: u16) -> Option<InstanceId> {
        self.update();
        self.first(kind, process_type)
    }

    /// Returns how many there are of a kind and a process type. It is that of the last call of [`Self::update`].
    pub(super) fn count(&self, kind: Kind, process_type: u16) -> usize {
        self.index.counts.get(&process_type).map_or(0, |counts| counts[kind as usize])
    }

    /// Returns the first of a kind and a process type. It is that of the last call of [`Self::update`].
    pub(super) fn first(&self, kind: Kind, process_type: u16) -> Option<InstanceId> {
        self.index.kinds[kind as usize].range(ids_of_type(process_type)).next().copied()
    }

    /// Returns a copy of those of a kind and a process type, for a step that changes them.
    pub(super) fn list_of(&mut self, kind: Kind, process_type: u16) -> Vec<InstanceId> {
        self.of(kind).range(ids_of_type(process_type)).copied().collect()
    }

    /// Returns a copy of those of a kind, for a step that changes them.
    pub(super) fn list(&mut self, kind: Kind) -> Vec<InstanceId> {
        self.of(kind).iter().copied().collect()
    }

    /// Returns those whose deadline has passed.
    pub(super) fn due(&mut self, now: Moment) -> Vec<InstanceId> {
        self.update();
        let due = self.index.deadlines.iter().take_while(|(at, _)| *at <= now);
        let mut due: Vec<_> = due.map(|(_, id)| *id).collect();
        due.sort_unstable();
        due
    }

    /// Returns the earliest deadline. It is that of the last call of [`Self::update`].
    pub(super) fn next_deadline(&self) -> Option<Moment> {
        debug_assert!(self.stale.is_empty(), "every event ends with an update");
        self.index.deadlines.first().map(|(at, _)| *at)
    }

    /// Brings the index up to date.
    pub(super) fn update(&mut self) {
        for id in self.stale.drain(..) {
            if let Some((proc, entry)) = self.all.get_mut(&id) {
                let new = Membership::of(proc);
                self.index.set(id, mem::replace(entry, new), new);
            }
            self.changed.push(id);
        }
    }

    /// Lets [`Self::take_changed`] return these, changed or not.
    pub(super) fn look_again_at<'a>(&mut self, ids: impl IntoIterator<Item = &'a InstanceId>) {
        self.changed.extend(ids);
    }

    /// Returns those that have changed since the last call, or were removed.
    pub(super) fn take_changed(&mut self) -> Vec<InstanceId> {
        self.update();
        let mut changed = mem::take(&mut self.changed);
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    /// Returns whether the index says what a look through all instances would.
    #[cfg(test)]
    pub(super) fn is_indexed(&self) -> bool {
        let mut index = Index::default();
        for (id, proc) in self.iter() {
            index.set(id, Membership::default(), Membership::of(proc));
        }
        // A count of zero is as good as none.
        let has_any = |counts: &[usize; Kind::ALL.len()]| counts.iter().any(|count| *count > 0);
        let mut own = self.index.clone();
        own.counts.retain(|_, counts| has_any(counts));
        index == own
    }
}

impl FromIterator<(InstanceId, Proc)> for Instances {
    fn from_iter<T: IntoIterator<Item = (InstanceId, Proc)>>(all: T) -> Self {
        let mut instances = Self::default();
        for (id, proc) in all {
            instances.insert(id, proc);
        }
        instances.update();
        instances
    }
}

fn ids_of_type(process_type: u16) -> std::ops::RangeInclusive<InstanceId> {
    let id = |number| InstanceId { process_type, number };
    id(0)..=id(u16::MAX)
}
