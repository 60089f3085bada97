//! Many changes, and those that the system did not tell of.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::super::WatchInput;
use super::super::kernel_watch::FileHint;
use super::{WatchReport, WatchedFolder, write};
use crate::long::cases;

#[test]
fn thousands_of_files_that_are_written_together_are_one_change() {
    let watching = WatchedFolder::begin(&["a"], &["*.txt", "a"]);
    watching.expect_count(1);
    watching.be_silent_for(Duration::from_millis(500));
    let count = usize::try_from(cases(500)).expect("it is no large number");
    for n in 0..count {
        watching.write(&format!("d{}/f{n}.txt", n % 50), "x");
    }
    assert_eq!(watching.change().count, count);
    watching.expect_nothing();
}

#[test]
fn what_is_written_without_end_is_told_meanwhile_and_its_last_state_is_not_lost() {
    let watching = WatchedFolder::begin(&["a"], &[]);
    watching.expect_count(1);
    let is_over = Arc::new(AtomicBool::new(false));
    let (folder, stop) = (watching.folder.path().to_owned(), Arc::clone(&is_over));
    let writer = thread::spawn(move || {
        let mut count = 0;
        while !stop.load(Ordering::Relaxed) {
            count += 1;
            write(&folder, "a", &count.to_string());
        }
        write(&folder, "last", "x");
    });
    // Told while it is written: nothing else would end a burst.
    for _ in 0..cases(1).min(5) {
        assert_eq!(watching.change().files, ["a"]);
    }
    is_over.store(true, Ordering::Relaxed);
    writer.join().expect("it writes");
    let mut last = watching.change();
    while !last.files.contains(&"last".to_owned()) {
        last = watching.change();
    }
    watching.expect_nothing();
}

#[test]
fn where_the_queue_of_the_system_was_too_short_all_is_looked_at_again() {
    let watching = WatchedFolder::begin(&["a", "b"], &[]);
    watching.expect_count(2);
    // By another name of the file, in a folder that nobody watches: the system says nothing of it.
    let elsewhere = tempfile::tempdir_in(watching.folder.path().parent().expect("a folder"));
    let elsewhere = elsewhere.expect("a folder");
    fs::hard_link(watching.path("a"), elsewhere.path().join("a")).expect("linked");
    write(elsewhere.path(), "a", "second");
    watching.expect_nothing();
    let lost = WatchInput::Hints(vec![FileHint::Lost]);
    watching.watch.inputs.send(lost).expect("the thread works");
    watching.expect_change(&["a"]);
    let report = watching.reports.try_recv();
    assert!(!matches!(report, Ok(WatchReport::Changed(_))), "{report:?}");
}
