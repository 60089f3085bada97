//! The loop's work with children: starts them, handles their ends, and replaces the watchdog.

use std::ffi::OsString;

use super::{SessionLoop, source};
use crate::app::{PortSlot, Reach, RunId, Signal, Stdio};
use crate::os::limits::RunCounts;
use crate::os::spawn::Handed;
use crate::os::watchdog;
use crate::output::{About, PumpCommand};
use crate::session::messages;
use crate::session::run::readiness::probe_of;
use crate::session::shared_sockets::SharedSockets;
use crate::supervisor::Event;

impl SessionLoop {
    /// Starts the command of a run.
    pub(super) fn spawn(&mut self, run: RunId, slot: PortSlot) {
        self.open_front(run);
        self.ports.started(&self.app, run, slot);
        if let Some(port) = self.ports.of_run(run) {
            self.readiness.has_port(run, port);
        }
        self.post(PumpCommand::AddSource(source(&self.app, run.instance)));
        self.make_room(match self.app.type_of(run.instance).stdio {
            Stdio::Pipes => 0,
            Stdio::Terminal => 1,
        });
        let extra = match self.readiness.prepare(&self.app, run) {
            Ok(extra) => extra,
            Err(error) => return self.cannot_start(run, error),
        };
        let mut variables = extra;
        variables.extend(self.port_variable(run));
        variables.extend(SharedSockets::variables(&self.app, run.instance));
        let socket = match self.sockets.of(&self.app, run.instance) {
            Ok(socket) => socket,
            Err(error) => {
                return self.cannot_start(run, format!("cannot start: {}", error.reason()));
            }
        };
        if let Some(socket) = socket {
            self.readiness.has_socket(run, socket.inode());
        }
        let handed = Handed { variables: &variables, socket };
        let group = self.budgets.enter(&self.app, run);
        let children = &mut self.children;
        let announce = |pipes| children.expect(pipes);
        match self.spawner.start(&self.app, run.instance, group, handed, announce) {
            Ok(started) => {
                self.sockets.started(&self.app, run, self.clock.now());
                self.budgets.started(run, started.pid);
                if let Some(count) = self.figures.began(run, started.pid.as_raw()) {
                    self.post(PumpCommand::Count(run.instance, count));
                }
                if !self.children.add(&self.app, run, started.pid, started.stdin) {
                    self.say_unguarded("the watchdog has no room for more instances");
                }
                if let Some(terminal) = started.terminal {
                    self.terminals.insert(run, terminal.into());
                }
                self.unread.push((run, started.output));
                self.queue.push_back(Event::Spawned { run, pid: started.pid.as_raw() });
            }
            Err(error) => {
                self.children.expect_no_more();
                self.cannot_start(run, error);
            }
        }
    }

    /// Forgets a run that could not be started, and says so.
    fn cannot_start(&mut self, run: RunId, error: String) {
        self.readiness.forget(run);
        self.ports.forget(run);
        self.queue.push_back(Event::SpawnFailed { run, error });
    }

    /// Sends a signal to processes of a run.
    pub(super) fn signal(&mut self, run: RunId, signal: Signal, reach: Reach) {
        match signal {
            // A group that is alone in its session is orphaned, and ignores SIGTSTP (POSIX).
            Signal::TSTP if self.terminals.contains_key(&run) => {
                self.children.signal(run, Signal(nix::libc::SIGSTOP), reach);
            }
            signal => {
                if signal == Signal::KILL {
                    self.fronts.cut(run);
                }
                // What it is to close now is no longer missed.
                self.sockets.forget(run);
                self.children.signal(run, signal, reach);
            }
        }
    }

    /// Asks what has left the groups of runs to stop.
    pub(super) fn stop_orphans(&mut self, signal: Signal) {
        let (queue, budgets) = (&mut self.queue, &self.budgets);
        // Events of probe commands do not matter any more.
        self.children.stop_orphans(signal, |event| {
            queue.extend(probe_of(event).is_none().then(|| budgets.event(event)));
        });
    }

    /// Returns PORT of a run, where it is not the usual one of its instance.
    pub(super) fn port_variable(&self, run: RunId) -> Option<(&'static str, OsString)> {
        let port = self.ports.of_run(run)?;
        let is_usual = self.app.port_of(run.instance) == Some(port);
        (!is_usual).then(|| ("PORT", port.to_string().into()))
    }

    /// Reserves descriptors for one more child, and for this many more terminals; clients get what is left.
    pub(super) fn make_room(&mut self, terminals: usize) {
        self.spawner.make_room_for(&RunCounts {
            all: self.children.count() + 1,
            terminals: self.terminals.len() + terminals,
            notify_sockets: self.readiness.sockets() + 1,
            probed: self.readiness.asked() + 1,
        });
        self.bound_clients();
    }

    fn say_unguarded(&mut self, why: &str) {
        let text = format!("{why}: if pm is killed by SIGKILL, its processes keep running");
        let said = messages::say(About::Session, "unguarded", text, serde_json::Value::Null);
        self.say(said.failed());
        self.pump.wake();
    }

    fn say_of_watchdog(&mut self, news: &watchdog::WatchdogEvent) {
        match news {
            watchdog::WatchdogEvent::Replaced => {
                let text = "the watchdog was killed; another one has been started".to_owned();
                self.say(messages::say(About::Session, "guarded", text, serde_json::Value::Null));
                self.pump.wake();
            }
            watchdog::WatchdogEvent::Missing(error) => self.say_unguarded(&format!(
                "the watchdog was killed, and another one cannot be started ({error})"
            )),
        }
    }

    /// Looks whether instances have taken the sockets that they were given, where that is due.
    pub(super) fn look_at_sockets(&mut self) {
        for run in self.sockets.take_due(self.clock.now()) {
            let Some(leader) = self.children.leader(run) else { continue };
            if let Some(said) = self.sockets.look(&self.app, run, leader) {
                self.say(said);
            }
        }
    }

    /// Looks at the children and the watchdog if they may have changed.
    pub(super) fn look_at_children(&mut self) {
        let now = self.clock.now();
        let is_due = self.children.is_due(now, self.queue.len());
        if is_due {
            let (queue, budgets) = (&mut self.queue, &self.budgets);
            let mut probes = Vec::new();
            self.children.look(|event| match probe_of(event) {
                Some(ended) => probes.extend(ended),
                None => queue.push_back(budgets.event(event)),
            });
            for (run, exit) in probes {
                self.probe_command_ended(run, exit);
            }
        }
        let is_watchdogs_time = is_due || self.children.watchdog_due().is_some_and(|at| at <= now);
        if let Some(news) = is_watchdogs_time.then(|| self.children.tend_watchdog(now)).flatten() {
            self.say_of_watchdog(&news);
        }
    }
}
