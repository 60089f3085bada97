//! Opens the output in a pager.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::Ui;
use crate::tui::StopReach;
use crate::tui::event::{UiEnd, UiEvent};
use crate::tui::pager::{Pager, PagerNews};
use crate::tui::signals::PagerSignal;

/// A pager that is asked to end is killed after so long.
const PATIENCE: Duration = Duration::from_millis(500);

impl Ui {
    /// Shows a text in the pager, and comes back when that has ended.
    pub(super) fn open_in_pager(&mut self, text: &str) -> io::Result<()> {
        let path = self.setup.scratch.join(format!("pm-ui-{}.log", std::process::id()));
        let write = || {
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all(text.as_bytes())
        };
        let shown = write().and_then(|()| {
            self.terminal.suspend();
            let status = Pager::start(&self.setup.pager, &path)
                .and_then(|mut pager| self.wait_for(&mut pager));
            let resumed = self.resume();
            // At the end it may be gone.
            if self.end.is_none() { resumed.and(status) } else { status }
        });
        // It may not be there.
        let _ = std::fs::remove_file(&path);
        match shown {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => self.tell(UiEvent::Answered(format!("`{}`: {status}", self.setup.pager))),
            Err(error) => self.tell(UiEvent::Answered(format!("cannot open it: {error}"))),
        }
    }

    /// Waits for the end of a pager. What stops it stops the ui, too; what is to end the ui ends it first.
    fn wait_for(&mut self, pager: &mut Pager) -> io::Result<ExitStatus> {
        let mut kill_at: Option<Duration> = None;
        loop {
            match pager.look()? {
                Some(PagerNews::Ended(status)) => {
                    pager.take_terminal();
                    return Ok(status);
                }
                Some(PagerNews::WantsTerminal) if pager.lend_terminal() => pager.go_on(),
                Some(PagerNews::Stopped | PagerNews::WantsTerminal) => {
                    pager.take_terminal();
                    (self.setup.stop)(StopReach::Job);
                    pager.lend_terminal();
                    pager.go_on();
                }
                None => self.signals.wait(kill_at.map(|at| at.saturating_sub(self.now()))),
            }
            for signal in self.signals.take_beside_pager() {
                match signal {
                    PagerSignal::End(signal) => {
                        self.end = Some(UiEnd::Signal(signal));
                        pager.end(Signal::SIGTERM);
                        kill_at.get_or_insert(self.now() + PATIENCE);
                    }
                    PagerSignal::Typed(signal) => pager.send(signal),
                }
            }
            if kill_at.is_some_and(|at| at <= self.now()) {
                pager.end(Signal::SIGKILL);
                kill_at = Some(self.now() + PATIENCE);
            }
        }
    }
}
