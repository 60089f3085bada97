//! Turns a run's output into lines: unchanged, or without screen control.

use super::filter::{Filter, Fragment};
use super::splitter::{KEEP, LineSplitter};

/// Makes lines from the bytes that a run writes.
#[derive(Debug, Default)]
pub struct LineAssembler {
    splitter: LineSplitter,
    filter: Option<Box<Filter>>,
}

impl LineAssembler {
    /// Makes one that leaves the bytes unchanged.
    pub fn unchanged() -> Self {
        Self::default()
    }

    /// Makes one that removes screen control, so that no line draws over others.
    pub fn filtered() -> Self {
        Self { filter: Some(Box::default()), ..Self::default() }
    }

    /// Returns the splitter, if these bytes need nothing but to be split.
    #[inline]
    pub(super) fn plain(&mut self, bytes: &[u8]) -> Option<&mut LineSplitter> {
        match &mut self.filter {
            None => Some(&mut self.splitter),
            Some(filter) => filter.passes(bytes).then_some(&mut self.splitter),
        }
    }

    /// Takes the next bytes, and calls `show` with what they show.
    pub fn push(&mut self, bytes: &[u8], mut show: impl FnMut(Fragment<'_>)) {
        if let Some(splitter) = self.plain(bytes) {
            splitter.push(bytes, |line| {
                show(Fragment::Line(line.strip_suffix(b"\n").unwrap_or(line)));
            });
        } else if let Some(filter) = &mut self.filter {
            let unfinished = filter.push(self.splitter.take(), bytes, &mut show);
            self.splitter.put(unfinished);
        }
    }

    /// Returns whether there is an unfinished line.
    pub fn is_waiting(&self) -> bool {
        !self.splitter.partial().is_empty()
            || self.filter.as_ref().is_some_and(|filter| filter.is_waiting())
    }

    /// Returns whether the unfinished line uses more memory than is kept allocated.
    pub(super) fn is_long(&self) -> bool {
        let filtered = self.filter.as_ref().map_or(0, |filter| filter.unfinished());
        self.splitter.partial().len().max(filtered) > KEEP
    }

    /// Frees the memory of long lines.
    pub(super) fn shrink(&mut self) {
        self.splitter.shrink();
        if let Some(filter) = &mut self.filter {
            filter.shrink();
        }
    }

    /// Returns the memory allocated for the unfinished line, if it is only split.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.splitter.memory()
    }

    /// Shows the unfinished line, because nothing came for a while.
    pub fn silence(&mut self, mut show: impl FnMut(Fragment<'_>)) {
        let has_partial = !self.splitter.partial().is_empty();
        if has_partial {
            show(Fragment::Partial(self.splitter.partial()));
            self.splitter.clear();
        }
        if let Some(filter) = &mut self.filter {
            match has_partial {
                true => filter.note_part(),
                false => filter.silence(&mut show),
            }
        }
    }

    /// Shows the rest at the end of the output.
    pub fn end(&mut self, mut show: impl FnMut(Fragment<'_>)) {
        if !self.splitter.partial().is_empty() {
            show(Fragment::Line(self.splitter.partial()));
            self.splitter.clear();
        } else if let Some(filter) = &mut self.filter {
            filter.end(&mut show);
        }
    }
}
