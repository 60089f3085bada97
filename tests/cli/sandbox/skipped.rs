//! What a test needs of the machine, and what was skipped for want of it: told in one line when all tests
//! have run. The unit tests of the library share this file.

#![expect(clippy::disallowed_methods, reason = "PATH and PM_TEST_REQUIRE_ALL are the caller's")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::{Mutex, Once, PoisonError};

/// What is not there, with the tests that wanted it.
static SKIPPED: Mutex<BTreeMap<String, BTreeSet<String>>> = Mutex::new(BTreeMap::new());

/// Returns whether the system has what a test needs. Where it has not, that is told at the end of the run,
/// and fails the test under PM_TEST_REQUIRE_ALL=1.
#[track_caller]
pub(crate) fn has(what: &str, is_there: bool) -> bool {
    let required = std::env::var("PM_TEST_REQUIRE_ALL").is_ok_and(|value| value == "1");
    assert!(is_there || !required, "PM_TEST_REQUIRE_ALL is set, and there is no {what}");
    has_by_chance(what, is_there)
}

/// The same for what no machine is asked to have: a cgroup of one's own, the tools of other projects.
pub(crate) fn has_by_chance(what: &str, is_there: bool) -> bool {
    static AT_EXIT: Once = Once::new();
    if !is_there {
        AT_EXIT.call_once(|| {
            #[expect(unsafe_code, reason = "libtest has no hook for the end of a run")]
            // SAFETY: the function neither unwinds nor calls exit.
            unsafe {
                nix::libc::atexit(report);
            }
        });
        // libtest names each thread after its test.
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let mut skipped = SKIPPED.lock().unwrap_or_else(PoisonError::into_inner);
        skipped.entry(what.to_owned()).or_default().insert(test);
    }
    is_there
}

/// Returns whether a program is on PATH.
#[track_caller]
pub(crate) fn has_program(name: &str) -> bool {
    has(name, is_in_path(name))
}

/// Returns whether a program can be found.
pub(crate) fn is_in_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// Called by exit(3), after libtest's own last line.
extern "C" fn report() {
    let skipped = SKIPPED.lock().unwrap_or_else(PoisonError::into_inner);
    // Past libtest, which would swallow it; a closed stderr has no reader to tell.
    let _ = writeln!(std::io::stderr(), "{}", line(&skipped));
}

fn line(skipped: &BTreeMap<String, BTreeSet<String>>) -> String {
    let tests: BTreeSet<&String> = skipped.values().flatten().collect();
    let wants: Vec<_> =
        skipped.iter().map(|(what, tests)| format!("{what} ({})", tests.len())).collect();
    let of = match tests.len() {
        1 => "1 test, or a part of it".to_owned(),
        count => format!("{count} tests, or parts of them"),
    };
    format!("SKIPPED: {of}, for want of {}\n", wants.join(", "))
}

#[test]
fn the_line_counts_each_test_once_and_names_all_that_is_missing() {
    let tests = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let mut skipped = BTreeMap::from([("zsh".to_owned(), tests(&["completes"]))]);
    let one = "SKIPPED: 1 test, or a part of it, for want of zsh (1)\n";
    assert_eq!(line(&skipped), one);
    skipped.insert("fish".to_owned(), tests(&["completes", "offers"]));
    let both = "SKIPPED: 2 tests, or parts of them, for want of fish (2), zsh (1)\n";
    assert_eq!(line(&skipped), both);
}
