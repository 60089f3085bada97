//! What editors and tools do to a file when they save it, and what is no save at all.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use super::{WatchedFolder, git, run, write};
use crate::long::cases;
use crate::skipped::has_program;

/// How a program gives `a.py` in a folder another content. The last path is a folder that is not watched.
type Save = fn(&Path, &str, &Path);

const SAVES: [(&str, Save); 9] = [
    ("vim", vim),
    ("emacs", emacs),
    ("nano", nano),
    ("VS Code", in_place),
    ("VS Code, at once", renamed),
    ("JetBrains", jetbrains),
    ("sed -i", sed),
    ("cp", cp),
    ("mv", mv),
];

/// `:w`, with its defaults: it tries whether it may write the folder, and keeps the old file until the new one is written.
fn vim(folder: &Path, text: &str, _: &Path) {
    write(folder, ".a.py.swp", text);
    write(folder, "4913", "");
    fs::remove_file(folder.join("4913")).expect("removed");
    fs::rename(folder.join("a.py"), folder.join("a.py~")).expect("renamed");
    write(folder, "a.py", text);
    fs::remove_file(folder.join("a.py~")).expect("removed");
    fs::remove_file(folder.join(".a.py.swp")).expect("removed");
}

/// `C-x C-s`: a lock, an auto-save, and a copy of the old file that stays.
fn emacs(folder: &Path, text: &str, _: &Path) {
    symlink("me@here.1:1", folder.join(".#a.py")).expect("linked");
    write(folder, "#a.py#", text);
    fs::rename(folder.join("a.py"), folder.join("a.py~")).expect("renamed");
    write(folder, "a.py", text);
    fs::remove_file(folder.join("#a.py#")).expect("removed");
    fs::remove_file(folder.join(".#a.py")).expect("removed");
}

/// `Ctrl-O`: a lock, and the file is written over.
fn nano(folder: &Path, text: &str, _: &Path) {
    write(folder, ".a.py.swp", "nano");
    write(folder, "a.py", text);
    fs::remove_file(folder.join(".a.py.swp")).expect("removed");
}

fn in_place(folder: &Path, text: &str, _: &Path) {
    write(folder, "a.py", text);
}

/// The content is there at once, under a name that no list of names has.
fn renamed(folder: &Path, text: &str, _: &Path) {
    write(folder, "a.py.vsctmp", text);
    fs::rename(folder.join("a.py.vsctmp"), folder.join("a.py")).expect("renamed");
}

fn jetbrains(folder: &Path, text: &str, _: &Path) {
    write(folder, "a.py___jb_tmp___", text);
    fs::rename(folder.join("a.py"), folder.join("a.py___jb_old___")).expect("renamed");
    fs::rename(folder.join("a.py___jb_tmp___"), folder.join("a.py")).expect("renamed");
    fs::remove_file(folder.join("a.py___jb_old___")).expect("removed");
}

fn sed(folder: &Path, text: &str, _: &Path) {
    run(folder, "sed", &["-i", &format!("s/.*/{}/", text.trim_end()), "a.py"]);
}

fn cp(folder: &Path, text: &str, elsewhere: &Path) {
    write(elsewhere, "b", text);
    run(folder, "cp", &[elsewhere.join("b").to_str().expect("text"), "a.py"]);
}

fn mv(folder: &Path, text: &str, elsewhere: &Path) {
    write(elsewhere, "b", text);
    run(folder, "mv", &[elsewhere.join("b").to_str().expect("text"), "a.py"]);
}

#[test]
fn a_save_by_any_editor_is_one_change_of_one_file() {
    let watching = WatchedFolder::begin(&["a.py"], &[]);
    let elsewhere = tempfile::tempdir().expect("a folder");
    watching.expect_count(1);
    for round in 0..cases(1) {
        for (name, save) in SAVES {
            let text = format!("{name} {round}\n");
            save(watching.folder.path(), &text, elsewhere.path());
            let found = fs::read_to_string(watching.path("a.py")).expect("a file");
            assert_eq!(found, text, "{name}");
            watching.expect_change(&["a.py"]);
        }
    }
    watching.expect_nothing();
}

#[test]
fn a_checkout_of_500_files_is_one_change() {
    if !has_program("git") {
        return;
    }
    let files: Vec<String> = (0..500).map(|n| format!("src/m{}/f{n}", n % 20)).collect();
    let folder = tempfile::tempdir().expect("a folder");
    git(folder.path(), &["init", "-q"]);
    for text in ["first", "second"] {
        files.iter().for_each(|file| write(folder.path(), file, text));
        git(folder.path(), &["add", "."]);
        git(folder.path(), &["commit", "-q", "-m", text]);
    }
    let watching = WatchedFolder::of(folder, &["src/**"]);
    watching.expect_count(500);
    for _ in 0..cases(1) {
        for commit in ["HEAD~1", "main"] {
            git(watching.folder.path(), &["checkout", "-q", commit]);
            assert_eq!(watching.change().count, 500);
        }
    }
    watching.expect_nothing();
}

#[test]
fn what_leaves_the_bytes_as_they_were_is_no_change() {
    let watching = WatchedFolder::begin(&["a.py"], &[]);
    watching.expect_count(1);
    watching.be_silent_for(Duration::from_secs(1));
    for command in
        ["touch a.py", "chmod 600 a.py", "cat a.py", "cp a.py /dev/null; mv a.py b; mv b a.py"]
    {
        run(watching.folder.path(), "sh", &["-c", command]);
    }
    watching.write("a.py", "first");
    // What is told of this burst is the file that is new.
    watching.write("end.py", "x");
    watching.expect_change(&["end.py"]);
}

#[test]
fn a_checkout_and_back_within_one_burst_is_no_change() {
    if !has_program("git") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    git(folder.path(), &["init", "-q"]);
    for text in ["first", "second"] {
        write(folder.path(), "a.py", text);
        git(folder.path(), &["add", "."]);
        git(folder.path(), &["commit", "-q", "-m", text]);
    }
    let watching = WatchedFolder::of(folder, &["*.py"]);
    watching.expect_count(1);
    watching.be_silent_for(Duration::from_secs(1));
    git(watching.folder.path(), &["checkout", "-q", "HEAD~1"]);
    git(watching.folder.path(), &["checkout", "-q", "-"]);
    // What is told of this burst is the file that is new.
    watching.write("end.py", "x");
    watching.expect_change(&["end.py"]);
}
