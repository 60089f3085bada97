//! What a session keeps of its output in files, for who scrolls up in `pm ui`.

use std::collections::VecDeque;
use std::io;
use std::path::Path;

use crate::app::select;
use crate::os::clock;
use crate::output::Level;
use crate::state::folder;
use crate::state::runs::{Entry, LineEnd, Reader, Run, What, list};
use crate::tui::{InstanceOutput, OlderQuery};

/// Reads the last output of instances of a session, with pm's own lines between it, as the session itself has it in
/// memory. Nothing where it keeps none.
///
/// # Errors
/// What is kept cannot be read.
pub(super) fn output(state: &Path, query: &OlderQuery) -> io::Result<Vec<InstanceOutput>> {
    if !folder::is_there(state)? {
        return Ok(Vec::new());
    }
    let runs = list(&folder::of_root(state, &query.root))?;
    let is_its = |run: &&Run| run.is_alive && i32::try_from(run.start.pid) == Ok(query.session);
    let Some(run) = runs.iter().rev().find(is_its) else { return Ok(Vec::new()) };
    let names = query.names.clone();
    let wants = move |name: &str| {
        !name.is_empty() && (names.is_empty() || names.iter().any(|it| select::fits(it, name)))
    };
    let mut reader = run.read(wants, clock::unix_milliseconds())?;
    last_of(&mut reader, query.most)
}

fn last_of(reader: &mut Reader, most: usize) -> io::Result<Vec<InstanceOutput>> {
    let mut all = VecDeque::new();
    let mut add = |entry: &Entry<'_>| {
        let Some(bytes) = bytes(&entry.what) else { return };
        if all.len() >= most {
            all.pop_front();
        }
        all.push_back(InstanceOutput { name: entry.name.to_owned(), at: entry.at, bytes });
    };
    while let Some(entry) = reader.next()? {
        add(&entry);
    }
    while let Some(entry) = reader.unfinished() {
        add(&entry);
    }
    Ok(all.into())
}

/// Returns an entry as bytes of output; none: a run has ended.
fn bytes(what: &What<'_>) -> Option<Vec<u8>> {
    match what {
        What::Line(line) => {
            let end: &[u8] = if line.end == LineEnd::Silence { b"" } else { b"\n" };
            Some([line.bytes, end].concat())
        }
        What::Notice(notice) => {
            let level = if notice.is_failure { Level::Failure } else { Level::Info };
            Some(format!("{}\n", level.line(&notice.text)).into_bytes())
        }
        What::Ended(_) => Some(Vec::new()),
        What::Started(_) | What::Gap(_) => None,
    }
}
