//! A pipe or terminal that a run writes to, and what its output goes through.

use std::os::fd::OwnedFd;
use std::time::Instant;

use super::{SILENCE, now};
use crate::app::RunId;
use crate::os::input;
use crate::output::assembler::LineAssembler;
use crate::output::counts::OutputCount;
use crate::output::crlf::CrlfToLf;
use crate::output::line_matcher::LineMatcher;
use crate::output::log::TypeOutput;
use crate::output::message::PumpEvent;
use crate::output::render::LabelId;
use crate::output::subscription::TerminalViewer;
use crate::state::runs::RingId;

/// One of a run that may still write.
pub(super) struct OpenPipe {
    pub(super) run: RunId,
    pub(super) pipe: OwnedFd,
    /// What stands before its lines; `None` where they are not shown.
    pub(super) label: Option<LabelId>,
    /// Where a copy of its output is kept.
    pub(super) ring: Option<RingId>,
    pub(super) lines: LineAssembler,
    pub(super) count: OutputCount,
    /// The same on the way to the log of its type.
    pub(super) copy: Option<TypeOutput>,
    /// It is a terminal, which ends lines in its own way.
    pub(super) terminal: Option<CrlfToLf>,
    pub(super) viewers: Vec<TerminalViewer>,
    /// Lines that show that the run is ready.
    pub(super) matcher: Option<LineMatcher>,
    /// When bytes last came, while a line is unfinished or the program may wait for input.
    pub(super) waiting_since: Option<Instant>,
    /// When bytes last came to a line that needs much memory, which is given back some time later.
    pub(super) long_since: Option<Instant>,
}

impl OpenPipe {
    /// Looks in what was read for the lines that show that the run is ready, until they were seen.
    pub(super) fn was_read(&mut self, bytes: &[u8], report: impl Fn(PumpEvent)) {
        if self.matcher.take_if(|matcher| matcher.push(bytes)).is_some() {
            report(PumpEvent::Matched(self.run));
        }
    }

    /// Returns whether something is to be done about its unfinished line at its end, or after silence.
    pub(super) fn is_waiting(&self) -> bool {
        self.lines.is_waiting()
            || self.copy.as_ref().is_some_and(TypeOutput::is_waiting)
            || self.matcher.as_ref().is_some_and(LineMatcher::is_waiting)
    }

    /// Returns whether it is a terminal whose program may wait for what is typed.
    pub(super) fn may_ask(&self) -> bool {
        self.terminal.is_some() && (self.lines.is_waiting() || input::edits_lines(&self.pipe))
    }

    /// Remembers since when something waits, after a read; `next_look` is when silence is looked for. `reports_prompts`:
    /// also when a terminal is silent.
    pub(super) fn wait_from_now(&mut self, reports_prompts: bool, next_look: &mut Option<Instant>) {
        let is_watched = reports_prompts && self.terminal.is_some();
        self.waiting_since = (is_watched || self.is_waiting()).then(now);
        if let Some(since) = self.waiting_since {
            next_look.get_or_insert(since + SILENCE);
            if self.lines.is_long() {
                self.long_since = Some(since);
            }
        }
    }
}
