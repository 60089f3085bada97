//! Shows what is selected of a log, in the form that was asked for.

use std::collections::HashMap;
use std::io;

use super::exits::Exits;
use super::out::Out;
use super::select::{RunStarts, Selection};
use super::view::View;
use crate::state::runs::{Entry, Reader};

/// What is shown of a log, and how.
pub(super) struct Show {
    selection: Selection,
    view: View,
    /// The last lines before each end alone.
    exits: Option<Exits>,
    out: Out,
    /// The starts in all of the log, and those up to here.
    starts: (RunStarts, RunStarts),
    /// How many are not shown yet of what is selected of an instance.
    skip: HashMap<String, usize>,
}

impl Show {
    pub(super) fn new(selection: Selection, view: View, exits: Option<Exits>, out: Out) -> Self {
        let starts = (RunStarts::default(), RunStarts::default());
        Self { selection, view, exits, out, starts, skip: HashMap::new() }
    }

    /// Looks through the whole log, where that is needed to know what of it is shown: `tail` is how many of each
    /// instance. `open` reads it from its beginning.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn prepare(
        &mut self,
        tail: Option<usize>,
        open: impl Fn() -> io::Result<Reader>,
    ) -> io::Result<()> {
        if self.selection.needs_starts() {
            let whole = &mut self.starts.0;
            each(&mut open()?, |entry| {
                whole.note(entry);
                true
            })?;
        }
        // With `--exits`, it is the lines before each end.
        let Some(tail) = tail.filter(|_| self.exits.is_none()) else { return Ok(()) };
        let mut counts: HashMap<String, usize> = HashMap::new();
        let mut so_far = RunStarts::default();
        each(&mut open()?, |entry| {
            if self.selection.takes(entry, &mut so_far, &self.starts.0) {
                match counts.get_mut(entry.name) {
                    Some(count) => *count += 1,
                    None => drop(counts.insert(entry.name.to_owned(), 1)),
                }
            }
            true
        })?;
        self.skip =
            counts.into_iter().map(|(name, all)| (name, all.saturating_sub(tail))).collect();
        Ok(())
    }

    /// Shows what is written by now of a log. Returns false where nobody reads on.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn written(&mut self, reader: &mut Reader) -> io::Result<bool> {
        while let Some(entry) = reader.next()? {
            if !self.entry(&entry) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Shows the lines that have no end yet. Returns false where nobody reads on.
    pub(super) fn unfinished(&mut self, reader: &mut Reader) -> bool {
        while let Some(entry) = reader.unfinished() {
            if !self.entry(&entry) {
                return false;
            }
        }
        true
    }

    /// Shows an entry, if it is one of those. Returns false where nobody reads on.
    fn entry(&mut self, entry: &Entry<'_>) -> bool {
        let (whole, so_far) = &mut self.starts;
        if !self.selection.takes(entry, so_far, whole) {
            return true;
        }
        if let Some(left) = self.skip.get_mut(entry.name).filter(|left| **left > 0) {
            *left -= 1;
            return true;
        }
        let Self { view, out, exits, .. } = self;
        match exits {
            Some(exits) => exits.take(entry, |entry| view.entry(entry, &mut out.bytes)),
            None => view.entry(entry, &mut out.bytes),
        }
        out.pass_on()
    }

    /// Writes what was shown so far.
    pub(super) fn out(&mut self) -> &mut Out {
        &mut self.out
    }

    /// Shows what waits for more that does not come. `has_ended`: the session, and so every instance.
    pub(super) fn end(&mut self, has_ended: bool) {
        let Self { view, out, exits, .. } = self;
        if let Some(exits) = exits.take().filter(|_| has_ended) {
            exits.end(|entry| view.entry(entry, &mut out.bytes));
        }
        view.end(&mut out.bytes);
    }
}

/// Gives each entry to `take`, until that returns false.
fn each(reader: &mut Reader, mut take: impl FnMut(&Entry<'_>) -> bool) -> io::Result<()> {
    while let Some(entry) = reader.next()? {
        if !take(&entry) {
            return Ok(());
        }
    }
    while let Some(entry) = reader.unfinished() {
        if !take(&entry) {
            return Ok(());
        }
    }
    Ok(())
}
