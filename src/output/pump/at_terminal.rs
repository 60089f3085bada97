//! What the pump does when it is told something of the terminal that it writes to.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use super::{Pump, SILENCE, now};
use crate::app::RunId;
use crate::output::batch::{Batch, Sink};
use crate::output::message::{PumpEvent, ScreenCommand};
use crate::output::modes::Modes;

/// The run that has the terminal for itself.
#[derive(Debug)]
pub(super) struct AttachedRun {
    pub(super) run: RunId,
    /// What it has set on the terminal.
    modes: Modes,
}

impl AttachedRun {
    /// Shows what it writes, as it is.
    pub(super) fn show<W: AsFd + From<OwnedFd>>(&mut self, bytes: &[u8], out: &mut Batch<W>) {
        self.modes.note(bytes);
        out.show_held(bytes);
    }
}

impl<F, W> Pump<F, W>
where
    F: Fn(PumpEvent) + Send + 'static,
    W: AsFd + From<OwnedFd> + Send + 'static,
{
    /// Does what it is told.
    pub(super) fn at_terminal(&mut self, command: ScreenCommand) {
        match command {
            ScreenCommand::ShowStatus(facts) => self.status.show(facts),
            ScreenCommand::HideStatus(done) => {
                self.hide_status();
                self.write();
                // Who asked may have stopped waiting.
                let _ = done.send(());
            }
            ScreenCommand::Filter(filter) => self.renderer.set_filter(filter),
            ScreenCommand::ReportPrompts => self.reports_prompts = true,
            ScreenCommand::Insert(lines) => self.renderer.insert(&lines, &mut self.batch),
            ScreenCommand::Ruler => {
                let ruler = self.renderer.ruler(self.status.columns().saturating_sub(1));
                self.renderer.insert(&[ruler], &mut self.batch);
            }
            ScreenCommand::LastLines { process_type, count } => {
                let lines = self.subscriptions.last_of_type(process_type, count);
                self.renderer.end_open(&mut self.batch);
                self.renderer.replay(&lines, &mut self.batch);
            }
            ScreenCommand::Attach(run, text, done) => {
                self.attach(run, &text);
                // Who asked may have stopped waiting.
                let _ = done.send(());
            }
            ScreenCommand::Detach(text) => self.detach(&text),
        }
    }

    /// Gives the terminal to a run, after what it has shown last.
    fn attach(&mut self, run: RunId, text: &str) {
        self.batch.erase();
        self.renderer.insert(&[text.to_owned()], &mut self.batch);
        self.note_failure(|pump| pump.batch.hold());
        let mut attached = AttachedRun { run, modes: Modes::default() };
        let glance = self.subscriptions.glance(run.instance);
        attached.show(&glance, &mut self.batch);
        self.attached = Some(attached);
    }

    /// Takes the terminal back, and shows what has come meanwhile.
    fn detach(&mut self, text: &str) {
        let Some(AttachedRun { run, modes }) = self.attached.take() else { return };
        let mut shown = modes.restore();
        shown.extend_from_slice(b"\r\n");
        shown.extend_from_slice(text.as_bytes());
        shown.push(b'\n');
        if let Some(held) = self.batch.release() {
            if held.lost() > 0 {
                let lost = format!("{} lines that came meanwhile are not shown\n", held.lost());
                shown.extend_from_slice(lost.as_bytes());
            }
            shown.extend_from_slice(held.bytes());
        }
        self.batch.append(&shown);
        // Its prompt is shown again.
        let source = self.keys.get(&run).and_then(|key| self.pipes.get_mut(key));
        if let Some(source) = source.filter(|source| source.lines.is_waiting()) {
            let since = now();
            source.waiting_since = Some(since);
            let next = since + SILENCE;
            self.next_look = Some(self.next_look.map_or(next, |at: Instant| at.min(next)));
        }
    }

    fn note_failure(&mut self, write: impl FnOnce(&mut Self) -> std::io::Result<()>) {
        if let Err(error) = write(self) {
            (self.report)(PumpEvent::OutputLost(error.kind(), error.to_string()));
        }
    }
}
