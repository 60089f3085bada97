//! pm's own terminal in a session: the line below the output, and the keys that are typed.

pub(crate) mod detach;
mod help;
mod keys;
mod prompts;
mod reader;
mod status;

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use self::keys::KeyParser;
pub(super) use self::keys::{KeyAction, KeyTarget};
use self::prompts::Prompts;
use self::reader::{KeyReader, Typist};
use super::console::Console;
use crate::app::{App, Moment, RunId};
use crate::control::proto::Report;
use crate::control::server::ClientId;
use crate::os::pty::WindowSize;
use crate::os::terminal::{OwnModes, TypingMode};
use crate::output::{LineFilter, StatusFacts};
use crate::supervisor::Status;

pub(super) use self::help::KEYS as HELP;

/// The session itself, among the clients that are attached to a terminal.
pub(super) const OWN: ClientId = ClientId(u64::MAX);

/// How long a terminal may take to show what must be shown before its modes change.
pub(super) const PATIENCE: Duration = Duration::from_millis(200);

/// Time between two looks at what the instances do: the line is drawn no more often.
const EVERY: Duration = Duration::from_millis(100);

/// What a session does with the terminal that it was started on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TerminalUse {
    /// Shows the line.
    pub(crate) line: bool,
    /// Takes keys.
    pub(crate) keys: bool,
    /// Makes the table of `pm ps`.
    pub(crate) table: fn(&Report) -> String,
}

/// The terminal, as the session's thread knows it.
#[derive(Debug)]
pub(super) struct OwnScreen {
    shows_line: bool,
    pub(super) table: fn(&Report) -> String,
    pub(super) keyboard: Option<Keyboard>,
    /// The types that the line has.
    types: BTreeSet<u16>,
    pub(super) filter: LineFilter,
    /// The filter as it was typed, and whether it is a regular expression.
    pub(super) pattern: Option<(String, bool)>,
    /// What the line said last.
    shown: Option<StatusFacts>,
    /// When it was last looked for news.
    looked: Option<Moment>,
    /// When to look again, if that was too early.
    due: Option<Moment>,
    /// The terminal is another program's at present.
    is_away: bool,
}

/// The keys.
#[derive(Debug)]
pub(super) struct Keyboard {
    modes: OwnModes,
    reader: KeyReader,
    pub(super) parser: KeyParser,
    /// The run that gets what is typed.
    pub(super) attached: Option<(RunId, Arc<Console>)>,
    pub(super) prompts: Prompts,
}

impl OwnScreen {
    /// Makes it. `modes` are those of the terminal, if keys are to be taken; `tell` gets what is typed.
    pub(super) fn open(
        plan: TerminalUse,
        modes: Option<OwnModes>,
        tell: impl Fn(Vec<u8>) + Send + 'static,
    ) -> io::Result<Self> {
        let keyboard = modes.map(|modes| {
            let reader = KeyReader::start(modes.terminal()?, tell)?;
            let (parser, prompts) = (KeyParser::default(), Prompts::default());
            io::Result::Ok(Keyboard { modes, reader, parser, attached: None, prompts })
        });
        Ok(Self {
            shows_line: plan.line,
            table: plan.table,
            keyboard: keyboard.transpose()?,
            types: BTreeSet::new(),
            filter: LineFilter::default(),
            pattern: None,
            shown: None,
            looked: None,
            due: None,
            is_away: false,
        })
    }

    /// Returns whether there is a line.
    pub(super) fn shows_line(&self) -> bool {
        self.shows_line && !self.is_away
    }

    /// Lets the line be drawn again at once, though it says the same.
    pub(super) fn redraw(&mut self) {
        self.shown = None;
        self.look_at_once();
    }

    /// Lets what has changed be seen at once.
    pub(super) fn look_at_once(&mut self) {
        self.looked = None;
    }

    /// Returns when to look again for what the line is to say, or whether a program waits for input.
    pub(super) fn due(&self) -> Option<Moment> {
        let of_prompts = self.keyboard.as_ref().and_then(|keyboard| keyboard.prompts.due());
        self.due.into_iter().chain(of_prompts).min()
    }

    /// Returns whether it is time to look for what the line is to say; else it will be, at [`Self::due`].
    pub(super) fn is_time(&mut self, now: Moment) -> bool {
        self.due =
            self.looked.map(|looked| looked + EVERY).filter(|due| self.shows_line() && now < *due);
        let is_time = self.due.is_none() && self.shows_line();
        if is_time {
            self.looked = Some(now);
        }
        is_time
    }

    /// Returns what the line is to say, where that is something else than before.
    pub(super) fn news(&mut self, app: &App, statuses: &[Status]) -> Option<StatusFacts> {
        self.types = status::shown_types(statuses, &self.types);
        let WindowSize { rows, columns } = WindowSize::of_stdout();
        let pattern = self.pattern.as_ref().map(|(text, is_valid)| (text.as_str(), *is_valid));
        let facts = StatusFacts {
            types: status::of_types(app, statuses, &self.types, &self.filter),
            hint: status::hint(self.keyboard.as_ref().map(|it| it.parser.state()), pattern),
            rows,
            columns,
        };
        let is_news = self.shown.as_ref() != Some(&facts);
        is_news.then(|| {
            self.shown = Some(facts.clone());
            facts
        })
    }

    /// Returns the position of the type with this digit.
    pub(super) fn type_at(&self, digit: usize) -> Option<u16> {
        self.types.iter().nth(digit).copied()
    }

    /// Takes the terminal, if it is pm's at present; else there are no keys, and no line.
    pub(super) fn enter(&mut self) {
        self.is_away = !crate::os::terminal::is_in_foreground(io::stdout());
        self.redraw();
        if let Some(keyboard) = &self.keyboard {
            keyboard.reader.serve(match keyboard.give_modes() {
                true => Typist::Ours,
                false => Typist::Others,
            });
        }
    }

    /// Gives the terminal back as it was.
    pub(super) fn leave(&mut self) {
        self.is_away = true;
        if let Some(keyboard) = &self.keyboard {
            keyboard.reader.serve(Typist::Nobody);
            keyboard.modes.set(TypingMode::AsBefore);
        }
    }
}

impl Keyboard {
    /// Gives the terminal the modes that are right now. Returns false where it is not pm's.
    pub(super) fn give_modes(&self) -> bool {
        self.modes.set(match self.attached {
            Some(_) => TypingMode::Raw,
            None => TypingMode::Keys,
        })
    }

    /// Returns the run that what is typed goes to.
    pub(super) fn attached_run(&self) -> Option<RunId> {
        self.attached.as_ref().map(|(run, _)| *run)
    }

    /// Returns whether what is typed goes to this run.
    pub(super) fn is_attached_to(&self, run: RunId) -> bool {
        self.attached_run() == Some(run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_are_looked_for_ten_times_a_second_and_at_once_when_something_is_typed() {
        let plan = TerminalUse { line: true, keys: false, table: |_| String::new() };
        let mut screen = OwnScreen::open(plan, None, |_| {}).unwrap();
        let at = |milliseconds| Moment(Duration::from_millis(milliseconds));
        assert!(screen.is_time(at(1000)));
        assert!(!screen.is_time(at(1099)));
        assert_eq!(screen.due(), Some(at(1100)));
        assert!(screen.is_time(at(1100)));
        assert_eq!(screen.due(), None);
        screen.look_at_once();
        assert!(screen.is_time(at(1101)));
        screen.leave();
        assert!(!screen.is_time(at(2000)));
        assert_eq!(screen.due(), None);
    }
}
