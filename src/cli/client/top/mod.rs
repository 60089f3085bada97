//! `pm top`: what each instance uses, again every second, sorted.

mod draw;
mod history;
mod keys;

use std::io;
use std::time::Duration;

use nix::poll::{PollTimeout, poll};

use super::args::TopArgs;
use super::find::{self, SessionInfo};
use crate::cli::json::top::TopObject;
use crate::cli::json::{self, AnswerForm, CommandAnswer};
use crate::cli::sources::Sources;
use crate::control::proto::{FiguresQuery, Report};
use crate::error::Error;
use crate::os::clock;
use crate::os::pty::WindowSize;
use draw::{TopFrame, TopLook};
use history::{TopHistory, TopSort};
use keys::{Heard, KeyTerminal};

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(1);
/// Time between the two looks of `--once`, in milliseconds: the unit of CPU times is 10 ms.
const ONCE_MS: u16 = 500;

/// `pm top`
pub(crate) fn top(args: &TopArgs, form: AnswerForm, sources: &Sources) -> Result<i32, Error> {
    let session = find::one(&args.target, sources, &args.names, find::has_instances)?;
    let mut top = Top { session, args, history: TopHistory::default() };
    let is_for_a_person = sources.may_clear() && !sources.has_dumb_terminal();
    match form {
        AnswerForm::Json if !args.once => top.stream(),
        AnswerForm::Text if is_for_a_person && !args.once => top.watch(sources.has_unicode()),
        AnswerForm::Json | AnswerForm::Text => top.once(form, sources.has_unicode()),
    }
}

struct Top<'a> {
    session: SessionInfo,
    args: &'a TopArgs,
    history: TopHistory,
}

/// The answer of `pm top --once`.
struct TopAnswer {
    frame: TopFrame,
    object: TopObject,
}

impl CommandAnswer for TopAnswer {
    type Object = TopObject;

    fn text(&self) -> Vec<u8> {
        self.frame.text().into_bytes()
    }

    fn object(self) -> TopObject {
        self.object
    }
}

impl Top<'_> {
    /// Looks once more, and returns what is shown of it.
    fn look(&mut self, details: bool) -> Result<Report, Error> {
        let query = FiguresQuery { pss: self.args.pss, details, past: self.history.is_new() };
        let mut report = find::figures(&self.session.endpoint, query)?;
        let chosen = find::chosen(&report, &self.args.names)?;
        let mut at = 0..;
        report.instances.retain(|_| at.next().is_some_and(|at| chosen.contains(&at)));
        self.history.add(&report);
        Ok(report)
    }

    /// Prints one table, or one object.
    fn once(&mut self, form: AnswerForm, unicode: bool) -> Result<i32, Error> {
        self.look(false)?;
        // An interrupted wait is a short one.
        let _ = poll(&mut [], PollTimeout::from(ONCE_MS));
        let report = self.look(true)?;
        let object = TopObject::of(&report, |name| self.history.cpu(name));
        let look = TopLook { unicode, size: None, sort: TopSort::Cpu };
        form.answer(TopAnswer { frame: TopFrame::of(&report, &self.history, look), object })
    }

    /// Prints an object a second, until the session ends.
    fn stream(&mut self) -> Result<i32, Error> {
        let mut next = clock::instant();
        let mut report = self.look(true)?;
        loop {
            let object = TopObject::of(&report, |name| self.history.cpu(name));
            json::print(&json::of_stream(object))?;
            next += EVERY;
            let left = next.saturating_duration_since(clock::instant());
            // An interrupted wait is a short one.
            let _ = poll(&mut [], PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO));
            report = match self.look(true) {
                Ok(report) => report,
                // It has ended, which is what was watched.
                Err(_) => return Ok(0),
            };
        }
    }

    /// Shows a table on the terminal, until `q`, a signal, or the end of the session.
    fn watch(&mut self, unicode: bool) -> Result<i32, Error> {
        let fail = |source: io::Error| Error::Startup { what: "take keys", source };
        let mut report = self.look(false)?;
        let mut terminal = KeyTerminal::open().map_err(fail)?;
        let mut sort = TopSort::Cpu;
        let mut next = clock::instant() + EVERY;
        loop {
            let look = TopLook { unicode, size: Some(WindowSize::of_stdout()), sort };
            let picture = || TopFrame::of(&report, &self.history, look).screen();
            if terminal.show(picture).is_err() {
                // It is gone.
                return Ok(0);
            }
            match terminal.wait(next).map_err(fail)? {
                Heard::Key(b'q') | Heard::Closed => return Ok(0),
                Heard::Key(key) => sort = TopSort::by_key(key).unwrap_or(sort),
                Heard::Redraw => {}
                Heard::Signal(signal) => return Ok(128 + signal),
                Heard::Timeout => {
                    next = clock::instant() + EVERY;
                    report = match self.look(false) {
                        Ok(report) => report,
                        // It has ended, which is what was watched.
                        Err(_) => return Ok(0),
                    };
                }
            }
        }
    }
}
