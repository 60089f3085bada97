//! The session's own terminal, given to one of its instances for a while.

use std::sync::Arc;

use super::SessionLoop;
use crate::app::{InstanceId, RunId};
use crate::control::proto::Response;
use crate::os::input;
use crate::os::pty::WindowSize;
use crate::output::{Level, ScreenCommand};
use crate::session::keyboard::{OWN, PATIENCE, detach};

impl SessionLoop {
    /// Passes what was typed to the run that is attached. Returns what stands behind the key that detaches.
    pub(super) fn type_to_attached<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let attached = self.screen.keyboard.as_ref().and_then(|it| it.attached.clone());
        let Some((run, console)) = attached else { return &[] };
        let found = detach::find(bytes);
        let (keys, rest) = bytes.split_at(found.as_ref().map_or(bytes.len(), |at| at.start));
        if !console.is_full() {
            console.write(keys);
            console.flush_in_background();
        }
        let Some(at) = found else { return &[] };
        let name = self.app.name_of(run.instance);
        self.detach(&format!("detached from {name}"));
        &rest[at.len()..]
    }

    /// Attaches to the one instance that waits for input. Returns false where it is not one.
    pub(super) fn attach_to_the_one(&mut self) -> bool {
        let Some(keyboard) = &self.screen.keyboard else { return false };
        let mut waiting =
            self.terminals.keys().filter(|run| keyboard.prompted.contains(run)).copied();
        let mut waiting = waiting.by_ref().filter(|run| self.waits_for_input(*run));
        match (waiting.next(), waiting.next()) {
            (Some(run), None) => {
                self.attach_here(run);
                true
            }
            (Some(_) | None, _) => false,
        }
    }

    /// Attaches to an instance of a type: one that waits for input, else the first.
    pub(super) fn attach_to_type(&mut self, digit: usize) {
        let Some(process_type) = self.screen.type_at(digit) else { return };
        let mut runs: Vec<RunId> = self.terminals.keys().copied().collect();
        runs.retain(|run| run.instance.process_type == process_type);
        runs.sort_by_key(|run| run.instance.number);
        let waiting = runs.iter().find(|run| self.waits_for_input(**run));
        match waiting.or(runs.first()).copied() {
            Some(run) => self.attach_here(run),
            None => {
                let name = self.app.name_of(InstanceId { process_type, number: 1 });
                self.tell_typist(Level::Failure, &format!("{name} has no terminal now"));
            }
        }
    }

    /// Returns whether a program reads the terminal of this run.
    fn waits_for_input(&self, run: RunId) -> bool {
        let console = self.terminals.get(&run).map(|terminal| &terminal.console);
        console.is_some_and(input::is_awaited)
    }

    fn attach_here(&mut self, run: RunId) {
        let Some(terminal) = self.terminals.get(&run) else { return };
        let console = Arc::clone(&terminal.console);
        let Some(keyboard) = &mut self.screen.keyboard else { return };
        keyboard.parser.reset();
        keyboard.attached = Some((run, Arc::clone(&console)));
        console.set_viewer_size(OWN, WindowSize::of_stdout());
        self.suspend_probe(run, true);
        let text = format!("attached to {}; Ctrl-] returns", self.app.name_of(run.instance));
        let (sender, done) = crossbeam_channel::bounded(1);
        self.at_terminal(ScreenCommand::Attach(run, Level::Info.line(&text), sender));
        self.pump.wake();
        // In raw mode a line feed goes straight down: lines of before must be out.
        let _ = done.recv_timeout(PATIENCE);
        if let Some(keyboard) = &self.screen.keyboard {
            keyboard.give_modes();
        }
    }

    /// Takes the terminal back, with these words.
    pub(super) fn detach(&mut self, text: &str) {
        let Some(keyboard) = &mut self.screen.keyboard else { return };
        let Some((run, console)) = keyboard.attached.take() else { return };
        keyboard.give_modes();
        if console.leave(OWN) {
            self.suspend_probe(run, false);
        }
        if !self.waits_for_input(run)
            && let Some(keyboard) = &mut self.screen.keyboard
        {
            // When it asks again, that is news.
            keyboard.prompted.remove(&run);
        }
        self.at_terminal(ScreenCommand::Detach(Level::Info.line(text)));
        self.pump.wake();
        self.screen.redraw();
    }

    /// Gives the terminal of the attached run the size of pm's.
    pub(super) fn resize_attached(&self) {
        let keyboard = self.screen.keyboard.as_ref();
        if let Some((_, console)) = keyboard.and_then(|keyboard| keyboard.attached.as_ref()) {
            console.set_viewer_size(OWN, WindowSize::of_stdout());
        }
    }

    /// The output of a run has ended.
    pub(super) fn run_is_over(&mut self, run: RunId) {
        let Some(keyboard) = &mut self.screen.keyboard else { return };
        keyboard.prompted.remove(&run);
        if keyboard.is_attached_to(run) {
            let name = self.app.name_of(run.instance);
            self.detach(&format!("{name} has ended"));
        }
    }

    /// An unfinished line of a run was shown. Says so once if its program waits for input.
    pub(super) fn prompted(&mut self, run: RunId) {
        let is_awaited = self.waits_for_input(run);
        let Some(keyboard) = &mut self.screen.keyboard else { return };
        if is_awaited && keyboard.prompted.insert(run) && !keyboard.is_attached_to(run) {
            let name = self.app.name_of(run.instance);
            self.tell_typist(Level::Info, &format!("{name} waits for input: press a"));
        }
    }

    /// Says why what a key asks for is not done.
    pub(super) fn tell_refusal(&mut self, response: &Response) {
        if let Response::Refused { reason, .. } = response {
            self.tell_typist(Level::Failure, reason);
        }
    }
}
