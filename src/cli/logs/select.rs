//! Which entries of a log are shown: by time, by who speaks, by what they say.

use std::collections::HashMap;

use super::search::Search;
use super::when::When;
use crate::app::select;
use crate::state::runs::{Entry, What};

/// Who is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Voices {
    /// Everyone.
    All,
    /// The processes.
    Processes,
    /// pm.
    Pm,
    /// Everyone; what pm says is not searched.
    Exits,
}

/// What is shown.
#[derive(Debug)]
pub(super) struct Selection {
    pub(super) voices: Voices,
    /// Names or globs of instances; none: all, and the session.
    pub(super) patterns: Vec<String>,
    pub(super) search: Option<Search>,
    /// From when on.
    pub(super) since: Bound,
    /// Until when.
    pub(super) until: Bound,
}

/// A limit of what is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// There is none.
    Open,
    /// A time, in milliseconds since 1970.
    At(i64),
    /// The last start of each instance.
    Restart,
}

impl Bound {
    /// Makes one of what was typed; `start` is that of the run.
    pub(super) fn of(when: Option<&When>, start: i64, at: impl Fn(&When) -> Option<i64>) -> Self {
        match when {
            None => Self::Open,
            Some(When::Restart) => Self::Restart,
            Some(when) => Self::At(at(when).unwrap_or(start)),
        }
    }
}

/// How often each instance was started, as a log says; counted while it is read.
#[derive(Debug, Default)]
pub(super) struct RunStarts {
    counts: HashMap<String, StartCount>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct StartCount {
    /// Times that pm has said so.
    told: u32,
    /// The number of the run that the output belongs to.
    run: u32,
}

impl RunStarts {
    /// Takes note of an entry.
    pub(super) fn note(&mut self, entry: &Entry<'_>) {
        let (told, run) = match &entry.what {
            What::Notice(notice) => (u32::from(notice.event == "started"), 0),
            What::Started(run) => (0, *run),
            What::Line(line) => (0, line.run),
            What::Ended(_) | What::Gap(_) => return,
        };
        // No allocation for a name that is known.
        if !self.counts.contains_key(entry.name) {
            self.counts.insert(entry.name.to_owned(), StartCount::default());
        }
        if let Some(count) = self.counts.get_mut(entry.name) {
            count.told += told;
            count.run = count.run.max(run);
        }
    }

    /// Returns whether an instance has had its last start, by what `whole` knows of all.
    fn has_had_last(&self, name: &str, whole: &Self) -> bool {
        let here = self.counts.get(name).copied().unwrap_or_default();
        let there = whole.counts.get(name).copied().unwrap_or_default();
        // pm says it before the first line. What it said may be gone, and later it is said again.
        (there.told > 0 && here.told >= there.told) || (there.run > 0 && here.run >= there.run)
    }
}

impl Selection {
    /// Returns whether all of a log must be seen before something of it is shown.
    pub(super) fn needs_starts(&self) -> bool {
        self.since == Bound::Restart || self.until == Bound::Restart
    }

    /// Returns whether an entry is shown. `so_far` are the starts up to it, and `whole` those in all of the log, where
    /// they are needed.
    pub(super) fn takes(
        &self,
        entry: &Entry<'_>,
        so_far: &mut RunStarts,
        whole: &RunStarts,
    ) -> bool {
        let is_restarted = self.needs_starts() && {
            so_far.note(entry);
            so_far.has_had_last(entry.name, whole)
        };
        let is_since = match self.since {
            Bound::Open => true,
            Bound::At(at) => entry.at >= at,
            Bound::Restart => is_restarted,
        };
        let is_until = match self.until {
            Bound::Open => true,
            Bound::At(at) => entry.at <= at,
            Bound::Restart => !is_restarted,
        };
        is_since && is_until && self.is_meant(entry.name) && self.is_heard(entry)
    }

    fn is_meant(&self, name: &str) -> bool {
        self.patterns.is_empty() || self.patterns.iter().any(|pattern| select::fits(pattern, name))
    }

    fn is_heard(&self, entry: &Entry<'_>) -> bool {
        let finds = |bytes: &[u8]| self.search.as_ref().is_none_or(|search| search.takes(bytes));
        match (&entry.what, self.voices) {
            (What::Line(line), Voices::All | Voices::Processes | Voices::Exits) => {
                finds(line.bytes)
            }
            (What::Notice(notice), Voices::All | Voices::Pm) => finds(notice.text.as_bytes()),
            (What::Notice(_), Voices::Exits) => true,
            (What::Gap(_), Voices::All) => self.search.is_none(),
            (What::Line(_), Voices::Pm)
            | (What::Notice(_), Voices::Processes)
            | (What::Gap(_), Voices::Processes | Voices::Pm | Voices::Exits)
            | (What::Started(_) | What::Ended(_), _) => false,
        }
    }
}
