//! How a session ends: the first request is polite, the second kills, and after a limit pm leaves.

use super::event::{Action, Message, Why};
use super::kind::Kind;
use super::state::{Phase, State, StopStage};
use super::{ANNOUNCE_AFTER, KILL_LIMIT, Moment, SAME_REQUEST, Signal, Supervisor};
use crate::app::Reach;

impl Supervisor {
    /// pm got a signal: the end, a pause, or something for the application.
    pub(super) fn signalled(&mut self, signal: Signal, now: Moment) {
        match signal {
            Signal::INT | Signal::TERM | Signal::HUP | Signal::QUIT => {
                self.asked_to_end(signal, now);
            }
            Signal::TSTP => {
                self.forward(signal);
                self.out.push(Action::Pause);
                // It is over by now, or has not come about: they go on in either case.
                self.forward(Signal::CONT);
            }
            _ => self.forward(signal),
        }
    }

    /// Passes a signal on. A start that is ordered and not yet answered counts: its process is there.
    fn forward(&mut self, signal: Signal) {
        for id in self.procs.list(Kind::Active) {
            let has_ended = matches!(self.proc(id).state, State::Draining { .. });
            if has_ended {
                continue;
            }
            self.out.push(Action::Signal(self.run_of(id), signal, Reach::Group));
        }
    }

    /// The end was asked for over the socket. Asked again, nothing is hastened: only signals do that.
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
                    // It stops already, for another reason: the person sees at least what it waits for.
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

    /// Begins the polite stop. Its reason decides the code and the culprit, also over a failure that
    /// `--exit-on all` had noted while the others went on.
    pub(super) fn shut_down(&mut self, why: Why, code: i32, now: Moment) {
        if self.phase == Phase::Running {
            self.out.push(Action::Say(Message::Stopping(why)));
            self.phase = Phase::Stopping { announce: now + ANNOUNCE_AFTER };
            self.code = Some(code);
            match why {
                Why::Ended(_) => {}
                Why::Asked(_) | Why::Quit | Why::OutputLost => self.verdict.culprit = None,
            }
        }
    }

    pub(super) fn stop_orphans(&mut self, stage: StopStage, now: Moment) {
        let (signal, patience) = match stage {
            StopStage::Asked => (Signal::TERM, self.longest_grace()),
            StopStage::Killed => (Signal::KILL, KILL_LIMIT),
        };
        self.out.push(Action::StopOrphans(signal));
        // A deadline lies in the future, whatever the grace.
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
