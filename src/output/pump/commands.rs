//! What the pump does when it is told something.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::isatty;

use super::Pump;
use super::kept::OutputCopy;
use super::open_pipe::OpenPipe;
use crate::app::RunId;
use crate::os::poller::READABLE;
use crate::output::crlf::CrlfToLf;
use crate::output::line_matcher::LineMatcher;
use crate::output::log::TypeLogs;
use crate::output::message::{About, Level, Notice, PumpCommand, PumpEvent};
use crate::output::render::Renderer;
use crate::output::subscription::{Chunk, TerminalViewer};

impl<F, W> Pump<F, W>
where
    F: Fn(PumpEvent) + Send + 'static,
    W: AsFd + From<OwnedFd> + Send + 'static,
{
    /// Takes every message. Returns false when all handles are gone.
    pub(super) fn listen(&mut self) -> bool {
        loop {
            match self.inbox.try_recv() {
                Ok(PumpCommand::RotateLog(log)) => self.rotate(&log),
                Ok(PumpCommand::CopyToLogs(folder)) => self.type_logs = Some(TypeLogs::new(folder)),
                Ok(PumpCommand::Expect(run, patterns)) => {
                    self.expected.insert(run, LineMatcher::new(patterns));
                }
                Ok(PumpCommand::Open(run, pipe)) => self.open(run, pipe),
                Ok(PumpCommand::AddSource(source)) => {
                    if self.renderer.add(source) {
                        self.subscriptions.expect();
                        self.kept.expect(1);
                    }
                }
                Ok(PumpCommand::Count(id, count)) => drop(self.counts.insert(id, count)),
                Ok(PumpCommand::Keep(keeper)) => {
                    self.kept = OutputCopy::by(*keeper, self.subscriptions.instances());
                }
                Ok(PumpCommand::Subscribe(subscriber)) => {
                    self.subscriptions.subscribe(subscriber, |id| self.renderer.name_of(id));
                }
                Ok(PumpCommand::Tail(query)) => {
                    let name = self.renderer.name_of(query.instance).unwrap_or_default();
                    self.subscriptions.send_tail(&query, name);
                }
                Ok(PumpCommand::RingAtNews(bell)) => self.subscriptions.add_bell(bell),
                Ok(PumpCommand::View(run, viewer)) => self.watch(run, viewer),
                Ok(PumpCommand::Unsubscribe(id)) => {
                    self.subscriptions.unsubscribe(id);
                    for source in self.pipes.values_mut() {
                        source.viewers.retain(|viewer| viewer.id != id);
                    }
                }
                Ok(PumpCommand::Forget(id)) => self.subscriptions.forget(id),
                Ok(PumpCommand::Show(say)) => self.say(say),
                Ok(PumpCommand::CloseRun(run)) => self.drop_run(run),
                Ok(PumpCommand::AtTerminal(command)) => self.at_terminal(command),
                Ok(PumpCommand::Flush(done)) => {
                    self.hide_status();
                    self.write();
                    self.subscriptions.close();
                    self.pipes.values_mut().for_each(|source| source.viewers.clear());
                    // Who asked may have stopped waiting.
                    let _ = done.send(());
                }
                Err(crossbeam_channel::TryRecvError::Empty) => return true,
                Err(crossbeam_channel::TryRecvError::Disconnected) => {
                    self.hide_status();
                    self.write();
                    return false;
                }
            }
        }
    }

    /// Shows a line of pm's own. It stands in the log of the instance that it is about.
    pub(super) fn say(&mut self, say: Notice) {
        let at = self.renderer.millisecond();
        match say.about {
            _ if say.level == Level::Event => {}
            About::Instance(id) => {
                let name = self.renderer.name_of(id).unwrap_or_default();
                self.subscriptions.say(id, name, at, &say.line());
            }
            About::Session => self.subscriptions.announce(at, &say.line()),
        }
        let name = match say.about {
            About::Instance(id) => self.renderer.name_of(id),
            About::Session => None,
        };
        self.kept.say(at, name, &say);
        self.repeat_last_lines(&say);
        self.renderer.say(say, &mut self.batch);
    }

    pub(super) fn open(&mut self, run: RunId, pipe: OwnedFd) {
        let key = self.next_key;
        let matcher = self.expected.remove(&run);
        let opened = fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
            .map_err(io::Error::from)
            .and_then(|_| self.poller.add(key, &pipe, READABLE));
        if let Err(error) = opened {
            let text = format!("cannot read its output: {error}");
            let about = About::Instance(run.instance);
            let (level, facts) = (Level::Failure, serde_json::Map::new());
            self.say(Notice { about, level, event: "unreadable", text, facts });
            (self.report)(PumpEvent::Closed(run));
            return;
        }
        self.next_key += 1;
        let label = self.renderer.label_of(run.instance);
        self.renderer.begin(label);
        let terminal = isatty(&pipe).unwrap_or(false).then(CrlfToLf::default);
        let lines = self.renderer.lines_of(terminal.is_some());
        let name = self.renderer.name_of(run.instance).unwrap_or_default();
        let copy = self.type_logs.as_mut().map(|logs| {
            logs.begin(run.instance, name, Renderer::lines_for_file(terminal.is_some()))
        });
        let ring = self.kept.started(name, self.renderer.millisecond(), run.seq);
        let viewers = Vec::new();
        let (waiting_since, long_since) = (None, None);
        let source = OpenPipe {
            run,
            pipe,
            label,
            ring,
            lines,
            count: self.counts.get(&run.instance).cloned().unwrap_or_default(),
            copy,
            terminal,
            viewers,
            matcher,
            waiting_since,
            long_since,
        };
        self.pipes.insert(key, source);
        self.keys.insert(run, key);
    }

    /// One that is too late for the run is let go at once.
    pub(super) fn watch(&mut self, run: RunId, viewer: TerminalViewer) {
        let Some(source) = self.keys.get(&run).and_then(|key| self.pipes.get_mut(key)) else {
            return;
        };
        let bytes = self.subscriptions.glance(run.instance);
        let name = self.renderer.name_of(run.instance).unwrap_or_default();
        (viewer.send)(&[Chunk { name, at: self.renderer.millisecond(), bytes: &bytes }]);
        source.viewers.push(viewer);
    }
}
