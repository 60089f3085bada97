//! All that the ui knows.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use regex::Regex;

use super::areas::Areas;
use super::keys::{KeyMap, UiAction};
use super::lines::{LineStore, StoredLine, Wrapping, rows_of, spans};
use super::look::UiLook;
use super::older::InstanceOutput;
use super::output_view::OutputView;
use super::pane::Pane;
use super::rows::{Chosen, rows};
use super::sessions::ShownSession;

/// Memory for the lines of all instances together, of one at most, and at least: as a session keeps them.
const TOTAL: usize = 8 << 20;
const MOST: usize = 256 << 10;
const LEAST: usize = 16 << 10;
/// Lines are counted from here on: older ones have lower numbers.
const FIRST_ORDER: u64 = 1 << 32;

/// Where arrows go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Focus {
    List,
    Output,
}

/// What keys mean at present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeyMode {
    /// Each is an action.
    Actions,
    /// A regular expression is typed, to search or to filter.
    Prompt { is_filter: bool, text: String },
    /// The next one says for whom an action is: a digit, or Enter for what is chosen.
    Whom(UiAction),
    /// The help is shown, from this row on.
    Help { first: usize },
}

/// The model.
#[derive(Debug)]
pub(super) struct UiModel {
    pub(super) look: UiLook,
    pub(super) keys: KeyMap,
    pub(super) sessions: Vec<ShownSession>,
    pub(super) rows: Vec<Chosen>,
    pub(super) chosen: Chosen,
    pub(super) focus: Focus,
    pub(super) mode: KeyMode,
    pub(super) output: OutputView,
    /// Columns and rows of the screen.
    pub(super) size: (u16, u16),
    pub(super) is_full: bool,
    pub(super) is_wrapped: bool,
    /// Columns of long lines that are to the left of the view.
    pub(super) skip: usize,
    pub(super) search: Option<Regex>,
    /// The line that was found, by its order.
    pub(super) found: Option<u64>,
    /// Types that are hidden among all.
    pub(super) muted: HashSet<(usize, String)>,
    pub(super) pane: Option<Pane>,
    /// The pane of this run was refused, or has ended: an instance, and the process id of its leader.
    pub(super) has_no_pane: Option<(Chosen, Option<i32>)>,
    pub(super) message: Option<String>,
    pub(super) has_mouse: bool,
    /// The picture of it is another one.
    pub(super) is_changed: bool,
    /// The time of day, for a line that marks a place.
    pub(super) time_of_day: fn() -> String,
    stores: Vec<LineStore>,
    owners: HashMap<(usize, String), u32>,
    /// The session and the name of each owner of lines.
    names: Vec<(usize, String)>,
    order: u64,
    /// When output came last, in milliseconds since 1970.
    pub(super) last_at: i64,
    /// Lines that a session keeps in files, from before those that it has in memory: of what is chosen, while the person
    /// has scrolled.
    pub(super) older: Vec<Rc<StoredLine>>,
    /// They were asked for.
    pub(super) is_older_asked: bool,
    /// The first reports have not come.
    is_new: bool,
}

impl UiModel {
    pub(super) fn new(sessions: Vec<ShownSession>, keys: KeyMap, look: UiLook) -> Self {
        Self {
            look,
            keys,
            rows: rows(&sessions),
            sessions,
            chosen: Chosen::All,
            focus: Focus::List,
            mode: KeyMode::Actions,
            output: OutputView::default(),
            size: (0, 0),
            is_full: false,
            is_wrapped: false,
            skip: 0,
            search: None,
            found: None,
            muted: HashSet::new(),
            pane: None,
            has_no_pane: None,
            message: None,
            has_mouse: false,
            is_changed: true,
            time_of_day: String::new,
            stores: Vec::new(),
            owners: HashMap::new(),
            names: Vec::new(),
            order: FIRST_ORDER,
            last_at: 0,
            older: Vec::new(),
            is_older_asked: false,
            is_new: true,
        }
    }

    /// Makes the rows of the list again, after a report. What is chosen stays chosen where it is still there.
    pub(super) fn arrange(&mut self) {
        self.rows = rows(&self.sessions);
        if !self.rows.contains(&self.chosen) || self.is_new {
            let one = self.sessions.len() == 1 && self.sessions[0].instances().len() == 1;
            self.is_new &= self.sessions.iter().all(|session| session.report.is_none());
            let parent = match &self.chosen {
                Chosen::Instance(at, name) => {
                    Some(Chosen::Type(*at, super::sessions::type_of(name).to_owned()))
                }
                _ => None,
            };
            let parent = parent.filter(|parent| self.rows.contains(parent) && !one);
            if let Some(next) = parent.or_else(|| self.rows.first().cloned()) {
                self.choose(next);
            }
        }
    }

    /// Chooses something else, and shows its output from the end on.
    pub(super) fn choose(&mut self, chosen: Chosen) {
        if chosen != self.chosen {
            self.chosen = chosen;
            self.has_no_pane = None;
            self.skip = 0;
            self.found = None;
            self.forget_older();
        }
        self.show_again();
    }

    /// Shows the output of what is chosen from the end on.
    pub(super) fn show_again(&mut self) {
        let takes =
            |store: &LineStore| store.lines().next().is_some_and(|line| self.takes(line.owner));
        let stores: Vec<_> = self.stores.iter().filter(|store| takes(store)).collect();
        self.output.show(stores.into_iter().flat_map(LineStore::lines).map(Rc::clone));
        let older: Vec<_> = self.older.iter().filter(|it| self.takes(it.owner)).cloned().collect();
        self.output.add_older(&older);
    }

    /// Lets go of lines that are in files. The lines must be shown again.
    pub(super) fn forget_older(&mut self) {
        self.older = Vec::new();
        self.is_older_asked = false;
    }

    /// Returns whether lines of this owner are shown.
    fn takes(&self, owner: u32) -> bool {
        let (session, name) = &self.names[owner as usize];
        let is_muted = || {
            let of = super::sessions::type_of(name).to_owned();
            self.muted.contains(&(*session, of))
        };
        self.chosen.takes(*session, name)
            && (matches!(self.chosen, Chosen::Instance(..) | Chosen::Type(..)) || !is_muted())
    }

    /// Takes output of an instance. Returns whether any of it is shown.
    pub(super) fn output(&mut self, session: usize, output: &InstanceOutput) -> bool {
        let InstanceOutput { name, at, bytes } = output;
        self.last_at = *at;
        let owner = self.owner(session, name);
        let is_shown = self.takes(owner);
        let store = &mut self.stores[owner as usize];
        if bytes.is_empty() {
            store.end_run();
            return is_shown;
        }
        let view = &mut self.output;
        store.push((bytes, *at), &mut self.order, |pushed| {
            if is_shown {
                view.push(&pushed);
            }
        });
        if is_shown {
            let stores = &self.stores;
            self.output.forget(|line| is_kept(stores, line));
        }
        is_shown
    }

    /// Drops what no store has any more, before who follows scrolls: what is older is asked for then.
    pub(super) fn forget_dropped(&mut self) {
        let stores = &self.stores;
        self.output.forget_all(|line| is_kept(stores, line));
    }

    /// Returns the number by which lines of an instance are told from others.
    pub(super) fn owner(&mut self, session: usize, name: &str) -> u32 {
        let key = (session, name.to_owned());
        if let Some(owner) = self.owners.get(&key) {
            return *owner;
        }
        // So many instances have no place in memory.
        let owner = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        let count: usize = self.sessions.iter().map(|session| session.instances().len()).sum();
        let limit = (TOTAL / count.max(1)).clamp(LEAST, MOST);
        self.names.push(key.clone());
        self.stores.push(LineStore::new(owner, limit));
        self.owners.insert(key, owner);
        owner
    }

    /// Returns the lines of an owner that the session has in memory.
    pub(super) fn store(&self, owner: u32) -> &LineStore {
        &self.stores[owner as usize]
    }

    /// Returns the session and the name of the owner of a line.
    pub(super) fn name_of(&self, owner: u32) -> (usize, &str) {
        let (session, name) = &self.names[owner as usize];
        (*session, name)
    }

    /// Returns what an instance has left on.
    pub(super) fn is_alternate(&self, session: usize, name: &str) -> bool {
        let owner = self.owners.get(&(session, name.to_owned()));
        owner.is_some_and(|owner| self.stores[*owner as usize].left_on().is_alternate)
    }

    /// Returns the parts of the screen.
    pub(super) fn areas(&self) -> Option<Areas> {
        Areas::of(self.size, self.is_full)
    }

    /// Returns how many columns stand before each line: the name of the instance, where lines of several are shown.
    pub(super) fn prefix_width(&self) -> usize {
        if self.chosen.is_one() || self.is_full {
            return 0;
        }
        let width = |session: usize, name: &str| {
            if self.chosen.takes(session, name) { name.chars().count() } else { 0 }
        };
        let sessions = self.sessions.iter().enumerate();
        let widths = sessions.flat_map(|(at, session)| {
            session.instances().iter().map(move |instance| width(at, &instance.name))
        });
        widths.max().unwrap_or(0).clamp(6, 16) + 3
    }

    /// Returns how lines are broken.
    pub(super) fn wrapping(&self) -> Wrapping {
        if self.is_wrapped { Wrapping::On } else { Wrapping::Off { skip: self.skip } }
    }

    /// Returns the height of the output, and what tells how many rows of it a line takes.
    pub(super) fn measure(&self) -> (usize, impl Fn(&StoredLine) -> usize + use<>) {
        let output = self.areas().unwrap_or_default().output;
        let width = usize::from(output.width).saturating_sub(self.prefix_width());
        let is_wrapped = self.is_wrapped;
        let rows = move |line: &StoredLine| match is_wrapped {
            false => 1,
            true if line.bytes.len() <= width => 1,
            true => rows_of(&spans(&line.bytes, line.style), width, Wrapping::On).len(),
        };
        (usize::from(output.height), rows)
    }

    /// Returns the size of a pane: rows and columns.
    pub(super) fn pane_size(&self) -> (u16, u16) {
        let output = self.areas().unwrap_or_default().output;
        (output.height.max(1), output.width.max(1))
    }
}

/// Returns whether a store has a line, or it was read from a file for who has scrolled.
fn is_kept(stores: &[LineStore], line: &StoredLine) -> bool {
    line.order < FIRST_ORDER || stores[line.owner as usize].keeps(line)
}
