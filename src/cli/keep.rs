//! Whether and where a session keeps its output.

use super::settings::Settings;
use super::sources::Sources;
use crate::app::{App, ProcessType, Stdio};
use crate::config::value::Amount;
use crate::config::{Origin, Setting};
use crate::error::Error;
use crate::session::kept::KeepPlan;
use crate::state::folder;

/// How many bytes are kept by default: 64 MiB.
const BYTES: u64 = 64 << 20;
/// How many runs are kept by default.
const RUNS: usize = 5;
/// What pm adds to the command line where it starts itself in the background.
const ADDED: [&str; 2] = ["--daemonised", "--elsewhere="];

/// Returns what a session keeps, and where. `is_seen`: it has a terminal, or runs in the background. Nothing where it
/// is not wanted: what a pipe takes, its reader has, unless an option or its variable asks for more.
///
/// # Errors
/// There is no state folder.
pub(crate) fn plan(
    settings: &Settings,
    app: &App,
    is_seen: bool,
    sources: &Sources,
) -> Result<Option<KeepPlan>, Error> {
    let Some(bytes) = bytes(settings.session.keep.as_ref(), is_seen) else { return Ok(None) };
    let state = sources.state_folder()?;
    let runs = settings.session.keep_runs.as_ref();
    let runs = runs.map(|runs| usize::try_from(runs.value.get()).unwrap_or(usize::MAX));
    let typed = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let is_typed = |word: &String| !ADDED.iter().any(|added| word.starts_with(added));
    let names = |has: &dyn Fn(&ProcessType) -> bool| {
        app.types.iter().filter(|known| has(known)).map(|known| known.name.clone()).collect()
    };
    Ok(Some(KeepPlan {
        root: folder::of_root(&state, &app.root),
        state,
        bytes,
        runs: runs.unwrap_or(RUNS),
        command: typed.filter(is_typed).collect(),
        types: [names(&|_| true), names(&|known| known.stdio == Stdio::Terminal)],
    }))
}

/// Returns how many bytes are kept, if any.
fn bytes(keep: Option<&Setting<Amount>>, is_seen: bool) -> Option<u64> {
    let Some(keep) = keep else { return is_seen.then_some(BYTES) };
    let is_asked_for = match keep.origin {
        Origin::Flag | Origin::Variable => true,
        Origin::PmToml | Origin::Foreman => is_seen,
    };
    (is_asked_for && keep.value.0 > 0).then_some(keep.value.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_is_seen_keeps_its_output_and_one_in_a_pipe_where_it_is_told_to() {
        let mib = |mib: u64| Amount(mib << 20);
        let said = |value, origin| Some(Setting { value, origin });
        let table = [
            (None, Some(64 << 20), None),
            (said(mib(1), Origin::Flag), Some(1 << 20), Some(1 << 20)),
            (said(mib(1), Origin::Variable), Some(1 << 20), Some(1 << 20)),
            (said(mib(1), Origin::PmToml), Some(1 << 20), None),
            (said(mib(0), Origin::PmToml), None, None),
            (said(mib(0), Origin::Flag), None, None),
        ];
        for (keep, seen, unseen) in table {
            assert_eq!(bytes(keep.as_ref(), true), seen, "{keep:?}");
            assert_eq!(bytes(keep.as_ref(), false), unseen, "{keep:?}");
        }
    }
}
