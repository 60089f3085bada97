//! `pm logs --exits`: the last lines before each end of an instance.

use std::collections::{HashMap, VecDeque};

use crate::state::runs::{Entry, Line, LineEnd, What};

/// Events of pm that tell of an end.
const ENDS: [&str; 2] = ["ended", "cannot-start"];

/// The last lines of each instance, as far as none of its ends came after them.
#[derive(Debug)]
pub(super) struct Exits {
    lines: usize,
    last: HashMap<String, VecDeque<HeldLine>>,
}

#[derive(Debug)]
struct HeldLine {
    at: i64,
    run: u32,
    bytes: Vec<u8>,
    end: LineEnd,
    missing: u64,
}

impl Exits {
    /// Keeps this number of lines of each.
    pub(super) fn new(lines: usize) -> Self {
        Self { lines, last: HashMap::new() }
    }

    /// Takes an entry. Where it tells of an end, gives the lines before it and itself to `show`.
    pub(super) fn take(&mut self, entry: &Entry<'_>, mut show: impl FnMut(&Entry<'_>)) {
        match &entry.what {
            What::Line(line) => {
                if !self.last.contains_key(entry.name) {
                    self.last.insert(entry.name.to_owned(), VecDeque::new());
                }
                let Some(last) = self.last.get_mut(entry.name) else { return };
                let Line { run, bytes, end, missing } = *line;
                last.push_back(HeldLine { at: entry.at, run, bytes: bytes.to_vec(), end, missing });
                if last.len() > self.lines {
                    last.pop_front();
                }
            }
            What::Notice(notice) if ENDS.contains(&notice.event.as_str()) => {
                if let Some(last) = self.last.remove(entry.name) {
                    give(entry.name, &last, &mut show);
                }
                show(entry);
            }
            What::Notice(_) | What::Started(_) | What::Ended(_) | What::Gap(_) => {}
        }
    }

    /// Gives the lines of those whose end pm has not lived to tell.
    pub(super) fn end(self, mut show: impl FnMut(&Entry<'_>)) {
        let mut left: Vec<_> = self.last.into_iter().collect();
        left.sort_by(|(name, last), (other, others)| {
            let at = |last: &VecDeque<HeldLine>| last.back().map(|held| held.at);
            (at(last), name).cmp(&(at(others), other))
        });
        for (name, last) in left {
            give(&name, &last, &mut show);
        }
    }
}

fn give(name: &str, last: &VecDeque<HeldLine>, show: &mut impl FnMut(&Entry<'_>)) {
    for HeldLine { at, run, bytes, end, missing } in last {
        let line = Line { run: *run, bytes, end: *end, missing: *missing };
        show(&Entry { at: *at, name, what: What::Line(line) });
    }
}
