//! All runs that are probed. Time is a parameter; the only I/O is on sockets, and never blocks.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use nix::poll::PollFlags;
use nix::unistd::Pid;

use super::subject::Subject;
use super::{HostLookup, ProbeOrder, ProbeReport};
use crate::app::RunId;
use crate::os::listeners::{InstancePorts, Listeners};

/// If the thread wakes up later than this, pm was stopped meanwhile.
const LATE: Duration = Duration::from_millis(500);

/// One look at the ports of the machine for all that want it in one round. A part is looked at when the first wants it.
#[derive(Debug, Default)]
pub(super) struct PortLook {
    listeners: Option<Listeners>,
    instances: Option<InstancePorts>,
}

impl PortLook {
    /// Who listens.
    pub(super) fn listeners(&mut self) -> &Listeners {
        self.listeners.get_or_insert_with(Listeners::read)
    }

    /// Which sockets the instances of this session have.
    pub(super) fn instances(&mut self) -> &InstancePorts {
        self.instances.get_or_insert_with(|| InstancePorts::look(Pid::this()))
    }
}

/// All runs that are probed.
#[derive(Debug, Default)]
pub(super) struct Prober {
    subjects: Vec<Subject>,
}

impl Prober {
    pub(super) fn is_empty(&self) -> bool {
        self.subjects.is_empty()
    }

    fn subject(&mut self, run: RunId) -> Option<&mut Subject> {
        self.subjects.iter_mut().find(|subject| subject.watched.run == run)
    }

    /// Carries out an order of the session. It is ignored if the run is no longer probed.
    pub(super) fn take(&mut self, order: ProbeOrder, now: Instant, report: &dyn Fn(ProbeReport)) {
        let run = match order {
            ProbeOrder::Begin(watched) => {
                let run = watched.run;
                self.subjects.push(Subject::new(*watched, now));
                run
            }
            ProbeOrder::Live(watched) => {
                let run = watched.run;
                match self.subject(run) {
                    Some(subject) => subject.live_by(*watched, now, report),
                    None => self.subjects.push(Subject::new(*watched, now)),
                }
                run
            }
            ProbeOrder::EndStart(run) => self.with(run, Subject::end_start),
            ProbeOrder::End(run) => {
                return self.subjects.retain(|subject| subject.watched.run != run);
            }
            ProbeOrder::Suspend(run, is_suspended) => {
                self.with(run, |subject| subject.suspend(is_suspended, now, report))
            }
            ProbeOrder::LineSeen(run) => self.with(run, Subject::line_seen),
            ProbeOrder::CommandStarted(run, output) => {
                self.with(run, |subject| subject.command_started(output))
            }
            ProbeOrder::CommandEnded(run, outcome) => {
                self.with(run, |subject| subject.command_ended(outcome, now, report))
            }
            ProbeOrder::CannotAsk(run, why) => {
                self.with(run, |subject| subject.cannot_ask(why, now, report))
            }
            ProbeOrder::LookedUp(run, number, answer) => {
                self.with(run, |subject| subject.looked_up(number, answer, now, report))
            }
        };
        if let Some(subject) = self.subject(run) {
            subject.settle(now, report);
        }
        self.forget_finished();
    }

    fn with(&mut self, run: RunId, act: impl FnOnce(&mut Subject)) -> RunId {
        self.subject(run).map(act);
        run
    }

    /// Begins what is due, and ends what has taken too long.
    pub(super) fn ask(
        &mut self,
        now: Instant,
        report: &dyn Fn(ProbeReport),
        look_up: &dyn Fn(HostLookup),
    ) {
        let mut look = PortLook::default();
        for subject in &mut self.subjects {
            subject.ask(now, &mut look, report, look_up);
        }
        self.forget_finished();
    }

    /// Returns the descriptors to wait for.
    pub(super) fn interests(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        self.subjects.iter().flat_map(Subject::interests)
    }

    /// Goes on with the descriptors that are ready, in the order of [`Self::interests`].
    pub(super) fn advance(&mut self, ready: &[bool], now: Instant, report: &dyn Fn(ProbeReport)) {
        let mut ready = ready.iter().copied();
        for subject in &mut self.subjects {
            subject.advance(&mut ready, now, report);
        }
        self.forget_finished();
    }

    /// Returns when something is due.
    pub(super) fn deadline(&mut self) -> Option<Instant> {
        self.subjects.iter_mut().filter_map(Subject::deadline).min()
    }

    /// Takes how late the last wait ended. What was under way is not to fail for pm's own absence (Ctrl-Z).
    pub(super) fn put_off(&mut self, late: Duration) {
        if late > LATE {
            self.subjects.iter_mut().for_each(|subject| subject.put_off(late));
        }
    }

    fn forget_finished(&mut self) {
        self.subjects.retain(|subject| !subject.is_over());
    }
}
