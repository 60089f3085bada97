//! Folders that come and go, what is left out by files outside of the watched folder, and another way to watch.

use std::fs;
use std::time::Duration;

use super::super::WatchReport;
use super::{LIMIT, WatchedFolder, git, wall, write};
use crate::skipped::has_program;

#[test]
fn a_folder_that_is_removed_and_made_again_is_watched_on() {
    let folder = tempfile::tempdir().expect("a folder");
    for file in ["front/a", "front/src/b"] {
        write(folder.path(), file, "first");
    }
    let watching = WatchedFolder::below(folder, "front", &[]);
    watching.expect_count(2);
    fs::remove_dir_all(watching.path("front")).expect("removed");
    watching.expect_change(&["a", "src/b"]);
    watching.write("front/a", "second");
    watching.expect_change(&["a"]);
    watching.write("front/src/b", "second");
    watching.expect_change(&["src/b"]);
    watching.write("front/src/b", "third");
    watching.expect_change(&["src/b"]);
}

#[test]
fn a_folder_that_is_replaced_while_a_process_is_in_it_is_watched_on() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "front/a", "first");
    let watching = WatchedFolder::below(folder, "front", &[]);
    watching.expect_count(1);
    // As long as somebody has it open, the system does not say that it was removed.
    let held = fs::File::open(watching.path("front")).expect("a folder");
    fs::remove_dir_all(watching.path("front")).expect("removed");
    watching.write("front/a", "first");
    watching.expect_nothing();
    watching.write("front/a", "second");
    watching.expect_change(&["a"]);
    drop(held);
    watching.expect_nothing();
    watching.write("front/a", "third");
    watching.expect_change(&["a"]);
}

#[test]
fn a_folder_that_was_not_there_is_watched_from_when_it_is() {
    let watching = WatchedFolder::below(tempfile::tempdir().expect("a folder"), "deep/front", &[]);
    watching.expect_count(0);
    watching.write("deep/front/a", "first");
    watching.expect_change(&["a"]);
    watching.write("deep/front/a", "second");
    watching.expect_change(&["a"]);
}

#[test]
fn a_folder_above_that_was_replaced_is_looked_at_when_somebody_knows_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "root/front/a", "first");
    let watching = WatchedFolder::below(folder, "root/front", &[]);
    watching.expect_count(1);
    fs::rename(watching.path("root"), watching.path("old")).expect("renamed");
    watching.write("root/front/a", "first");
    watching.watch.look_again();
    watching.expect_nothing();
    watching.write("root/front/a", "second");
    watching.expect_change(&["a"]);
}

#[test]
fn rules_above_the_folder_and_in_git_info_hold_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    for file in [".git/HEAD", ".git/info/exclude", "sub/app/a", "sub/app/gen", "sub/app/out"] {
        write(folder.path(), file, "first");
    }
    let watching = WatchedFolder::below(folder, "sub/app", &[]);
    watching.expect_count(3);
    watching.write(".gitignore", "gen\n");
    watching.expect_count(2);
    watching.write("sub/app/gen", "second");
    watching.write(".git/info/exclude", "out\n");
    watching.expect_count(1);
    watching.write("sub/app/out", "second");
    watching.write("sub/b", "outside");
    watching.expect_nothing();
    watching.write(".gitignore", "\n");
    watching.expect_count(2);
    watching.write("sub/app/gen", "third");
    watching.expect_change(&["gen"]);
}

#[test]
fn the_rules_at_the_top_of_the_folder_in_git_info_hold_at_once() {
    let watching =
        WatchedFolder::begin(&[".git/HEAD", ".git/info/exclude", "a", "out"], &["a", "o*"]);
    watching.expect_count(2);
    watching.write(".git/info/exclude", "out\n");
    watching.expect_count(1);
    watching.write("out", "second");
    watching.expect_nothing();
}

#[test]
fn what_changed_just_before_it_is_watched_in_another_way_is_told() {
    let mut watching = WatchedFolder::begin(&["a.py", "b.py", "c.js", "d.js"], &["*.py"]);
    watching.expect_count(2);
    watching.be_silent_for(Duration::from_secs(1));
    watching.write("a.py", "second");
    watching.write("c.js", "second");
    fs::remove_file(watching.path("b.py")).expect("removed");
    watching.globs = vec!["*.py".to_owned(), "*.js".to_owned()];
    watching.be_silent_for(Duration::from_millis(500));
    watching.expect_change(&["a.py", "b.py"]);
    watching.write("d.js", "second");
    watching.expect_change(&["d.js"]);
    watching.globs = vec!["*.js".to_owned()];
    watching.write("a.py", "third");
    watching.watch_from(wall());
    watching.expect_nothing();
}

#[test]
fn a_rebase_is_one_change() {
    if !has_program("git") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let run = |arguments: &[&str]| git(folder.path(), arguments);
    run(&["init", "-q"]);
    let commit = |file: &str, text: &str| {
        write(folder.path(), file, text);
        run(&["add", "."]);
        run(&["commit", "-q", "-m", text]);
    };
    commit("src/a", "base");
    run(&["checkout", "-q", "-b", "topic"]);
    for n in 0..12 {
        commit(&format!("src/f{n}"), &format!("topic {n}"));
    }
    run(&["checkout", "-q", "main"]);
    commit("src/b", "main");
    run(&["checkout", "-q", "topic"]);
    let watching = WatchedFolder::of(folder, &["src/**"]);
    watching.expect_count(13);
    // Each step takes longer than the silence after which a burst is over, and all of them longer than a burst may.
    git(watching.folder.path(), &["rebase", "-q", "--exec", "sleep 0.2", "main"]);
    let change = watching.change();
    assert!(change.files.contains(&"src/b".to_owned()), "{change:?}");
    watching.expect_nothing();
}

#[test]
fn a_save_while_a_rebase_waits_for_a_person_is_told() {
    let watching = WatchedFolder::begin(&["a", ".git/HEAD", ".git/rebase-merge/done"], &[]);
    watching.expect_count(1);
    for text in ["second", "third"] {
        watching.write("a", text);
        let told = watching.reports.recv_timeout(LIMIT).expect("a report");
        assert!(matches!(told, WatchReport::Changed(_)), "{told:?}");
    }
}
