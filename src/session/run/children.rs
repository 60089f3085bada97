//! The loop's work with children: starts them, handles their ends, and replaces the watchdog.

use super::{SessionLoop, source};
use crate::app::{RunId, Stdio};
use crate::os::spawn::Handed;
use crate::os::watchdog;
use crate::output::{About, PumpCommand};
use crate::session::messages;
use crate::session::run::readiness::probe_of;
use crate::session::shared_sockets::SharedSockets;
use crate::supervisor::Event;

impl SessionLoop {
    /// Starts the command of a run.
    pub(super) fn spawn(&mut self, run: RunId) {
        self.post(PumpCommand::AddSource(source(&self.app, run.instance)));
        self.make_room(match self.app.type_of(run.instance).stdio {
            Stdio::Pipes => 0,
            Stdio::Terminal => 1,
        });
        let extra = match self.readiness.prepare(&self.app, run) {
            Ok(extra) => extra,
            Err(error) => {
                self.queue.push_back(Event::SpawnFailed { run, error });
                return;
            }
        };
        let mut variables = extra;
        variables.extend(SharedSockets::variables(&self.app, run.instance));
        let socket = match self.sockets.of(&self.app, run.instance) {
            Ok(socket) => socket,
            Err(error) => {
                self.readiness.forget(run);
                let error = format!("cannot start: {}", error.reason());
                self.queue.push_back(Event::SpawnFailed { run, error });
                return;
            }
        };
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
                    self.say_unguarded("the guard process has no room for more instances");
                }
                if let Some(terminal) = started.terminal {
                    self.terminals.insert(run, terminal.into());
                }
                self.unread.push((run, started.output));
                self.queue.push_back(Event::Spawned { run, pid: started.pid.as_raw() });
            }
            Err(error) => {
                self.children.expect_no_more();
                self.readiness.forget(run);
                self.queue.push_back(Event::SpawnFailed { run, error });
            }
        }
    }

    /// Reserves descriptors for one more child, and for this many more terminals; clients get what is left.
    pub(super) fn make_room(&mut self, terminals: usize) {
        let terminals = self.terminals.len() + terminals;
        let (sockets, asked) = (self.readiness.sockets() + 1, self.readiness.asked() + 1);
        self.spawner.make_room_for(self.children.count() + 1, terminals, sockets, asked);
        self.bound_clients();
    }

    fn say_unguarded(&mut self, why: &str) {
        let text = format!("{why}: if pm is killed by SIGKILL, what it started stays");
        let said = messages::say(About::Session, "unguarded", text, serde_json::Value::Null);
        self.say(said.failed());
        self.pump.wake();
    }

    fn say_of_watchdog(&mut self, news: &watchdog::WatchdogEvent) {
        match news {
            watchdog::WatchdogEvent::Replaced => {
                let text = "the guard process was killed; another has taken its place".to_owned();
                self.say(messages::say(About::Session, "guarded", text, serde_json::Value::Null));
                self.pump.wake();
            }
            watchdog::WatchdogEvent::Missing(error) => self.say_unguarded(&format!(
                "the guard process was killed, and no other can be started ({error})"
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
