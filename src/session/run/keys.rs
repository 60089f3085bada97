//! Keys that are typed on the session's own terminal, and the line below the output.

use crate::app::InstanceId;
use crate::output::{Level, PumpCommand, ScreenCommand};
use crate::session::keyboard::{HELP, KeyAction, KeyTarget, Keyboard};
use crate::session::requests::{KEYS, all_but_release, why};
use crate::session::{keyboard, report};
use crate::supervisor::{Doing, Event, Reply, ResolvedRequest, Supervisor, WaitMode};

use super::SessionLoop;

/// Lines that `l` shows.
const LAST_LINES: usize = 50;

impl SessionLoop {
    /// Does what was typed.
    pub(super) fn typed(&mut self, mut bytes: &[u8], core: &Supervisor) {
        self.screen.look_at_once();
        while !bytes.is_empty() {
            let Some(keyboard) = &mut self.screen.keyboard else { return };
            if keyboard.attached.is_some() {
                bytes = self.type_to_attached(bytes);
            } else if let Some(action) = keyboard.parser.next(&mut bytes) {
                self.act(action, core);
            }
        }
    }

    fn act(&mut self, action: KeyAction, core: &Supervisor) {
        let type_at = |digit: usize| self.screen.type_at(digit);
        match action {
            KeyAction::Only(digit) => {
                let Some(at) = type_at(digit) else { return };
                let filter = &mut self.screen.filter;
                filter.only = (filter.only != Some(at)).then_some(at);
                self.apply_filter();
            }
            KeyAction::Mute(digit) => {
                let Some(at) = type_at(digit) else { return };
                let muted = &mut self.screen.filter.muted;
                if !muted.remove(&at) {
                    muted.insert(at);
                }
                self.apply_filter();
            }
            KeyAction::BeginFilter => {
                // What the one before has hidden is not counted.
                self.end_filter();
                self.filter(String::new());
            }
            KeyAction::Filter(text) => self.filter(text),
            KeyAction::EndFilter => self.end_filter(),
            KeyAction::Restart(of) => self.restart_by_key(of, core),
            KeyAction::StopOrStart(of) => self.stop_or_start(of, core),
            KeyAction::Grow(digit) => self.scale_by(digit, 1),
            KeyAction::Shrink(digit) => self.scale_by(digit, -1),
            KeyAction::AttachTheOne => self.attach_to_the_one(),
            KeyAction::Attach(digit) => self.attach_to_type(digit),
            KeyAction::LastLines(digit) => {
                let Some(process_type) = type_at(digit) else { return };
                self.at_terminal(ScreenCommand::LastLines { process_type, count: LAST_LINES });
            }
            KeyAction::Table => self.show_table(core),
            KeyAction::Ruler => self.at_terminal(ScreenCommand::Ruler),
            KeyAction::Help => {
                let lines = HELP.iter().map(|line| Level::Info.line(line)).collect();
                self.at_terminal(ScreenCommand::Insert(lines));
            }
            KeyAction::Quit => self.ask(ResolvedRequest::Quit),
            KeyAction::Enter => {
                if !self.attach_to_the_announced() {
                    self.at_terminal(ScreenCommand::Insert(vec![String::new()]));
                }
            }
        }
    }

    pub(super) fn at_terminal(&mut self, command: ScreenCommand) {
        self.post(PumpCommand::AtTerminal(command));
    }

    /// Says something to who has typed, and to nobody else.
    pub(super) fn tell_typist(&mut self, level: Level, text: &str) {
        self.at_terminal(ScreenCommand::Insert(vec![level.line(text)]));
    }

    fn filter(&mut self, text: String) {
        let is_valid = self.screen.filter.search(&text);
        self.screen.pattern = Some((text, is_valid));
        self.apply_filter();
    }

    fn end_filter(&mut self) {
        self.screen.filter.end_search();
        self.screen.pattern = None;
        self.apply_filter();
    }

    fn apply_filter(&mut self) {
        self.at_terminal(ScreenCommand::Filter(self.screen.filter.clone()));
    }

    /// Asks the supervisor, as a client does that does not wait.
    fn ask(&mut self, request: ResolvedRequest) {
        let wait = WaitMode::Never;
        self.queue.push_back(Event::Requested { id: KEYS, request, wait, grace: None });
    }

    /// Says why what was asked for cannot be done.
    pub(super) fn answer_typist(&mut self, reply: Reply) {
        let failures = match reply {
            Reply::Done => Vec::new(),
            Reply::Failed(failures) => failures,
        };
        for (id, failure) in failures {
            let text = format!("{}: {}", self.app.name_of(id), why(&failure));
            self.tell_typist(Level::Failure, &text);
        }
    }

    /// Returns the instances that a key is about.
    fn instances_of(&self, of: KeyTarget, core: &Supervisor) -> Vec<InstanceId> {
        match of {
            KeyTarget::All => all_but_release(core),
            KeyTarget::Type(digit) => {
                let at = self.screen.type_at(digit);
                core.instances().filter(|id| Some(id.process_type) == at).collect()
            }
        }
    }

    fn restart_by_key(&mut self, of: KeyTarget, core: &Supervisor) {
        let ids = self.instances_of(of, core);
        if ids.is_empty() {
            return;
        }
        match self.restart_with_current_environment(ids, None, core) {
            Ok(request) => self.ask(request),
            Err(response) => self.tell_refusal(&response),
        }
    }

    /// Stops these, or starts them where none of them runs.
    fn stop_or_start(&mut self, of: KeyTarget, core: &Supervisor) {
        let ids = self.instances_of(of, core);
        let is_over = |doing| matches!(doing, Doing::Stopped | Doing::Ended(_) | Doing::GivenUp);
        let statuses = core.status(self.clock.now());
        let mut chosen = statuses.iter().filter(|status| ids.contains(&status.id));
        let starts = chosen.all(|status| is_over(status.doing));
        self.ask(match starts {
            true => ResolvedRequest::Start(ids),
            false => ResolvedRequest::Stop(ids),
        });
    }

    fn scale_by(&mut self, digit: usize, more: i16) {
        if let Some(at) = self.screen.type_at(digit) {
            self.ask(ResolvedRequest::ScaleBy(at, more));
        }
    }

    /// Shows the table of `pm ps` once it is measured.
    fn show_table(&mut self, core: &Supervisor) {
        let (pump, table) = (self.pump.clone(), self.screen.table);
        report::measured(self.report(core), self.children.helpers(), move |report| {
            let lines = table(&report).lines().map(crate::app::text::printable).collect();
            pump.post(PumpCommand::AtTerminal(ScreenCommand::Insert(lines)));
            pump.wake();
        });
    }

    /// Lets the line say what has changed.
    pub(super) fn show_status(&mut self, core: &Supervisor) {
        let now = self.clock.now();
        if !self.screen.is_time(now) {
            return;
        }
        let statuses = core.status(now);
        if let Some(facts) = self.screen.news(&self.app, &statuses) {
            self.at_terminal(ScreenCommand::ShowStatus(Box::new(facts)));
        }
    }

    /// Begins to use the terminal.
    pub(super) fn enter_terminal(&mut self) {
        if self.screen.keyboard.is_some() {
            self.at_terminal(ScreenCommand::ReportPrompts);
        }
        self.screen.enter();
    }

    /// Stops with Ctrl-Z, and leaves the terminal to the shell meanwhile.
    pub(super) fn pause(&mut self) {
        // What an attached program has made of the screen is not for the shell.
        if let Some(run) = self.screen.keyboard.as_ref().and_then(Keyboard::attached_run) {
            let name = self.app.name_of(run.instance);
            self.detach(&format!("detached from {name}"));
        }
        self.leave_terminal();
        self.clock.pause_during(|| self.job_control.obey());
        self.screen.enter();
    }

    /// Erases the line, once all that was said before is shown, and gives the terminal back as it was.
    pub(super) fn leave_terminal(&mut self) {
        if self.screen.shows_line() || self.screen.keyboard.is_some() {
            let (sender, done) = crossbeam_channel::bounded(1);
            self.at_terminal(ScreenCommand::HideStatus(sender));
            self.pump.wake();
            // A terminal that takes nothing (Ctrl-S) is not waited for.
            let _ = done.recv_timeout(keyboard::PATIENCE);
        }
        self.screen.leave();
    }
}
