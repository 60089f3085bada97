//! A reload: which instances another application concerns, and what becomes of them.

use std::mem;
use std::sync::Arc;

use super::Supervisor;
use super::life::{Beside, InstanceRun};
use super::pending::{Condition, PendingRequest};
use super::proc::Proc;
use super::rollout::RolloutOrder;
use super::state::{Goal, State};
use crate::app::{App, InstanceId, ProcessType, siblings};

impl Supervisor {
    /// Switches to the new application: restarts instances that it would start differently, removes those of types that
    /// are gone, and adds those of new types.
    pub(super) fn reload(
        &mut self,
        app: Arc<App>,
        gone: &[u16],
        rolling: Option<RolloutOrder>,
        pending: &mut PendingRequest,
    ) {
        let old = Arc::clone(&self.app);
        self.go_by(app);
        self.compare_types(&old);
        let mut rolled = Vec::new();
        for id in self.procs.ids().collect::<Vec<_>>() {
            let is_gone = gone.contains(&id.process_type);
            let proc = self.proc(id);
            let is_other = match (&proc.life.born, proc.life.state.is_active()) {
                (Some(born), true) => Some(born.clone()),
                (Some(_) | None, _) => None,
            };
            if is_gone {
                self.overrule(id);
                self.proc(id).goal = Goal::Leave;
                pending.expect(id, Condition::Gone);
            } else if matches!(self.proc(id).goal, Goal::Run | Goal::Renew)
                && is_other.as_ref().is_some_and(|born| !self.may_go_on(id, born, &old))
            {
                let is_apart = is_other.is_some_and(|born| same_address(&born, &self.app, id));
                let is_asked = rolling.is_some() && self.can_roll(id.process_type);
                if is_apart && (is_asked || self.rolls(id)) {
                    rolled.push(id);
                    continue;
                }
                let condition = self.want_renewed(id);
                pending.expect(id, condition);
            } else {
                self.check_replacement(id, &old);
            }
        }
        self.roll(rolled, rolling.unwrap_or_default(), pending);
        for at in (0_u16..).take(self.app.types.len()) {
            // One that did not run may be what another depends on by now.
            let is_new = old.types.get(usize::from(at)).is_none_or(|own| own.count == 0)
                && self.procs.of_type(at).next().is_none()
                && !self.left.keys().any(|id| id.process_type == at);
            if is_new && !gone.contains(&at) {
                self.scale(at, self.app.types[usize::from(at)].count, pending);
            }
        }
    }

    /// Forgets what was found about a type by words that have changed.
    fn compare_types(&mut self, old: &App) {
        for at in (0_u16..).take(old.types.len()) {
            let [before, after] = [old, &self.app].map(|app| &app.types[usize::from(at)]);
            let has_other_ready = before.policy.ready != after.policy.ready;
            let has_other_watch = before.policy.watch != after.policy.watch;
            let is_moved = before.share_port != after.share_port;
            if has_other_ready {
                self.forget_search(at);
            }
            if has_other_watch {
                self.resume_watch(at);
            }
            if is_moved {
                self.moving.insert(at);
            }
        }
    }

    /// A replacement that was started in another way than it would be by now is not wanted: it is started anew.
    fn check_replacement(&mut self, id: InstanceId, old: &App) {
        let Some(Beside::Coming(life)) = self.procs.get(id).map(|proc| &proc.beside) else {
            return;
        };
        let is_same = life.born.as_ref().is_some_and(|born| {
            let [before, after] = [old, &self.app].map(|app| &app.type_of(id).policy);
            same_start(born, &self.app, id) && before.ready == after.ready
        });
        if !is_same {
            self.begin_again(id);
        }
    }

    /// Forgets the types whose runs from before a reload have all given up the port that they share, or that one of them
    /// had.
    pub(super) fn settle_moves(&mut self) {
        let mut moving = mem::take(&mut self.moving);
        moving.retain(|at| self.procs.of_type(*at).any(|(id, proc)| self.holds_place(id, proc)));
        self.moving = moving;
    }

    /// Returns whether a run of an instance is about to end that listens elsewhere than it would by now.
    fn holds_place(&self, id: InstanceId, proc: &Proc) -> bool {
        let own = self.app.type_of(id);
        let is_from_before = |life: &InstanceRun| {
            let born =
                life.born.as_ref().and_then(|app| app.types.get(usize::from(id.process_type)));
            life.state.is_active() && born.is_some_and(|born| born.share_port != own.share_port)
        };
        let goes_on =
            proc.goal == Goal::Run && matches!(proc.life.state, State::Spawning | State::Up { .. });
        !goes_on && is_from_before(&proc.life) || proc.beside.life().is_some_and(is_from_before)
    }

    /// Returns whether an instance that was started by the words of `born`, and lived by those of `old`, may go on by
    /// those of now.
    fn may_go_on(&mut self, id: InstanceId, born: &App, old: &App) -> bool {
        same_start(born, &self.app, id) && self.takes_readiness(id, &old.type_of(id).policy)
    }
}

/// Returns whether two runs of an instance, one of each application, do not listen at the same place.
fn same_address(old: &App, new: &App, id: InstanceId) -> bool {
    let of = |app: &App| {
        let own = app.type_of(id);
        (own.front.is_some(), own.share_port.clone())
    };
    of(old) == of(new)
}

/// Returns whether both applications would start an instance in the same way.
pub(super) fn same_start(old: &App, new: &App, id: InstanceId) -> bool {
    let (a, b) = (old.type_of(id), new.type_of(id));
    let texts = |app: &App| -> Vec<_> {
        let all = app.environment_of(id);
        // A type that is new is no reason to start the others again.
        let all = all.iter().filter(|(_, value)| !siblings::is_of_session(&value.source));
        all.map(|(key, value)| (key.clone(), value.text.clone())).collect()
    };
    let outside =
        |own: &ProcessType| (own.directory.clone(), own.limits, own.stdio, own.share_port.clone());
    a.command == b.command && outside(a) == outside(b) && texts(old) == texts(new)
}
