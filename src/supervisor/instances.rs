//! All instances, and an index of them by kind and by deadline.
//!
//! Most instances of a large application are idle, and the cost of an event must not grow with their number. So no step
//! iterates over all instances: it asks for those of a [`Kind`], or for the earliest deadline. The index cannot be
//! forgotten: instances change through [`Instances::get_mut`] only, which marks them as stale, and every query first
//! updates the index for the stale ones.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use super::kind::{Kind, Kinds};
use super::proc::Proc;
use crate::app::{InstanceId, Moment};

/// The entries of one instance in the index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Membership {
    kinds: Kinds,
    deadline: Option<Moment>,
}

impl Membership {
    fn of(proc: &Proc) -> Self {
        Self { kinds: Kinds::of(proc), deadline: proc.deadline() }
    }
}

/// Sets of instances by kind, and by deadline.
#[derive(Clone, Debug, Default, PartialEq)]
struct Index {
    kinds: [BTreeSet<InstanceId>; Kind::ALL.len()],
    /// Number of instances of each kind, per process type; a missing type has none.
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
    /// Instances that may have changed since the last [`Self::update`].
    stale: Vec<InstanceId>,
    /// Instances that may have changed since the last [`Self::take_changed`].
    changed: Vec<InstanceId>,
}

impl Instances {
    pub(super) fn get(&self, id: InstanceId) -> Option<&Proc> {
        self.all.get(&id).map(|(proc, _)| proc)
    }

    /// Returns an instance to be changed, and marks it as stale.
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

    /// Returns the number of instances of a kind and a process type, as of the last [`Self::update`].
    pub(super) fn count(&self, kind: Kind, process_type: u16) -> usize {
        self.index.counts.get(&process_type).map_or(0, |counts| counts[kind as usize])
    }

    /// Returns the first of a kind and a process type, as of the last [`Self::update`].
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

    /// Returns the earliest deadline, as of the last [`Self::update`].
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

    /// Makes the next [`Self::take_changed`] return these, changed or not.
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

    /// Returns whether the index equals one that is made anew from all instances.
    #[cfg(test)]
    pub(super) fn is_indexed(&self) -> bool {
        let mut index = Index::default();
        for (id, proc) in self.iter() {
            index.set(id, Membership::default(), Membership::of(proc));
        }
        // A count of zero equals a missing one.
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
