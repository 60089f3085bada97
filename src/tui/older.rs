//! Output from before what a session has in memory: where it keeps its output in files, they are read when a person
//! scrolls up to their end.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use super::event::UiEffect;
use super::lines::{LineStore, StoredLine};
use super::model::UiModel;
use super::requests::names;

/// So many pieces of output are asked for at most, the last that there are.
pub(super) const MOST: usize = 50_000;
/// What the session has in memory is looked for so many lines around the place where it must begin.
const AROUND: usize = 4096;

/// Output of an instance, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceOutput {
    /// `web.1`
    pub name: String,
    /// When it was read, in milliseconds since 1970.
    pub at: i64,
    /// The bytes. None: a run of the instance has ended.
    pub bytes: Vec<u8>,
}

/// Which output of a session is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OlderQuery {
    /// The process id of the session.
    pub session: i32,
    /// Its root.
    pub root: PathBuf,
    /// Instances or process types; none: all.
    pub names: Vec<String>,
    /// So many pieces at most, the last that there are.
    pub most: usize,
}

/// Reads what a session keeps in files; nothing where it keeps nothing. It fails where that cannot be read.
pub type ReadOlder = dyn Fn(&OlderQuery) -> io::Result<Vec<InstanceOutput>>;

/// What reads it, for the ui.
pub struct OlderReader(pub Box<ReadOlder>);

impl fmt::Debug for OlderReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OlderReader")
    }
}

/// Asks for older lines where a person has come to the first one, once for what is chosen.
pub(super) fn ask(model: &mut UiModel, effects: &mut Vec<UiEffect>) {
    if model.is_older_asked || model.pane.is_some() {
        return;
    }
    let (height, rows) = model.measure();
    if !model.output.is_at_top(height, &rows) {
        return;
    }
    model.is_older_asked = true;
    let sessions = match model.chosen.session() {
        Some(session) => session..session + 1,
        None => 0..model.sessions.len(),
    };
    for session in sessions {
        let shown = &model.sessions[session];
        let Some(report) = &shown.report else { continue };
        effects.push(UiEffect::Older(
            session,
            OlderQuery {
                session: shown.pid,
                root: PathBuf::from(&report.root),
                names: names(&model.chosen),
                most: MOST,
            },
        ));
    }
}

/// Takes what a session has kept, with what it has in memory at its end.
pub(super) fn take(model: &mut UiModel, session: usize, output: &[InstanceOutput]) {
    let mut stores = BTreeMap::new();
    // Those in memory come later.
    let mut order = model.older.len() as u64;
    for InstanceOutput { name, at, bytes } in output {
        let owner = model.owner(session, name);
        let store = stores.entry(owner).or_insert_with(|| LineStore::unbounded(owner));
        match bytes.is_empty() {
            true => store.end_run(),
            false => store.push((bytes, *at), &mut order, |_| {}),
        }
    }
    let mut older: Vec<Rc<StoredLine>> = Vec::new();
    for (owner, store) in stores {
        let kept: Vec<_> = store.lines().collect();
        let in_memory: Vec<_> = model.store(owner).lines().collect();
        let count = before(&kept, &in_memory);
        older.extend(kept[..count].iter().map(|line| Rc::clone(line)));
    }
    older.sort_by_key(|line| line.order);
    model.output.add_older(&older);
    model.older.extend(older);
}

/// Returns how many of the lines that are kept come before those in memory.
fn before(kept: &[&Rc<StoredLine>], in_memory: &[&Rc<StoredLine>]) -> usize {
    // The file may have a little more, or less: it was read at another time.
    let place = kept.len().saturating_sub(in_memory.len());
    let is_same =
        |at: &usize| kept[*at..].iter().zip(in_memory).all(|(one, other)| one.bytes == other.bytes);
    let near = (0..AROUND).flat_map(|by| [place.checked_sub(by), place.checked_add(by)]);
    let found = near.flatten().filter(|at| *at < kept.len()).find(is_same);
    let first = in_memory.first().map_or(i64::MAX, |line| line.at);
    found
        .filter(|_| !in_memory.is_empty())
        .unwrap_or_else(|| kept.iter().take_while(|line| line.at < first).count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::proto::{InstanceState, InstanceStatus, Report};
    use crate::tui::event::UiEvent;
    use crate::tui::keys::{KeyMap, KeyPress};
    use crate::tui::look::UiLook;
    use crate::tui::sessions::ShownSession;
    use crate::tui::update::update;

    fn output(name: &str, at: i64, text: &str) -> InstanceOutput {
        InstanceOutput { name: name.into(), at, bytes: text.as_bytes().to_vec() }
    }

    /// Returns a model of two instances that have 40 lines in memory each.
    fn two() -> UiModel {
        let look = UiLook { unicode: true, color: true };
        let sessions = vec![ShownSession::new("app".into(), 7)];
        let mut model = UiModel::new(sessions, KeyMap::default(), look);
        let instances = ["web.1", "db.1"].map(|it| InstanceStatus::of(it, InstanceState::Up));
        let mut report = Report::of(instances.into());
        (report.root, report.types) = ("/srv/app".into(), vec!["web".into(), "db".into()]);
        update(&mut model, UiEvent::Resized(80, 24));
        update(&mut model, UiEvent::Reported(0, Box::new(report)));
        for at in 0..40 {
            for name in ["web.1", "db.1"] {
                let text = format!("{name} {}\n", 1000 + at);
                update(&mut model, UiEvent::Output(0, output(name, 1000 + at, &text)));
            }
        }
        model
    }

    fn key(model: &mut UiModel, key: char) -> Vec<UiEffect> {
        update(model, UiEvent::Key(KeyPress::Char(key)))
    }

    fn texts(model: &UiModel) -> Vec<String> {
        crate::tui::seen::whole_text(model).lines().map(str::to_owned).collect()
    }

    #[test]
    fn who_scrolls_to_the_first_line_gets_what_was_before_it_once() {
        let mut model = two();
        key(&mut model, '1');
        key(&mut model, '\t');
        update(&mut model, UiEvent::Key(KeyPress::Tab));
        assert_eq!(key(&mut model, 'k'), []);
        let asked = key(&mut model, 'g');
        let [UiEffect::Older(0, query)] = &asked[..] else { panic!("{asked:?}") };
        assert_eq!((query.session, &query.names[..]), (7, &["web.1".to_owned()][..]));
        // The file has what is in memory, too, and what came meanwhile.
        let kept: Vec<_> =
            (900..1041).map(|at| output("web.1", at, &format!("web.1 {at}\n"))).collect();
        update(&mut model, UiEvent::Older(0, kept));
        let expected: Vec<_> = (900..1040).map(|at| format!("web.1 {at}")).collect();
        assert_eq!(texts(&model), expected);
        assert_eq!(key(&mut model, 'g'), [], "it was asked");
        key(&mut model, 'G');
        assert_eq!(texts(&model).len(), 40, "who follows has what is in memory");
        assert_eq!(key(&mut model, 'g').len(), 1);
    }

    #[test]
    fn a_filter_holds_for_what_was_before() {
        let mut model = two();
        update(&mut model, UiEvent::Key(KeyPress::Tab));
        assert_eq!(key(&mut model, 'g').len(), 1);
        let kept = ["web.1", "db.1"].map(|it| output(it, 5, &format!("{it} 5 needle\n")));
        update(&mut model, UiEvent::Older(0, kept.into()));
        assert_eq!(texts(&model).len(), 82);
        for typed in "&needle".chars() {
            key(&mut model, typed);
        }
        update(&mut model, UiEvent::Key(KeyPress::Enter));
        assert_eq!(texts(&model), ["web.1 | web.1 5 needle", "db.1 | db.1 5 needle"]);
    }

    fn lines(texts: &[&str]) -> LineStore {
        let mut store = LineStore::unbounded(0);
        for (at, text) in (0..).zip(texts) {
            store.push((format!("{text}\n").as_bytes(), at), &mut 0, |_| {});
        }
        store
    }

    #[test]
    fn what_is_in_memory_is_found_at_the_end_of_what_is_kept() {
        for (kept, in_memory, expected) in [
            (&["a", "b", "c", "d"][..], &["c", "d"][..], 2),
            // A line is not in the file yet, or is not in memory yet.
            (&["a", "b", "c"], &["b", "c", "d"], 1),
            (&["a", "b", "c", "d"], &["b", "c"], 1),
            (&["x", "x", "x", "x"], &["x", "x", "x"], 1),
            (&["a", "b"], &[], 2),
            (&[], &["a"], 0),
        ] {
            let (kept, memory) = (lines(kept), lines(in_memory));
            let all = |store: &LineStore| store.lines().map(Rc::clone).collect::<Vec<_>>();
            let (kept, memory) = (all(&kept), all(&memory));
            let of = |lines: &[Rc<StoredLine>]| {
                before(&lines.iter().collect::<Vec<_>>(), &memory.iter().collect::<Vec<_>>())
            };
            assert_eq!(of(&kept), expected, "{in_memory:?}");
        }
    }
}
