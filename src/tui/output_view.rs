//! Which lines are seen: those of the chosen instances that the filter lets through, from the end of them or from
//! where the person has scrolled to.
//!
//! While it follows, a line that the store drops is dropped here too. While it is scrolled, the lines that it shows stay
//! whatever comes: they are shared with the store, and new ones are counted.

use std::collections::VecDeque;
use std::rc::Rc;

use regex::Regex;

use super::lines::{PushedLine, StoredLine, plain};

/// So many lines are behind the view at most, of all instances together, and so many bytes.
const LINES: usize = 50_000;
const BYTES: usize = 16 << 20;
/// When a quarter of the lines is new, and at least so many, it is looked which ones the stores have dropped.
const NEW: usize = 256;
/// A line that goes on is looked for among the last so many.
const OPEN: usize = 1000;

/// Where a view that is scrolled ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ScrollEnd {
    /// The line at the foot of the view.
    line: usize,
    /// So many rows of it are below the view.
    hidden: usize,
}

/// The lines that are shown.
#[derive(Debug, Default)]
pub(super) struct OutputView {
    shown: VecDeque<Rc<StoredLine>>,
    /// The bytes of those lines.
    bytes: usize,
    /// So many lines have come since it was looked which ones the stores have dropped.
    unchecked: usize,
    end: Option<ScrollEnd>,
    /// Lines that came while it is scrolled.
    new: u64,
    /// Some of those are not among the lines here.
    is_cut: bool,
    filter: Option<Regex>,
}

/// How many rows a line takes.
pub(super) type RowCount<'a> = &'a dyn Fn(&StoredLine) -> usize;

impl OutputView {
    /// Shows these lines, in their order, from their end on.
    pub(super) fn show(&mut self, lines: impl Iterator<Item = Rc<StoredLine>>) {
        let mut all: Vec<_> = lines.filter(|line| self.takes(line)).collect();
        all.sort_by_key(|line| line.order);
        self.set(all);
        (self.end, self.new, self.is_cut) = (None, 0, false);
    }

    /// Has these lines, the last ones where they are too many.
    fn set(&mut self, all: Vec<Rc<StoredLine>>) {
        self.bytes = all.iter().map(|line| line.bytes.len()).sum();
        self.shown = all.into();
        self.cut();
    }

    /// Drops the first lines while they are too many.
    fn cut(&mut self) {
        while self.is_full() && self.shown.len() > 1 {
            let gone = self.shown.pop_front();
            self.bytes -= gone.map_or(0, |line| line.bytes.len());
        }
    }

    fn is_full(&self) -> bool {
        self.shown.len() > LINES || self.bytes > BYTES
    }

    /// Takes lines from before those that are there. What is seen stays where it is.
    pub(super) fn add_older(&mut self, lines: &[Rc<StoredLine>]) {
        if lines.is_empty() {
            return;
        }
        let foot = self.end.map(|end| (Rc::clone(&self.shown[end.line]), end.hidden));
        let older = lines.iter().filter(|line| self.takes(line)).map(Rc::clone);
        let mut all: Vec<_> = older.chain(self.shown.iter().map(Rc::clone)).collect();
        // Those of one instance may be older than what there is of another. Of one time, each has its place.
        all.sort_by_key(|line| line.at);
        self.set(all);
        let place = |(foot, hidden): (Rc<StoredLine>, usize)| {
            let line = self.shown.iter().position(|line| Rc::ptr_eq(line, &foot))?;
            Some(ScrollEnd { line, hidden })
        };
        self.end = foot.and_then(place);
    }

    /// Takes a line that has come.
    pub(super) fn push(&mut self, PushedLine { line, goes_on }: &PushedLine) {
        if !self.takes(line) {
            return;
        }
        if *goes_on {
            let mut last = self.shown.iter_mut().rev().take(OPEN);
            if let Some(at) = last.find(|shown| shown.order == line.order) {
                self.bytes = self.bytes - at.bytes.len() + line.bytes.len();
                *at = Rc::clone(line);
                return;
            }
        }
        if self.end.is_some() {
            self.new += 1;
            // What is seen stays; what comes then is in the store.
            self.is_cut |= self.shown.len() >= LINES || self.bytes + line.bytes.len() > BYTES;
        }
        if !self.is_cut {
            self.bytes += line.bytes.len();
            self.unchecked += 1;
            self.shown.push_back(Rc::clone(line));
        }
    }

    /// Takes note of new lines, and drops from time to time what the stores have dropped.
    pub(super) fn forget(&mut self, is_kept: impl Fn(&StoredLine) -> bool) {
        if self.unchecked > NEW.max(self.shown.len() / 4) {
            self.forget_all(is_kept);
        }
        if self.end.is_none() {
            self.cut();
        }
    }

    /// Drops all that the stores have dropped. A view that is scrolled keeps it.
    pub(super) fn forget_all(&mut self, is_kept: impl Fn(&StoredLine) -> bool) {
        if self.end.is_some() {
            return;
        }
        // Not from the front alone: a quiet instance keeps its lines, which may be older than all that others have dropped.
        self.shown.retain(|line| is_kept(line));
        self.bytes = self.shown.iter().map(|line| line.bytes.len()).sum();
        self.unchecked = 0;
    }

    /// Shows matching lines alone, or all. The lines must be shown again.
    pub(super) fn set_filter(&mut self, filter: Option<Regex>) {
        self.filter = filter;
    }

    /// Returns the filter.
    pub(super) fn filter(&self) -> Option<&Regex> {
        self.filter.as_ref()
    }

    fn takes(&self, line: &StoredLine) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.is_match(&plain(&line.bytes)))
    }

    /// Returns all lines.
    pub(super) fn lines(&self) -> impl Iterator<Item = &StoredLine> {
        self.shown.iter().map(|line| &**line)
    }

    /// Returns the lines that came while it is scrolled; `None` where it follows.
    pub(super) fn new_lines(&self) -> Option<u64> {
        self.end.map(|_| self.new)
    }

    /// Returns the lines of a view of so many rows, each with the rows of it that are above and below the view.
    pub(super) fn visible(
        &self,
        height: usize,
        rows: RowCount<'_>,
    ) -> Vec<(&StoredLine, usize, usize)> {
        let Some(ScrollEnd { line, hidden }) = self.end.or_else(|| self.last()) else {
            return Vec::new();
        };
        let mut left = height;
        let mut seen = Vec::new();
        for at in (0..=line.min(self.shown.len().saturating_sub(1))).rev() {
            if left == 0 {
                break;
            }
            let shown = &*self.shown[at];
            let below = if at == line { hidden } else { 0 };
            let count = rows(shown).saturating_sub(below);
            seen.push((shown, count.saturating_sub(left), below));
            left -= count.min(left);
        }
        seen.reverse();
        seen
    }

    fn last(&self) -> Option<ScrollEnd> {
        let line = self.shown.len().checked_sub(1)?;
        Some(ScrollEnd { line, hidden: 0 })
    }

    /// Scrolls towards the beginning by so many rows, as far as the view stays full.
    pub(super) fn up(&mut self, by: usize, height: usize, rows: RowCount<'_>) {
        let Some(mut at) = self.end.or_else(|| self.last()) else { return };
        let mut above = self.rows_to(at, height + by, rows);
        for _ in 0..by {
            if above <= height {
                break;
            }
            above -= 1;
            at.hidden += 1;
            if at.hidden >= rows(&self.shown[at.line]) && at.line > 0 {
                at = ScrollEnd { line: at.line - 1, hidden: 0 };
            }
        }
        if self.end.is_some() || Some(at) != self.last() {
            self.end = Some(at);
        }
    }

    /// Counts rows up to the foot of a view, to a limit.
    fn rows_to(&self, at: ScrollEnd, limit: usize, rows: RowCount<'_>) -> usize {
        let mut count = rows(&self.shown[at.line]).saturating_sub(at.hidden);
        for line in (0..at.line).rev() {
            if count > limit {
                break;
            }
            count += rows(&self.shown[line]);
        }
        count
    }

    /// Scrolls towards the end by so many rows. Returns whether it has got there, and is to follow again.
    pub(super) fn down(&mut self, by: usize, rows: RowCount<'_>) -> bool {
        let Some(mut at) = self.end else { return false };
        for _ in 0..by {
            if at.hidden > 0 {
                at.hidden -= 1;
            } else if at.line + 1 < self.shown.len() {
                let line = at.line + 1;
                at = ScrollEnd { line, hidden: rows(&self.shown[line]).saturating_sub(1) };
            }
        }
        self.end = Some(at);
        self.end == self.last()
    }

    /// Scrolls to the beginning.
    pub(super) fn top(&mut self, height: usize, rows: RowCount<'_>) {
        let mut left = height;
        for (line, shown) in self.shown.iter().enumerate() {
            let count = rows(shown);
            if count >= left {
                self.end = Some(ScrollEnd { line, hidden: count - left });
                return;
            }
            left -= count;
        }
    }

    /// Finds the nearest line that matches behind another, or before it, and once around. Returns its order. From nowhere,
    /// it is the foot of the view, which is itself before.
    pub(super) fn find(&self, pattern: &Regex, from: Option<u64>, is_forward: bool) -> Option<u64> {
        let is_match = |line: &&Rc<StoredLine>| pattern.is_match(&plain(&line.bytes));
        let (before, behind) = match from.and_then(|order| self.place_of(order)) {
            Some(at) => (self.shown.range(..at), self.shown.range(at + 1..)),
            None => {
                let behind = self.end.or_else(|| self.last())?.line + 1;
                (self.shown.range(..behind), self.shown.range(behind..))
            }
        };
        let found = if is_forward {
            behind.chain(before).find(is_match)
        } else {
            before.rev().chain(behind.rev()).find(is_match)
        };
        let itself = || self.shown.get(self.place_of(from?)?).filter(is_match);
        found.or_else(itself).map(|line| line.order)
    }

    /// Returns where a line is, by its order. Lines are in the order of their times.
    fn place_of(&self, order: u64) -> Option<usize> {
        self.shown.iter().position(|line| line.order == order)
    }

    /// Returns whether the first line is seen by who has scrolled.
    pub(super) fn is_at_top(&self, height: usize, rows: RowCount<'_>) -> bool {
        self.end.is_some_and(|end| self.rows_to(end, height, rows) <= height)
    }

    /// Scrolls so that a line is seen, in the middle where it was not.
    pub(super) fn reveal(&mut self, order: u64, height: usize, rows: RowCount<'_>) {
        if self.visible(height, rows).iter().any(|(line, ..)| line.order == order) {
            // New lines must not take it away.
            self.end = self.end.or_else(|| self.last());
            return;
        }
        let Some(at) = self.place_of(order) else { return };
        self.end = Some(ScrollEnd { line: at, hidden: 0 });
        self.down(height / 2, rows);
        // Not beyond the beginning.
        let end = self.end;
        self.top(height, rows);
        let first =
            |end: Option<ScrollEnd>| end.map(|end| (end.line, std::cmp::Reverse(end.hidden)));
        if first(end) > first(self.end) {
            self.end = end;
        }
    }

    /// Returns whether it must be shown again to follow: lines were left out.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Follows again. Where [`Self::is_cut`], the lines must be shown again.
    pub(super) fn follow(&mut self) {
        (self.end, self.new) = (None, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui_core::style::Style;

    fn line(order: u64) -> Rc<StoredLine> {
        let bytes = format!("line {order}").into_bytes();
        let at = i64::try_from(order).unwrap();
        Rc::new(StoredLine { owner: 0, order, at, bytes, style: Style::default() })
    }

    fn seen(view: &OutputView) -> Vec<u64> {
        view.visible(4, &|_| 1).iter().map(|(line, ..)| line.order).collect()
    }

    fn push(view: &mut OutputView, order: u64) {
        view.push(&PushedLine { line: line(order), goes_on: false });
        view.forget(|line| line.order + 20 > order);
    }

    #[test]
    fn a_view_that_is_scrolled_stands_still_and_counts_what_comes() {
        let mut view = OutputView::default();
        view.show((0..10).map(line));
        assert_eq!(seen(&view), [6, 7, 8, 9]);
        view.up(3, 4, &|_| 1);
        assert_eq!((seen(&view), view.new_lines()), (vec![3, 4, 5, 6], Some(0)));
        // Far more than is kept.
        (10..10_010).for_each(|order| push(&mut view, order));
        assert_eq!((seen(&view), view.new_lines()), (vec![3, 4, 5, 6], Some(10_000)));
        view.follow();
        push(&mut view, 10_010);
        assert_eq!((seen(&view), view.new_lines()), (vec![10_007, 10_008, 10_009, 10_010], None));
        assert_eq!(view.shown.len(), 20);
    }

    #[test]
    fn what_comes_while_it_is_scrolled_is_bounded() {
        let mut view = OutputView::default();
        view.show((0..10).map(line));
        view.up(1, 4, &|_| 1);
        (10..60_000).for_each(|order| push(&mut view, order));
        assert_eq!((view.shown.len(), view.new_lines()), (LINES, Some(59_990)));
        assert!(view.is_cut());
        assert_eq!(seen(&view), [5, 6, 7, 8]);
    }

    #[test]
    fn what_others_have_dropped_goes_also_behind_an_old_line_that_is_kept() {
        let mut view = OutputView::default();
        view.show(std::iter::once(line(0)));
        for order in 1..10_000 {
            view.push(&PushedLine { line: line(order), goes_on: false });
            view.forget(|line| line.order == 0 || line.order + 20 > order);
            assert!(view.shown.len() < 20 + 2 * NEW, "{} lines", view.shown.len());
        }
        view.forget_all(|line| line.order == 0 || line.order >= 9_990);
        assert_eq!(view.shown.iter().map(|it| it.order).sum::<u64>(), (9_990..10_000).sum::<u64>());
        assert_eq!(view.bytes, view.shown.iter().map(|it| it.bytes.len()).sum::<usize>());
    }

    #[test]
    fn long_lines_are_bounded_by_their_bytes() {
        let long =
            |order| Rc::new(StoredLine { bytes: vec![b'x'; 16 << 10], ..(*line(order)).clone() });
        let mut view = OutputView::default();
        view.show((0..3_000).map(long));
        assert_eq!((view.shown.len(), view.bytes), (1024, BYTES));
        for order in 3_000..4_000 {
            view.push(&PushedLine { line: long(order), goes_on: false });
            view.forget(|_| true);
        }
        assert_eq!((view.shown.len(), seen(&view)), (1024, vec![3_996, 3_997, 3_998, 3_999]));
        view.up(1, 4, &|_| 1);
        view.push(&PushedLine { line: long(4_000), goes_on: false });
        assert_eq!((view.shown.len(), view.is_cut(), view.new_lines()), (1024, true, Some(1)));
    }

    #[test]
    fn it_scrolls_by_rows_of_wrapped_lines_and_not_beyond_the_ends() {
        let rows = |line: &StoredLine| if line.order == 2 { 3 } else { 1 };
        let mut view = OutputView::default();
        view.show((0..5).map(line));
        let parts = |view: &OutputView| {
            let part =
                |(line, above, below): (&StoredLine, usize, usize)| (line.order, above, below);
            view.visible(3, &rows).into_iter().map(part).collect::<Vec<_>>()
        };
        assert_eq!(parts(&view), [(2, 2, 0), (3, 0, 0), (4, 0, 0)]);
        view.up(2, 3, &rows);
        assert_eq!(parts(&view), [(2, 0, 0)]);
        view.up(1, 3, &rows);
        assert_eq!(parts(&view), [(1, 0, 0), (2, 0, 1)]);
        view.up(9, 3, &rows);
        assert_eq!(parts(&view), [(0, 0, 0), (1, 0, 0), (2, 0, 2)]);
        assert!(!view.down(1, &rows));
        assert_eq!(parts(&view), [(1, 0, 0), (2, 0, 1)]);
        assert!(view.down(9, &rows), "the end is reached");
        view.top(3, &rows);
        assert_eq!(parts(&view), [(0, 0, 0), (1, 0, 0), (2, 0, 2)]);
    }

    #[test]
    fn a_view_that_is_not_full_does_not_scroll() {
        let mut view = OutputView::default();
        view.up(1, 4, &|_| 1);
        view.show((0..4).map(line));
        view.up(1, 4, &|_| 1);
        assert_eq!(view.new_lines(), None);
        view.top(4, &|_| 1);
        assert_eq!(seen(&view), [0, 1, 2, 3]);
    }

    #[test]
    fn matches_are_found_in_both_directions_and_around() {
        let mut view = OutputView::default();
        view.show((0..100).map(line));
        let pattern = Regex::new("^line .*5$").unwrap();
        assert_eq!(view.find(&pattern, None, false), Some(95));
        assert_eq!(view.find(&pattern, Some(95), true), Some(5));
        assert_eq!(view.find(&pattern, Some(5), true), Some(15));
        assert_eq!(view.find(&pattern, Some(5), false), Some(95));
        assert_eq!(view.find(&Regex::new("^line 7$").unwrap(), Some(7), true), Some(7));
        assert_eq!(view.find(&Regex::new("no").unwrap(), None, true), None);
        view.reveal(50, 4, &|_| 1);
        assert!(seen(&view).contains(&50));
        view.reveal(0, 4, &|_| 1);
        assert_eq!(seen(&view), [0, 1, 2, 3]);
    }

    #[test]
    fn a_filter_holds_for_what_is_there_and_what_comes() {
        let mut view = OutputView::default();
        view.set_filter(Regex::new("[13579]$").ok());
        view.show((0..6).map(line));
        push(&mut view, 6);
        push(&mut view, 7);
        assert_eq!(seen(&view), [1, 3, 5, 7]);
    }

    #[test]
    fn a_line_that_goes_on_takes_its_own_place() {
        let mut view = OutputView::default();
        view.show((0..3).map(line));
        let longer = StoredLine { bytes: b"line 1 and more".to_vec(), ..(*line(1)).clone() };
        view.push(&PushedLine { line: Rc::new(longer), goes_on: true });
        assert_eq!(view.shown.len(), 3);
        assert_eq!(view.shown[1].bytes, b"line 1 and more");
    }

    #[test]
    fn older_lines_stand_before_the_others_and_move_nothing_that_is_seen() {
        let mut view = OutputView::default();
        view.show((100..110).map(line));
        assert!(!view.is_at_top(4, &|_| 1));
        view.top(4, &|_| 1);
        assert!(view.is_at_top(4, &|_| 1));
        view.add_older(&(0..100).map(line).collect::<Vec<_>>());
        assert_eq!(seen(&view), [100, 101, 102, 103]);
        assert!(!view.is_at_top(4, &|_| 1));
        view.up(2, 4, &|_| 1);
        assert_eq!(seen(&view), [98, 99, 100, 101]);
        let pattern = Regex::new("^line 5$").unwrap();
        assert_eq!(view.find(&pattern, None, false), Some(5));
        // One instance may have more in memory than another: lines stand where they were read.
        let between = StoredLine { order: 7, at: 104, ..(*line(7)).clone() };
        view.add_older(&[Rc::new(between)]);
        let orders: Vec<_> = view.shown.iter().skip(104).take(3).map(|it| it.order).collect();
        assert_eq!(orders, [7, 104, 105]);
        // Who follows again has what is in memory.
        view.follow();
        view.push(&PushedLine { line: line(110), goes_on: false });
        view.forget(|line| line.order >= 100);
        assert_eq!(seen(&view), [107, 108, 109, 110]);
    }
}
