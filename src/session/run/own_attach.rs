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

    /// Attaches to the one instance that was said to wait for input, and does. Returns false where it is not one.
    pub(super) fn attach_to_the_announced(&mut self) -> bool {
        let Some(keyboard) = &self.screen.keyboard else { return false };
        let announced = self.terminals.keys().filter(|run| keyboard.prompts.is_announced(**run));
        let announced: Vec<_> = announced.copied().collect();
        self.attach_to_the_one_of(announced)
    }

    /// Attaches to the one instance that waits for input: of those of which that was said, else of all. A program that has
    /// shown no unfinished line is found by this alone.
    pub(super) fn attach_to_the_one(&mut self) {
        if !self.attach_to_the_announced() {
            self.attach_to_the_one_of(self.terminals.keys().copied().collect());
        }
    }

    fn attach_to_the_one_of(&mut self, runs: Vec<RunId>) -> bool {
        match self.waiting(runs)[..] {
            [run] => {
                self.attach_here(run);
                true
            }
            _ => false, // Which of several is for the person to say.
        }
    }

    /// Attaches to an instance of a type: one that waits for input, else the first.
    pub(super) fn attach_to_type(&mut self, digit: usize) {
        let Some(process_type) = self.screen.type_at(digit) else { return };
        let mut runs: Vec<RunId> = self.terminals.keys().copied().collect();
        runs.retain(|run| run.instance.process_type == process_type);
        runs.sort_by_key(|run| run.instance.number);
        let first = runs.first().copied();
        match self.waiting(runs).first().copied().or(first) {
            Some(run) => self.attach_here(run),
            None => {
                let name = self.app.name_of(InstanceId { process_type, number: 1 });
                self.tell_typist(Level::Failure, &format!("{name} has no terminal now"));
            }
        }
    }

    /// Returns those of these runs whose terminal is read by a program.
    fn waiting(&self, runs: Vec<RunId>) -> Vec<RunId> {
        let with_terminal = runs.into_iter().filter_map(|run| {
            let terminal = self.terminals.get(&run)?;
            Some((run, Arc::clone(&terminal.console)))
        });
        let (runs, consoles): (Vec<_>, Vec<_>) = with_terminal.unzip();
        let awaited = input::awaited(&consoles);
        runs.into_iter().zip(awaited).filter(|(_, is_awaited)| *is_awaited).map(|it| it.0).collect()
    }

    /// Returns whether a program reads the terminal of this run.
    fn waits_for_input(&self, run: RunId) -> bool {
        !self.waiting(vec![run]).is_empty()
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
            keyboard.prompts.forget(run);
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
        keyboard.prompts.forget(run);
        if keyboard.is_attached_to(run) {
            let name = self.app.name_of(run.instance);
            self.detach(&format!("{name} has ended"));
        }
    }

    /// A run that may wait for input has been silent for a while. If it does not wait, it is looked again later.
    pub(super) fn prompted(&mut self, run: RunId) {
        let now = self.clock.now();
        let Some(keyboard) = &mut self.screen.keyboard else { return };
        if !keyboard.prompts.is_announced(run) {
            keyboard.prompts.look_again(run, now);
            self.announce_if_waiting(vec![run]);
        }
    }

    /// Looks again at the programs at which it is to be looked now.
    pub(super) fn look_at_prompts(&mut self) {
        let now = self.clock.now();
        let Some(keyboard) = &mut self.screen.keyboard else { return };
        let runs = keyboard.prompts.take_due(now);
        if !runs.is_empty() {
            self.announce_if_waiting(runs);
        }
    }

    /// Says once of each of these runs that it waits for input, if it does.
    fn announce_if_waiting(&mut self, runs: Vec<RunId>) {
        for run in self.waiting(runs) {
            let Some(keyboard) = &mut self.screen.keyboard else { return };
            if keyboard.prompts.announce(run) && !keyboard.is_attached_to(run) {
                let name = self.app.name_of(run.instance);
                self.tell_typist(Level::Info, &format!("{name} waits for input: press a"));
            }
        }
    }

    /// Says why what a key asks for is not done.
    pub(super) fn tell_refusal(&mut self, response: &Response) {
        if let Response::Refused { reason, .. } = response {
            self.tell_typist(Level::Failure, reason);
        }
    }
}
