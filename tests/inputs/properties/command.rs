//! Commands of a Procfile, which are only ever added to: V8's flags, `exec`, and the variables of other runtimes.

use pm::app::Gc;
use pm::app::{Environment, Size, Source, shell};
use pm::resources::command::{is_other_runtime, with_v8_flags};
use pm::resources::runtime::{Tuning, V8_SIZE_FLAGS, variables};

use super::text::is_one_line;

/// What must hold of every text as the command of a process type.
pub fn holds(bytes: &[u8]) {
    let Ok(command) = str::from_utf8(bytes) else { return };
    flags_are_put_in_and_nothing_else_changes(command);
    exec_is_put_in_and_nothing_else_changes(command);
    variables_are_added_where_nothing_is_said(command);
}

fn flags_are_put_in_and_nothing_else_changes(command: &str) {
    match with_v8_flags(command, &V8_SIZE_FLAGS) {
        Ok(edited) => {
            assert_eq!(with_v8_flags(command, &[]).as_deref(), Ok(command));
            assert_eq!(
                with_v8_flags(&edited, &V8_SIZE_FLAGS).as_ref(),
                Ok(&edited),
                "once is enough"
            );
            let added = added(command, &edited);
            let Some(added) = added else { panic!("{command:?} is not all of {edited:?}") };
            let is_flag = |word: &str| V8_SIZE_FLAGS.contains(&word);
            assert!(added.split_whitespace().all(is_flag), "{added:?} in {edited:?}");
            assert!(!is_other_runtime(command), "two runtimes in {command:?}");
        }
        Err(error) => {
            assert_eq!(with_v8_flags(command, &[]), Err(error), "the flags do not matter for that");
            is_one_line(&error.to_string());
            is_one_line(error.hint());
        }
    }
}

fn exec_is_put_in_and_nothing_else_changes(command: &str) {
    let script = shell::script(command, &[]);
    assert_eq!(shell::script(&script, &[]), script, "once is enough");
    if script != command {
        let is_put_in = |at: usize| {
            let behind = script.get(at..).and_then(|behind| behind.strip_prefix("exec "));
            behind == command.get(at..) && script.get(..at) == command.get(..at)
        };
        assert!((0..command.len()).any(is_put_in), "{command:?} became {script:?}");
    }
}

/// Returns what stands in `edited` and not in `command`, where that is in one place.
fn added<'a>(command: &str, edited: &'a str) -> Option<&'a str> {
    let length = edited.len().checked_sub(command.len())?;
    let start = edited.bytes().zip(command.bytes()).take_while(|(a, b)| a == b).count();
    // The same bytes may begin what was added and what stands behind it.
    (0..=start).rev().find_map(|at| {
        let added = edited.get(at..at + length)?;
        let is_all =
            edited.get(..at)? == command.get(..at)? && edited[at + length..] == command[at..];
        let is_whole = added.is_empty() || added.starts_with(' ');
        (is_all && is_whole).then_some(added)
    })
}

fn variables_are_added_where_nothing_is_said(command: &str) {
    for gc in [Gc::Size, Gc::Speed] {
        let tuning = Tuning { heap: Size::from_mib(460), gc: Some(gc) };
        let mut environment = Environment::default();
        let first = variables(&environment, command, tuning);
        for variable in &first {
            assert!(variable.text.to_str().is_some_and(|text| !text.is_empty()), "{variable:?}");
            environment.set(variable.key, &variable.text, Source::Set);
        }
        let again = variables(&environment, command, tuning);
        assert!(again.is_empty(), "{again:?} although it was said: {first:?}");
    }
}
