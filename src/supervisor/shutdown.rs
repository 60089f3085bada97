//! How a session ends: the first request stops gracefully, the second kills, and after a limit pm exits.

use super::event::{Action, Message, Why};
use super::kind::Kind;
use super::state::{Phase, State, StopStage};
use super::{ANNOUNCE_AFTER, KILL_LIMIT, Moment, ROOT_GRACE, SAME_REQUEST, Signal, Supervisor};
use crate::app::Reach;

impl Supervisor {
    /// Handles a signal to pm: a shutdown request, a pause (Ctrl-Z), or a signal to forward.
    pub(super) fn signalled(&mut self, signal: Signal, now: Moment) {
        match signal {
            Signal::INT | Signal::TERM | Signal::HUP | Signal::QUIT => {
                self.asked_to_end(signal, now);
            }
            Signal::TSTP => {
                self.forward(signal);
                self.out.push(Action::Pause);
                // The pause is over by now, or did not happen: the instances continue in either case.
                self.forward(Signal::CONT);
            }
            _ => self.forward(signal),
        }
    }

    /// Forwards a signal to all instances, also to those whose start was ordered and not answered yet: their process
    /// exists.
    fn forward(&mut self, signal: Signal) {
        for id in self.procs.list(Kind::Active) {
            for run in self.runs_of(id) {
                let state = self.life(run).state;
                if state.is_active() && !matches!(state, State::Draining { .. }) {
                    self.out.push(Action::Signal(run, signal, Reach::Group));
                }
            }
        }
    }

    /// Handles `pm quit`. A second one changes nothing: only a second signal kills.
    pub(super) fn quit(&mut self, now: Moment) {
        self.asked.get_or_insert(now);
        self.shut_down(Why::Quit, 0, now);
    }

    fn asked_to_end(&mut self, signal: Signal, now: Moment) {
        match self.asked {
            None => {
                self.asked = Some(now);
                match self.phase {
                    Phase::Running => self.shut_down(Why::Asked(signal), 0, now),
                    // It stops already, for another reason. Say at least what it waits for.
                    Phase::Stopping { .. } => self.announce(now),
                    Phase::Killing | Phase::Orphans { .. } | Phase::Over => {}
                }
            }
            Some(at) if now.since(at) < SAME_REQUEST => {}
            Some(_) => match self.phase {
                Phase::Running | Phase::Stopping { .. } => {
                    self.out.push(Action::Say(Message::KillingAll));
                    self.phase = Phase::Killing;
                }
                Phase::Orphans { stage: StopStage::Asked, .. } => {
                    self.stop_orphans(StopStage::Killed, now);
                }
                Phase::Killing | Phase::Orphans { .. } | Phase::Over => {}
            },
        }
    }

    /// Begins the graceful stop. Its reason decides the exit code and the culprit, and overrides a failure that was
    /// recorded earlier under `--exit-on all`.
    pub(super) fn shut_down(&mut self, why: Why, code: i32, now: Moment) {
        if self.phase == Phase::Running {
            self.out.push(Action::Say(Message::Stopping(why)));
            self.phase = Phase::Stopping { announce: now + ANNOUNCE_AFTER };
            self.code = Some(code);
            match why {
                Why::Ended(_) => {}
                Why::Asked(_)
                | Why::Quit
                | Why::OutputLost
                | Why::OwnerEnded { .. }
                | Why::RootRemoved => self.verdict.culprit = None,
            }
            self.root_gone = None;
        }
    }

    /// The root is gone: the session ends in a while.
    pub(super) fn root_removed(&mut self, now: Moment) {
        if self.phase == Phase::Running && self.root_gone.is_none() {
            self.root_gone = Some(now + ROOT_GRACE);
            self.out.push(Action::Say(Message::RootRemoved { left: ROOT_GRACE }));
        }
    }

    /// The root is there again: the session goes on.
    pub(super) fn root_restored(&mut self) {
        if self.root_gone.take().is_some() {
            self.out.push(Action::Say(Message::RootRestored));
        }
    }

    pub(super) fn expire_root(&mut self, now: Moment) {
        if self.root_gone.is_some_and(|at| at <= now) {
            self.shut_down(Why::RootRemoved, 0, now);
        }
    }

    pub(super) fn stop_orphans(&mut self, stage: StopStage, now: Moment) {
        let (signal, patience) = match stage {
            StopStage::Asked => (Signal::TERM, self.longest_grace()),
            StopStage::Killed => (Signal::KILL, KILL_LIMIT),
        };
        self.out.push(Action::StopOrphans(signal));
        // A deadline must be in the future, even with a grace period of 0.
        let patience = patience.max(std::time::Duration::from_millis(1));
        let announce = now + ANNOUNCE_AFTER;
        self.phase = Phase::Orphans { stage, until: now + patience, announce };
    }

    pub(super) fn orphans_gone(&mut self) {
        if let Phase::Orphans { .. } = self.phase {
            self.phase = Phase::Over;
        }
    }

    fn longest_grace(&self) -> std::time::Duration {
        self.app.types.iter().map(|t| t.policy.grace).max().unwrap_or_default()
    }
}
