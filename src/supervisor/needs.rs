//! Which process types may start: whether their dependencies are met, may be met later, or never can be.
//!
//! All instances of a type have the same `depends-on`. So this is computed per type, from the counts of the index: a
//! thousand dependents cost no more than one.

use super::event::{Action, Message, Note, Waiting};
use super::kind::Kind;
use super::proc::Told;
use super::readiness::OutsideSearch;
use super::state::{Goal, Phase, State};
use super::{EXPLAIN_AFTER, EXPLAIN_EVERY, InstanceId, Moment, Supervisor};
use crate::app::{App, Dependency, Milestone, OnDependencyRestart, dependencies};

/// The dependencies of an application, in both directions. They contain no cycle: the configuration was checked.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    /// Positions of the types, each behind those that it depends on; empty where none depends on any.
    order: Vec<u16>,
    /// Who depends on each type directly.
    dependents: Vec<Vec<u16>>,
}

/// Whether the instances of a type may start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    /// All dependencies are met.
    #[default]
    Free,
    /// This instance has not reached its milestone yet.
    Waits(InstanceId),
    /// This instance was stopped by request, and comes back only when it is asked for.
    Held(InstanceId),
    /// This instance has ended for good, so the dependency will never be met.
    Blocked(InstanceId),
}

/// A start that is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SlowStart {
    since: Moment,
    /// When pm next says what it waits for.
    pub(super) at: Moment,
}

/// What is known of a type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TypeStanding {
    standing: Standing,
    /// How many of its instances are to be started.
    startable: usize,
}

impl Graph {
    pub(super) fn of(app: &App) -> Self {
        let needs = app.dependencies();
        let mut dependents = vec![Vec::new(); needs.len()];
        for (own, at) in needs.iter().zip(0_u16..) {
            for need in *own {
                dependents[usize::from(need.process_type)].push(at);
            }
        }
        let mut order: Vec<u16> = Vec::new();
        if needs.iter().any(|own| !own.is_empty()) {
            let levels = dependencies::levels(&needs);
            order = (0_u16..).take(needs.len()).collect();
            order.sort_by_key(|at| levels[usize::from(*at)]);
        }
        Self { order, dependents }
    }

    /// Returns whether no type depends on any.
    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Returns the types that depend on one directly.
    pub(super) fn dependents_of(&self, process_type: u16) -> &[u16] {
        self.dependents.get(usize::from(process_type)).map_or(&[], Vec::as_slice)
    }
}

impl Supervisor {
    /// Returns whether the instances of a type may start.
    pub(super) fn standing_of(&self, process_type: u16) -> Standing {
        self.known.get(usize::from(process_type)).map_or(Standing::Free, |known| known.standing)
    }

    /// Recomputes which types may start, and reports those that must wait and those that never will.
    pub(super) fn weigh_needs(&mut self) {
        if self.phase != Phase::Running {
            return;
        }
        self.procs.update();
        self.look_outside();
        if self.graph.is_empty() {
            return;
        }
        self.known.resize(self.app.types.len(), TypeStanding::default());
        for position in 0..self.graph.order.len() {
            let at = self.graph.order[position];
            let needs = &self.app.types[usize::from(at)].policy.depends_on;
            let standings = needs.iter().map(|need| self.standing(*need));
            // A dependency that will never be met takes precedence over one that may be met later.
            let standing = standings.max_by_key(|standing| match standing {
                Standing::Free => 0,
                Standing::Waits(_) => 1,
                Standing::Held(_) => 2,
                Standing::Blocked(_) => 3,
            });
            let standing = standing.unwrap_or_default();
            let known = TypeStanding { standing, startable: self.procs.count(Kind::Startable, at) };
            if std::mem::replace(&mut self.known[usize::from(at)], known) != known {
                self.tell_standing(at, standing);
            }
        }
    }

    /// Returns one instance of each dependency of a type that is not met.
    pub(super) fn all_awaited(&self, process_type: u16) -> Vec<InstanceId> {
        let mut all = Vec::new();
        for need in &self.app.types[usize::from(process_type)].policy.depends_on {
            match self.standing(*need) {
                Standing::Waits(on) | Standing::Held(on) | Standing::Blocked(on)
                    if !all.contains(&on) =>
                {
                    all.push(on);
                }
                Standing::Free | Standing::Waits(_) | Standing::Held(_) | Standing::Blocked(_) => {}
            }
        }
        all
    }

    /// Returns whether a dependency is met.
    fn standing(&self, need: Dependency) -> Standing {
        let process_type = need.process_type;
        let count = |kind| match need.number {
            None => self.procs.count(kind, process_type),
            Some(number) => {
                let id = InstanceId { process_type, number };
                usize::from(self.procs.get(id).is_some_and(|proc| kind.is_of(proc)))
            }
        };
        let first = |kind| match need.number {
            None => self.procs.first(kind, process_type),
            Some(number) => Some(InstanceId { process_type, number }).filter(|_| count(kind) > 0),
        };
        let reached = match need.milestone {
            Milestone::Started => Kind::Begun,
            Milestone::Ready => Kind::Serving,
            Milestone::Done => Kind::Succeeded,
        };
        let wanted = count(Kind::Wanted);
        if wanted == 0 {
            // This session does not start it. Without a probe that can ask it, it counts as met.
            let number = need.number.unwrap_or(1);
            return match self.outside.get(&process_type) {
                Some(OutsideSearch::Begun) => Standing::Waits(InstanceId { process_type, number }),
                Some(OutsideSearch::Found) | None => Standing::Free,
            };
        }
        if count(reached) == wanted {
            return Standing::Free;
        }
        let over = match need.milestone {
            // It has ended well, and will not become ready.
            Milestone::Ready => first(Kind::Failed).or_else(|| first(Kind::Succeeded)),
            Milestone::Started | Milestone::Done => first(Kind::Failed),
        };
        if let Some(id) = over {
            return Standing::Blocked(id);
        }
        if let Some(id) = first(Kind::Stopped) {
            return Standing::Held(id);
        }
        // It may itself be blocked by what it depends on.
        if count(Kind::Startable) > 0 {
            match self.standing_of(process_type) {
                Standing::Blocked(id) => return Standing::Blocked(id),
                Standing::Held(id) => return Standing::Held(id),
                Standing::Free | Standing::Waits(_) => {}
            }
        }
        let missing = self
            .procs
            .of_type(process_type)
            .find(|(id, proc)| need.concerns(*id) && !reached.is_of(proc));
        missing.map_or(Standing::Free, |(id, _)| Standing::Waits(id))
    }

    /// Reports once each instance that waits, and each that will never be started.
    fn tell_standing(&mut self, process_type: u16, standing: Standing) {
        let (told, on) = match standing {
            Standing::Free => return,
            Standing::Waits(on) | Standing::Held(on) => (Told::Waiting, on),
            Standing::Blocked(on) => (Told::Blocked, on),
        };
        let ids = self.procs.list_of(Kind::Startable, process_type);
        // A request that waits for one of these may have failed now.
        self.procs.look_again_at(&ids);
        for id in ids {
            if self.proc(id).told < told {
                self.proc(id).told = told;
                let note = match self.procs.get(on).map(|proc| proc.life.state) {
                    Some(State::Ended(exit)) if told == Told::Blocked => {
                        Note::Blocked { by: on, exit }
                    }
                    _ => Note::Waiting { on },
                };
                self.out.push(Action::Note(id, note));
            }
        }
    }

    /// Handles an instance that has reached a milestone again after a restart: restarts its dependents that have
    /// `on-dependency-restart = "restart"`, when it is the last that they need.
    pub(super) fn came_back(&mut self, id: InstanceId, milestone: Milestone) {
        if self.phase != Phase::Running || self.proc(id).life.seq < 2 {
            return;
        }
        self.procs.update();
        for at in self.graph.dependents_of(id.process_type).to_vec() {
            let policy = &self.app.types[usize::from(at)].policy;
            let follows = policy.on_dependency_restart == OnDependencyRestart::Restart
                && policy
                    .depends_on
                    .iter()
                    .filter(|need| need.milestone == milestone && need.concerns(id))
                    .any(|need| self.standing(*need) == Standing::Free);
            if follows {
                for dependent in self.procs.list_of(Kind::Up, at) {
                    if self.proc(dependent).goal == Goal::Run {
                        if self.rolls(dependent) {
                            self.roll_by_itself(dependent);
                        } else {
                            self.overrule(dependent);
                            self.proc(dependent).goal = Goal::Renew;
                        }
                        self.out.push(Action::Note(dependent, Note::Follows { on: id }));
                    }
                }
            }
        }
    }

    /// Returns the number of instances that wait to be started and never will be.
    pub(super) fn blocked(&self) -> usize {
        let blocked =
            self.known.iter().filter(|known| matches!(known.standing, Standing::Blocked(_)));
        blocked.map(|known| known.startable).sum()
    }

    /// Returns for each type whether something that depends on it, directly or indirectly, still runs. Dependents are
    /// stopped first when the session ends.
    pub(super) fn held_back(&mut self) -> Vec<bool> {
        self.procs.update();
        let mut is_busy = vec![false; self.app.types.len()];
        let mut is_held = is_busy.clone();
        for at in self.graph.order.iter().rev() {
            let dependents = self.graph.dependents_of(*at);
            let has_busy = dependents.iter().any(|dependent| is_busy[usize::from(*dependent)]);
            is_held[usize::from(*at)] = has_busy;
            is_busy[usize::from(*at)] = has_busy || self.procs.count(Kind::Active, *at) > 0;
        }
        is_held
    }

    /// Sets the time at which pm next says what a slow start waits for.
    pub(super) fn watch_start(&mut self, now: Moment) {
        let waits = |known: &TypeStanding| {
            matches!(known.standing, Standing::Waits(_)) && known.startable > 0
        };
        let is_going_on = self.phase == Phase::Running
            && (self.known.iter().any(waits) || !self.procs.of(Kind::Unready).is_empty());
        self.slow = match self.slow {
            _ if !is_going_on => None,
            None => Some(SlowStart { since: now, at: now + EXPLAIN_AFTER }),
            slow => slow,
        };
    }

    /// Says what a start that takes long waits for.
    pub(super) fn expire_start(&mut self, now: Moment) {
        let Some(SlowStart { since, at }) = self.slow else { return };
        if at > now {
            return;
        }
        self.slow = Some(SlowStart { since, at: now + EXPLAIN_EVERY });
        let mut waiting = Vec::new();
        for (known, at) in self.known.iter().zip(0_u16..) {
            let Standing::Waits(on) = known.standing else { continue };
            let first = self.procs.first(Kind::Startable, at);
            waiting.extend(first.map(|first| Waiting { first, count: known.startable, on }));
        }
        let is_waited_for = |id: &InstanceId| waiting.iter().any(|waiting| waiting.on == *id);
        let unready = self.procs.list(Kind::Unready);
        let unready = unready.into_iter().filter(|id| !is_waited_for(id)).collect();
        self.out.push(Action::Say(Message::SlowStart { waiting, unready, time: now.since(since) }));
    }
}
