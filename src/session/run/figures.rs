//! What instances use: samples for their budgets, and for who asks.

use super::{Input, SessionLoop};
use crate::control::outbox::Outbox;
use crate::control::proto::{FiguresQuery, Response};
use crate::os::usage::UsageRoot;
use crate::session::figures::FiguresSample;
use crate::supervisor::{Event, Sample, Supervisor};

impl SessionLoop {
    /// Looks at what every run uses; [`Self::show_figures`] answers.
    pub(super) fn look_at_figures(&mut self, query: FiguresQuery, outbox: Outbox) {
        let mut helpers = self.children.helpers();
        let one = |(run, leader): (crate::app::RunId, nix::unistd::Pid)| {
            let leader = leader.as_raw();
            let helpers = helpers.remove(&leader).unwrap_or_default();
            (run, UsageRoot { leader, helpers, group: self.budgets.group_of(run) })
        };
        let roots = self.children.runs().map(one).collect();
        let sender = self.looks.clone();
        // After the end of the session nobody takes it.
        let tell = move |sample| drop(sender.send(Input::Figures(sample)));
        self.figures.look(roots, (query, outbox), tell);
    }

    /// Takes samples of runs with a memory budget.
    pub(super) fn measure(&mut self, samples: &[Sample]) {
        let helpers = self.children.helpers();
        let now = self.clock.now();
        for (run, usage, cpu) in self.budgets.measure(samples, &helpers) {
            self.figures.budgeted(run, usage, cpu, now);
            self.queue.push_back(Event::Measured { run, bytes: usage.bytes });
        }
    }

    /// Answers who has asked for a look.
    pub(super) fn show_figures(&mut self, sample: FiguresSample, core: &Supervisor) {
        let report = self.report(core);
        let context = (&*self.app, self.clock.now());
        let (report, outbox) = self.figures.complete(report, core.instances(), sample, context);
        outbox.respond(Response::Status(Box::new(report)));
    }
}
