//! The line below the output: when it is drawn, and how it is erased.
//!
//! Output erases it, and it is drawn again behind the output, at most every [`EVERY`]. The cursor stays where output
//! goes on: at the beginning of the line, or behind the prompt that the line stands below. So it can be erased also after
//! a terminal has wrapped it to another width.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use super::{Pump, now};
use crate::output::batch::Sink;
use crate::output::message::PumpEvent;
use crate::output::status_line::{self, StatusFacts};

/// Time between two drawings.
const EVERY: Duration = Duration::from_millis(100);
/// Time before the first drawing: what programs say when they start comes in bursts.
const FIRST: Duration = Duration::from_millis(300);
/// Erases it from where the cursor stands, and what was echoed there.
const ERASE: &[u8] = b"\r\x1b[J";
/// The same behind a prompt, which stays.
const ERASE_BELOW: &[u8] = b"\x1b[J";
/// Makes room for a row below the cursor, and goes there; the cursor is remembered. A line feed would lose the column.
const DOWN: &[u8] = b"\x0b\x1b[A\x1b7\x0b\r";
/// Goes back.
const BACK: &[u8] = b"\x1b8";

/// What the line says, and when it was drawn.
#[derive(Debug, Default)]
pub(super) struct StatusView {
    facts: Option<Box<StatusFacts>>,
    /// It was drawn with other facts, or with another count of hidden lines.
    is_stale: bool,
    hidden: u64,
    /// It is not drawn before.
    earliest: Option<Instant>,
    /// When it is to be drawn.
    next: Option<Instant>,
}

impl StatusView {
    /// Says something else from now on.
    pub(super) fn show(&mut self, facts: Box<StatusFacts>) {
        (self.facts, self.is_stale) = (Some(facts), true);
        self.earliest.get_or_insert_with(|| now() + FIRST);
    }

    /// Says nothing any more.
    pub(super) fn hide(&mut self) {
        (self.facts, self.next) = (None, None);
    }

    /// Returns when it is to be drawn, if it is.
    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Returns the columns of the terminal, as far as they are known.
    pub(super) fn columns(&self) -> usize {
        self.facts.as_ref().map_or(80, |facts| usize::from(facts.columns))
    }
}

impl<F, W> Pump<F, W>
where
    F: Fn(PumpEvent) + Send + 'static,
    W: AsFd + From<OwnedFd> + Send + 'static,
{
    /// Draws the line behind what is written next, if it is time. Returns what will erase it.
    pub(super) fn draw_status(&mut self) -> Option<&'static [u8]> {
        let view = &mut self.status;
        let facts = view.facts.as_ref()?;
        let hidden = self.renderer.hidden();
        if self.batch.stands() && !view.is_stale && view.hidden == hidden || self.batch.is_held() {
            view.next = None;
            return None;
        }
        let prompt = self.renderer.open_column();
        let is_at_edge = |column: usize| column > 0 && column.is_multiple_of(view.columns().max(1));
        // The cursor waits at the last column, which no sequence could bring back.
        if prompt.is_some_and(is_at_edge) {
            view.next = None;
            return None;
        }
        let now = now();
        view.next = view.earliest.filter(|earliest| *earliest > now);
        if view.next.is_some() {
            return None;
        }
        let line = status_line::render(facts, Some(hidden), self.renderer.has_color());
        view.earliest = Some(now + EVERY);
        (view.is_stale, view.hidden) = (false, hidden);
        let (before, after, erase) = match prompt {
            None => (&b""[..], &b"\r"[..], ERASE),
            Some(_) => (DOWN, BACK, ERASE_BELOW),
        };
        for part in [before, &line, after] {
            self.batch.append(part);
        }
        Some(erase)
    }

    /// Erases the line; it is not shown until it says something again.
    pub(super) fn hide_status(&mut self) {
        self.status.hide();
        self.batch.erase();
    }
}
