//! An instance with two runs: how a replacement starts, takes over, fails, or stands in for the run that it was to replace.

use std::mem;
use std::sync::Arc;

use super::event::{Action, Next, Note};
use super::kind::Kind;
use super::life::{Beside, InstanceRun};
use super::request::Failure;
use super::state::{Cause, Goal, Outcome, Phase};
use super::{InstanceId, Moment, Supervisor};
use crate::app::readiness::{HttpProbe, Probe};
use crate::app::{Exit, Milestone, Role, RunId, Update};

impl Supervisor {
    /// Returns whether instances of a type can be replaced by runs beside them: both have a place where they listen, or
    /// listen on none that pm knows of, and the new one can show that it is ready.
    pub fn can_roll(&self, process_type: u16) -> bool {
        let Some(own) = self.app.types.get(usize::from(process_type)) else { return false };
        let is_on_own_port = |probe: &Probe| match probe {
            Probe::Port(port) => port.is_none(),
            Probe::Http(HttpProbe { authority, .. }) => authority.is_none(),
            Probe::Log(_) | Probe::Command(_) | Probe::Notify | Probe::Delay(_) => false,
        };
        let is_apart = own.policy.ready.is_some() && !own.policy.ready_probes().any(is_on_own_port);
        own.policy.role == Role::Service && (self.has_address(process_type) || is_apart)
    }

    /// Returns whether two runs of an instance of a type can listen at a time.
    pub(super) fn has_address(&self, process_type: u16) -> bool {
        let own = &self.app.types[usize::from(process_type)];
        own.front.is_some() || own.share_port.is_some()
    }

    /// Returns whether an instance is replaced where others are restarted.
    pub(super) fn rolls(&self, id: InstanceId) -> bool {
        self.policy(id).update == Update::Rolling && self.can_roll(id.process_type)
    }

    /// Orders the start of the next replacement.
    pub(super) fn start_replacement(&mut self) {
        let Some(id) = self.procs.of(Kind::Replaceable).first().copied() else { return };
        let born = Arc::clone(&self.app);
        let proc = self.proc(id);
        proc.runs += 1;
        let (seq, slot) = (proc.runs, proc.life.slot.opposite());
        proc.beside = Beside::Coming(Box::new(InstanceRun::starting(seq, slot, born)));
        self.out.push(Action::Spawn(RunId { instance: id, seq }, slot));
    }

    /// A replacement is ready: it is the run that counts from now on, and the other one stops.
    pub(super) fn take_over(&mut self, id: InstanceId, now: Moment) {
        let proc = self.proc(id);
        let Beside::Coming(new) = mem::take(&mut proc.beside) else {
            unreachable!("only a replacement that comes becomes ready beside another run")
        };
        let old = mem::replace(&mut proc.life, *new);
        proc.crashes = 0;
        proc.streak = 0;
        let old_run = RunId { instance: id, seq: old.seq };
        let is_left = old.state.is_active();
        if is_left {
            proc.beside = Beside::Leaving(Box::new(old));
        }
        self.serve(self.run_of(id));
        if is_left {
            self.stop_run(old_run, now);
        }
        self.came_back(id, Milestone::Started);
        self.came_back(id, Milestone::Ready);
    }

    /// The run that counts has ended by itself while its replacement starts, which stands in for it at once.
    pub(super) fn replacement_stands_in(&mut self, id: InstanceId, outcome: Outcome) {
        let proc = self.proc(id);
        let Beside::Coming(new) = mem::take(&mut proc.beside) else {
            unreachable!("the caller has seen it")
        };
        proc.life = *new;
        let is_crash = outcome.cause != Cause::Asked && outcome.is_crash();
        let (exit, next, stays_failed) = (outcome.exit, Next::Replaced, false);
        self.out.push(Action::Note(id, Note::Ended { exit, next, is_crash, stays_failed }));
    }

    /// Takes note of the end of a run beside the one that counts.
    pub(super) fn finish_beside(&mut self, run: RunId, outcome: Outcome) {
        let id = run.instance;
        let proc = self.proc(id);
        let was_coming = proc.beside.is_replacement();
        let was_replaced = run.seq < proc.life.seq;
        proc.beside = Beside::Nobody;
        if proc.goal == Goal::Run {
            proc.grace = None;
        }
        let next = match (was_coming, was_replaced) {
            (true, _) => Next::NotReplaced,
            (false, true) => Next::Replaced,
            (false, false) => Next::Nothing,
        };
        let (exit, is_crash, stays_failed) = (outcome.exit, was_coming, false);
        self.out.push(Action::Note(id, Note::Ended { exit, next, is_crash, stays_failed }));
        match (was_coming, outcome.cause) {
            (true, Cause::NotReady) => self.replacement_failed(id, Failure::ReplacementNotReady),
            (true, _) => self.replacement_failed(id, Failure::ReplacementEnded(exit)),
            (false, _) if exit == Exit::Lost => self.fail_step(id, &Failure::Lost),
            (false, _) => {}
        }
    }

    /// A replacement has failed, and the run that it was to replace goes on. What that was to be replaced for may still
    /// hold: it is found again, later.
    pub(super) fn replacement_failed(&mut self, id: InstanceId, failure: Failure) {
        self.fail_step(id, &failure);
        self.proc(id).life.watch.put_off();
        self.watch_again(id);
    }

    /// Stops the runs that were replaced, and the replacements that nobody wants any more.
    pub(super) fn stop_beside(&mut self, now: Moment) {
        for id in self.procs.list(Kind::Doubled) {
            let goes_on = self.phase == Phase::Running && self.proc(id).goal == Goal::Run;
            let proc = self.proc(id);
            if !goes_on {
                proc.beside.dismiss();
            }
            if let Beside::Leaving(life) = &proc.beside {
                let run = RunId { instance: id, seq: life.seq };
                self.stop_run(run, now);
            }
        }
    }
}
