//! The loop's work with probes: it begins and ends them, starts their commands, and turns their results into events.

use std::time::Duration;

use super::SessionLoop;
use crate::app::readiness::Probe;
use crate::app::{Exit, Moment, Reach, RunId, Signal};
use crate::os::children::ChildEvent;
use crate::os::notify_socket;
use crate::output::{About, PumpCommand};
use crate::session::messages;
use crate::session::probes::{ProbeOrder, ProbeReport};
use crate::supervisor::Event;

/// Marks the run of a probe command: no instance is started that often.
const PROBE: u32 = 1 << 31;

/// If pm comes so late to a deadline, it was stopped: a machine that is busy delays it by less.
const STOPPED: Duration = Duration::from_secs(1);
/// An answer takes no longer: a command has 5 s, and is killed then.
const LONGEST_ANSWER: Duration = Duration::from_secs(6);

/// Returns the run of the probe command for this run.
fn command_of(run: RunId) -> RunId {
    RunId { seq: run.seq | PROBE, ..run }
}

/// Returns `Some` if an event is about a probe command; if the command has ended, with the run that it probed.
pub(super) fn probe_of(event: ChildEvent) -> Option<Option<(RunId, Exit)>> {
    let asks = |run: RunId| run.seq & PROBE != 0;
    match event {
        ChildEvent::Exited { run, exit, .. } if asks(run) => {
            Some(Some((RunId { seq: run.seq & !PROBE, ..run }, exit)))
        }
        ChildEvent::GroupGone(run) | ChildEvent::ProgramEnded(run) if asks(run) => Some(None),
        ChildEvent::Exited { .. }
        | ChildEvent::GroupGone(_)
        | ChildEvent::ProgramEnded(_)
        | ChildEvent::OrphansGone => None,
    }
}

impl SessionLoop {
    /// Begins the probes of a run.
    pub(super) fn probe(&mut self, run: RunId) {
        let policy = &self.app.type_of(run.instance).policy;
        let probes = policy.ready_probes();
        let patterns: Vec<_> = probes
            .filter_map(|probe| match probe {
                Probe::Log(pattern) => Some(pattern.clone()),
                _ => None,
            })
            .collect();
        if !patterns.is_empty() {
            self.post(PumpCommand::Expect(run, patterns));
        }
        let Some(leader) = self.children.leader(run) else { return };
        if let Err(error) = self.readiness.begin(&self.app, run, leader) {
            self.say_cannot_ask(run, "ready", &error.to_string());
        }
    }

    /// Begins to look whether a run listens on its port, and then whether it is alive.
    pub(super) fn probe_port(&mut self, run: RunId) {
        let Some(leader) = self.children.leader(run) else { return };
        if let Err(error) = self.readiness.begin_port(&self.app, run, leader) {
            self.say_cannot_ask(run, "ready", &error.to_string());
        }
    }

    /// Begins the `live` probe of a run that is ready.
    pub(super) fn watch(&mut self, run: RunId) {
        let Some(leader) = self.children.leader(run) else { return };
        if let Err(error) = self.readiness.begin_living(&self.app, run, leader) {
            self.say_cannot_ask(run, "alive", &error.to_string());
        }
    }

    /// Begins the probes for a type that this session does not start.
    pub(super) fn probe_outside(&mut self, process_type: u16) {
        if let Err(error) = self.readiness.begin_outside(&self.app, process_type) {
            let run = crate::session::readiness::outside(process_type);
            self.say_cannot_ask(run, "ready", &error.to_string());
        }
    }

    fn say_cannot_ask(&mut self, run: RunId, what: &str, error: &str) {
        let text = format!("cannot ask whether it is {what}: {error}");
        let speaker = About::Instance(run.instance);
        self.say(messages::say(speaker, "no-probe", text, serde_json::Value::Null).failed());
        self.pump.wake();
    }

    /// Ends the probes of a run, and kills its probe command.
    pub(super) fn end_probe(&mut self, run: RunId) {
        self.readiness.end(run);
        self.children.signal(command_of(run), Signal::KILL, Reach::Group);
    }

    /// Handles a result of the probes, and returns the event that follows from it.
    pub(super) fn take_report(&mut self, report: ProbeReport) -> Option<Event> {
        if !self.readiness.is_asked(report.run()) {
            return None;
        }
        match report {
            ProbeReport::Ready(run) if run.seq == 0 => {
                Some(Event::FoundOutside { process_type: run.instance.process_type })
            }
            ProbeReport::Ready(run) => {
                let detail = self.readiness.detail(run);
                (detail.probe, detail.answer) = (None, None);
                self.sockets.ready(&self.app, run, self.clock.now());
                Some(Event::BecameReady { run })
            }
            ProbeReport::Answer { run, probe, text } => {
                let detail = self.readiness.detail(run);
                detail.probe = Some(probe);
                detail.answer = Some(text).filter(|text| !text.is_empty());
                None
            }
            ProbeReport::Held { run, text } => {
                let speaker = About::Instance(run.instance);
                let facts = serde_json::json!({});
                self.say(messages::say(speaker, "port-held", text, facts).failed());
                // No event follows that would wake the pump.
                self.pump.wake();
                None
            }
            ProbeReport::Extended(run, time) => Some(Event::ReadyExtended { run, time }),
            ProbeReport::Status(run, text) => {
                // As with systemd, an empty status removes the last one.
                self.readiness.detail(run).status = Some(text).filter(|text| !text.is_empty());
                None
            }
            ProbeReport::NotAlive(run, why) => Some(Event::NotAlive { run, why }),
            ProbeReport::CannotAsk { run, is_ready, text } => {
                let what = if is_ready { "alive" } else { "ready" };
                self.say_cannot_ask(run, what, &text);
                None
            }
            ProbeReport::StartCommand(run, text) => {
                self.start_probe_command(run, &text);
                None
            }
            ProbeReport::KillCommand(run) => {
                self.children.signal(command_of(run), Signal::KILL, Reach::Group);
                None
            }
        }
    }

    /// Returns whether pm was kept from running until much later than a deadline, which lies ahead again. Where it was
    /// stopped, nobody was asked meanwhile: what is starting is asked once more before it is too late for it.
    pub(super) fn overslept(&mut self, due: Moment) -> bool {
        let was_stopped = self.clock.now().since(due) >= STOPPED;
        let is_late = self.clock.overslept(due);
        if is_late && was_stopped {
            let more_time = |run| Event::ReadyExtended { run, time: LONGEST_ANSWER };
            self.queue.extend(self.readiness.runs().map(more_time));
        }
        is_late
    }

    /// Tells pm's own service manager that everything is ready.
    pub(super) fn tell_own_manager(&mut self) {
        let Some(socket) = self.own_manager.take() else { return };
        if let Err(error) = notify_socket::send(&socket, b"READY=1") {
            let text = format!(
                "cannot say READY=1 to NOTIFY_SOCKET `{}`: {error}",
                socket.to_string_lossy()
            );
            let said = messages::say(About::Session, "no-notify", text, serde_json::Value::Null);
            self.say(said.failed());
        }
    }

    /// Suspends or resumes the `live` probe of a run: an attached client may hold it in a debugger.
    pub(super) fn suspend_probe(&self, run: RunId, is_suspended: bool) {
        if self.app.type_of(run.instance).policy.live.is_some() {
            self.readiness.post(ProbeOrder::Suspend(run, is_suspended));
        }
    }

    fn start_probe_command(&mut self, run: RunId, text: &str) {
        if self.children.leader(command_of(run)).is_some() {
            let why = "the command before it does not end".to_owned();
            return self.readiness.post(ProbeOrder::CannotAsk(run, why));
        }
        self.make_room(0);
        let port = self.port_variable(run);
        let children = &mut self.children;
        let announce = |pipes| children.expect(pipes);
        match self.spawner.start_probe(&self.app, run.instance, (text, port.as_slice()), announce) {
            Ok((pid, output)) => {
                self.children.add_command(command_of(run), pid);
                self.readiness.post(ProbeOrder::CommandStarted(run, output));
            }
            Err(error) => {
                self.children.expect_no_more();
                self.readiness.post(ProbeOrder::CannotAsk(run, error));
            }
        }
    }

    /// Handles the end of a probe command, and kills what it has left.
    pub(super) fn probe_command_ended(&mut self, run: RunId, exit: Exit) {
        self.children.sweep(command_of(run));
        let outcome = if exit.is_success() { Ok(()) } else { Err(exit.to_string()) };
        self.readiness.post(ProbeOrder::CommandEnded(run, outcome));
    }
}
