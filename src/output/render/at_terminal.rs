//! What a person sees besides lines as they come: a part of them, those of before, and lines of pm's own without a name.

use jiff::Timestamp;

use super::{LabelId, Medium, Renderer};
use crate::app::InstanceId;
use crate::output::assembler::LineAssembler;
use crate::output::batch::Sink;
use crate::output::filter::Fragment;
use crate::output::line_filter::LineFilter;
use crate::output::subscription::KeptLine;

impl Renderer {
    /// Shows a part of the lines from now on.
    pub(in crate::output) fn set_filter(&mut self, filter: LineFilter) {
        if !filter.is_searching {
            self.hidden = 0;
        }
        self.filter = filter.is_active().then(|| Box::new(filter));
    }

    /// Returns how many lines did not match the filter.
    pub(in crate::output) fn hidden(&self) -> u64 {
        self.hidden
    }

    /// Returns whether lines of a source are not shown, or not all of them.
    pub(super) fn may_hide(&self, label: LabelId) -> bool {
        self.filter.as_ref().is_some_and(|filter| filter.has_pattern() || self.hides(label))
    }

    fn hides(&self, label: LabelId) -> bool {
        let Some(filter) = &self.filter else { return false };
        self.types[label.index()].is_some_and(|at| filter.hides_type(at))
    }

    /// Shows what a source's output shows, unless it is hidden.
    pub(super) fn put_filtered(
        &mut self,
        label: LabelId,
        piece: Fragment<'_>,
        out: &mut impl Sink,
    ) {
        let Some(filter) = &self.filter else { return self.put(label, piece, out) };
        match piece {
            Fragment::Line(_) | Fragment::Partial(_) if self.hides(label) => {}
            Fragment::Line(bytes) | Fragment::Partial(bytes) if filter.hides_line(bytes) => {
                self.hidden += 1;
            }
            Fragment::Line(_) | Fragment::Partial(_) | Fragment::Restarted => {
                self.put(label, piece, out);
            }
        }
    }

    /// Returns the column behind the unfinished line that the cursor stands behind, if it does.
    pub(in crate::output) fn open_column(&self) -> Option<usize> {
        match &self.medium {
            Medium::Text(renderer) => renderer.open_column(),
            Medium::Json => None,
        }
    }

    /// Returns whether lines have colour.
    pub(in crate::output) fn has_color(&self) -> bool {
        match &self.medium {
            Medium::Text(renderer) => renderer.has_color(),
            Medium::Json => false,
        }
    }

    /// Ends an unfinished line, whosever it is.
    pub(in crate::output) fn end_open(&mut self, out: &mut impl Sink) {
        match &mut self.medium {
            Medium::Text(renderer) => renderer.end_open(out),
            Medium::Json => {}
        }
    }

    /// Shows lines as they are.
    pub(in crate::output) fn insert(&mut self, lines: &[String], out: &mut impl Sink) {
        self.end_open(out);
        for line in lines {
            out.append(line.as_bytes());
            out.append(b"\n");
        }
    }

    /// Returns a ruler of this width, with the time.
    pub(in crate::output) fn ruler(&self, columns: usize) -> String {
        format!("{:-<columns$}", format!("---- {} ", self.clock.time_of_day()))
    }

    /// Shows lines that an instance has written before, with the times that they came.
    pub(in crate::output) fn replay(&mut self, kept: &[KeptLine], out: &mut impl Sink) {
        let mut lines: Vec<(InstanceId, LineAssembler)> = Vec::new();
        for KeptLine { instance, at, bytes } in kept {
            let Some((label, _)) = self.labels.get(instance).copied() else { continue };
            self.set_time(Timestamp::from_millisecond(*at).unwrap_or_default());
            let place = lines.iter().position(|(id, _)| id == instance).unwrap_or_else(|| {
                lines.push((*instance, LineAssembler::filtered()));
                lines.len() - 1
            });
            lines[place].1.push(bytes, |piece| self.put(label, piece, out));
        }
        for (instance, mut left) in lines {
            if let Some((label, _)) = self.labels.get(&instance).copied() {
                left.end(|piece| self.put(label, piece, out));
            }
        }
        self.tick();
    }
}
