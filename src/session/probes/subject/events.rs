//! What a run that is probed hears from outside: lines of its output, its commands, addresses, its notifications.

use std::os::fd::OwnedFd;
use std::time::Instant;

use super::{RunStage, Subject};
use crate::app::readiness::Probe;
use crate::session::probes::notify::{self, NotifyMessage};
use crate::session::probes::task::{ProbeAnswer, TaskState, TaskStep};
use crate::session::probes::{LookupAnswer, LookupNumber, ProbeReport, Watched};

impl Subject {
    /// Asks from now on whether it is alive as these words say, and no longer in another way.
    pub(in crate::session::probes) fn live_by(
        &mut self,
        words: Watched,
        now: Instant,
        report: &dyn Fn(ProbeReport),
    ) {
        if let RunStage::Living { task, .. } = &self.stage
            && task.runs_command()
        {
            report(ProbeReport::KillCommand(self.watched.run));
        }
        self.watched.live = words.live;
        self.stage = RunStage::of_life(self.watched.live.as_ref(), now);
    }

    /// Nobody waits any more for it to be ready.
    pub(in crate::session::probes) fn end_start(&mut self) {
        self.starting.clear();
        self.watched.ready = None;
    }

    /// Marks the `log:` probes as done: the output has matched all of their patterns.
    pub(in crate::session::probes) fn line_seen(&mut self) {
        for task in self.starting.iter_mut().filter(|task| matches!(task.probe, Probe::Log(_))) {
            task.state = TaskState::Done;
        }
    }

    pub(in crate::session::probes) fn command_started(&mut self, output: OwnedFd) {
        if let Some(task) = self.tasks().find(|task| task.runs_command()) {
            task.reads(output);
        }
    }

    pub(in crate::session::probes) fn command_ended(
        &mut self,
        outcome: Result<(), String>,
        now: Instant,
        report: &dyn Fn(ProbeReport),
    ) {
        let Some(at) = self.tasks().position(|task| task.runs_command()) else { return };
        let answer = self.tasks().nth(at).map(|task| task.command_ended(outcome));
        if let Some(answer) = answer {
            self.answered(at, answer, now, report);
        }
    }

    /// A command that was to be started cannot be.
    pub(in crate::session::probes) fn cannot_ask(
        &mut self,
        why: String,
        now: Instant,
        report: &dyn Fn(ProbeReport),
    ) {
        let at = self.tasks().position(|task| task.runs_command());
        if let Some(at) = at {
            self.answered(at, ProbeAnswer::NotAsked(why), now, report);
        }
    }

    /// Takes note that the task at a position waits for a lookup.
    pub(super) fn begin_lookup(&mut self, at: usize, now: Instant) -> LookupNumber {
        let number = LookupNumber(self.lookups.0.wrapping_add(1));
        self.lookups = number;
        if let Some(task) = self.tasks().nth(at) {
            task.waits_for(number, now);
        }
        number
    }

    /// Takes what came of a lookup, unless the probe that began it waits for it no more.
    pub(in crate::session::probes) fn looked_up(
        &mut self,
        number: LookupNumber,
        answer: LookupAnswer,
        now: Instant,
        report: &dyn Fn(ProbeReport),
    ) {
        let at = self.tasks().position(|task| task.looks_up(number));
        let Some(at) = at else { return };
        let step = match answer {
            LookupAnswer::Failed(why) => {
                TaskStep::Answered(ProbeAnswer::Failure(format!("failed: {why}")))
            }
            LookupAnswer::NotAsked(why) => TaskStep::Answered(ProbeAnswer::NotAsked(why)),
            LookupAnswer::Found(addresses) => {
                self.tasks().nth(at).map_or(TaskStep::Open, |task| task.request(&addresses, now))
            }
        };
        if let TaskStep::Answered(answer) = step {
            self.answered(at, answer, now, report);
        }
    }

    pub(super) fn read_notices(&mut self, now: Instant, report: &dyn Fn(ProbeReport)) {
        let run = self.watched.run;
        loop {
            let Some(socket) = &self.watched.notify else { return };
            let Some(datagram) = socket.receive(self.watched.leader) else { return };
            for notice in notify::parse(&datagram) {
                match notice {
                    NotifyMessage::Ready => {
                        for task in
                            self.starting.iter_mut().filter(|task| task.probe == Probe::Notify)
                        {
                            task.state = TaskState::Done;
                        }
                        if std::mem::take(&mut self.is_reloading) {
                            report(ProbeReport::Status(run, self.status.clone()));
                        }
                    }
                    NotifyMessage::Status(text) => {
                        self.is_reloading = false;
                        self.status.clone_from(&text);
                        report(ProbeReport::Status(run, text));
                    }
                    NotifyMessage::Extend(time) => report(ProbeReport::Extended(run, time)),
                    NotifyMessage::Watchdog => self.sign_of_life(now, report),
                    NotifyMessage::Reloading => {
                        self.is_reloading = true;
                        report(ProbeReport::Status(run, "reloading".to_owned()));
                    }
                    NotifyMessage::Stopping => {
                        report(ProbeReport::Status(run, "stopping".to_owned()));
                    }
                }
            }
        }
    }

    fn sign_of_life(&mut self, now: Instant, report: &dyn Fn(ProbeReport)) {
        let is_awaited = match &self.stage {
            RunStage::Living { task, .. } => task.probe == Probe::Notify,
            RunStage::Starting | RunStage::Over => false,
        };
        if is_awaited {
            self.answered(self.starting.len(), ProbeAnswer::Success, now, report);
        }
    }
}
