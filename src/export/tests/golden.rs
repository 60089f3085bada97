//! Whole exports in every format, and what is told beside them (`NOTICES`), compared with `tests/golden/export`.
//! `PM_BLESS=1 cargo test --lib export` rewrites them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::cases;
use crate::export::notices::{Account, notices};
use crate::export::{File, Owner, render};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/export")
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test is told by its caller to rewrite what it expects"
)]
fn is_blessing() -> bool {
    std::env::var_os("PM_BLESS").is_some()
}

/// Returns the contents of the files by path, and under `INDEX` their modes and owners in their order.
fn expectation(files: &[File]) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    let mut index = String::new();
    for file in files {
        let owner = match file.owner {
            Owner::Exporter => "",
            Owner::User => " of the user",
        };
        index.push_str(&format!("{:04o} {}{owner}\n", file.mode, file.path.display()));
        all.insert(file.path.clone(), file.contents.clone());
    }
    all.insert("INDEX".into(), index);
    all
}

fn read_all(folder: &Path, below: &Path, all: &mut BTreeMap<PathBuf, String>) {
    for entry in std::fs::read_dir(folder.join(below)).into_iter().flatten().flatten() {
        let path = below.join(entry.file_name());
        if entry.path().is_dir() {
            read_all(folder, &path, all);
        } else {
            all.insert(path, std::fs::read_to_string(entry.path()).unwrap());
        }
    }
}

#[test]
fn every_format_writes_what_it_wrote_before() {
    for ((name, case), format) in cases() {
        let (app, options) = case();
        let mut files = expectation(&render(format, &app, &options).unwrap());
        let told = notices(format, &app, &options, Account::Reachable, std::iter::empty());
        if !told.is_empty() {
            files.insert("NOTICES".into(), format!("{}\n", told.join("\n")));
        }
        let folder = golden().join(name).join(format.name);
        if is_blessing() {
            // Nothing there yet is as good as removed.
            let _ = std::fs::remove_dir_all(&folder);
            for (path, text) in &files {
                let path = folder.join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
        }
        let mut before = BTreeMap::new();
        read_all(&folder, Path::new(""), &mut before);
        assert_eq!(before, files, "{name} {}: PM_BLESS=1 rewrites it", format.name);
    }
}
