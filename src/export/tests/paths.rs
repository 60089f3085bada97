//! Which paths a format writes, and what of them it removes.

use std::path::PathBuf;

use super::{cases, cluster};
use crate::export::write::{Changes, Chown, Destination, paths};
use crate::export::{FORMATS, Options, Values, render};

#[test]
fn every_file_has_a_path_of_its_formats_list() {
    for ((_, case), format) in cases() {
        let (app, with) = case();
        for values in [Values::Inline, Values::EnvFile] {
            // Some values have no place in some env files.
            let files = render(format, &app, &Options { values, ..with.clone() });
            for file in files.unwrap_or_default() {
                let path = file.path.to_str().unwrap();
                assert!(paths::can_be(format, &with.app, path), "{} {path}", format.name);
                let (folder, _) = path.split_once('/').unwrap_or_default();
                let is_folder = paths::can_be_folder(format, &with.app, folder);
                assert_eq!(is_folder, !folder.is_empty(), "{} {path}", format.name);
            }
        }
    }
}

#[test]
fn every_format_removes_its_own_stale_files_and_no_copy_of_them() {
    for format in FORMATS {
        let dir = tempfile::tempdir().unwrap();
        let here = dir.path();
        let export = |web: u16, values: Values| {
            let (mut app, with) = cluster();
            app.types[0].count = web;
            app.types.truncate(usize::from(web));
            let files = render(format, &app, &Options { values, ..with }).unwrap();
            let folder = Destination::hold(here, || panic!("nobody else exports")).unwrap();
            let changes = Changes::plan(&folder, "cluster", format, &files).unwrap();
            changes.apply(Chown::Keep).unwrap();
            let written: Vec<PathBuf> = files.iter().map(|file| file.path.clone()).collect();
            (written, changes.removed().to_vec())
        };
        let (mut all, _) = export(2, Values::EnvFile);
        let mut copies = Vec::new();
        for path in &all {
            let name = path.file_name().unwrap().to_str().unwrap();
            for copy in [
                format!("{name}.bak"),
                format!("{name}~"),
                format!("my-copy.{name}"),
                format!("cluster-copy-9.{}", name.split_once('.').unwrap_or_default().1),
                "NOTES.md".to_owned(),
            ] {
                let copy = path.with_file_name(copy);
                let text = std::fs::read(here.join(path)).unwrap();
                std::fs::write(here.join(&copy), &text).unwrap();
                copies.push((copy, text));
            }
        }
        let (wanted, removed) = export(1, Values::Inline);
        all.retain(|path| !wanted.contains(path));
        all.sort();
        assert!(!all.is_empty(), "{}", format.name);
        assert_eq!(removed, all, "{}", format.name);
        for (copy, _) in copies.iter().rev() {
            assert!(here.join(copy).exists(), "{} {}", format.name, copy.display());
        }
    }
}
