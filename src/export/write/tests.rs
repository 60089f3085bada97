//! What an export overwrites, removes and leaves alone.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::export::Owner;
use crate::export::formats::{runit, s6, systemd};

fn file(path: &str, contents: &str) -> File {
    File { path: path.into(), contents: contents.to_owned(), mode: 0o644, owner: Owner::Exporter }
}

fn marked(format: &Format, app: &str, path: &str) -> String {
    format!("# {}\n", marker::text(format.name, app, path, &[]))
}

fn ours(path: &str) -> File {
    file(path, &marked(&systemd::FORMAT, "shop", path))
}

/// Exports as the application `shop`, and returns what was removed and what is in doubt.
fn export_to(
    location: &Path,
    format: &Format,
    files: &[File],
) -> Result<(Vec<PathBuf>, Vec<PathBuf>), String> {
    let waiting = || panic!("nobody else exports");
    let folder = Destination::hold(location, waiting).map_err(|error| error.to_string())?;
    let changes =
        Changes::plan(&folder, "shop", format, files).map_err(|error| error.to_string())?;
    changes.apply(Chown::Keep).map_err(|error| error.to_string())?;
    Ok((changes.removed().to_vec(), changes.unsure().to_vec()))
}

fn export(location: &Path, files: &[File]) -> Result<Vec<PathBuf>, String> {
    export_to(location, &systemd::FORMAT, files).map(|(removed, _)| removed)
}

/// Writes a file as a person would.
fn put(location: &Path, path: &str, contents: &str) {
    let full = location.join(path);
    fs::create_dir_all(full.parent().unwrap()).unwrap();
    fs::write(full, contents).unwrap();
}

/// Returns the path of every file, in order.
fn names(location: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(location.join(&folder)).unwrap().flatten() {
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else {
                names.push(path.display().to_string());
            }
        }
    }
    names.sort();
    names
}

#[test]
fn a_second_export_removes_what_it_no_longer_wants_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let strangers = [
        ("shopping.service", "# not ours\n".to_owned()),
        ("other-web-1.service", marked(&systemd::FORMAT, "other", "other-web-1.service")),
        ("shop-of-other-1.service", marked(&systemd::FORMAT, "other", "shop-of-other-1.service")),
        ("shop.yaml", "# pm export: app=shop format=compose file=shop.yaml\n".to_owned()),
        ("shop.target", "# pm export: app=shop format=quadlet file=shop.target\n".to_owned()),
        // In the marker's words, but no name of this format, or the name of another file.
        ("NOTES.md", format!("Notes\n{}", marked(&systemd::FORMAT, "shop", "NOTES.md"))),
        ("my-copy.service", marked(&systemd::FORMAT, "shop", "shop-web-1.service")),
        ("shop-web-7.service", marked(&systemd::FORMAT, "shop", "shop-web-1.service")),
        ("shop-web-1.service.bak", marked(&systemd::FORMAT, "shop", "shop-web-1.service")),
        ("shop-web-1/run", marked(&systemd::FORMAT, "shop", "shop-web-1/run")),
        (
            "shop-web-8.service",
            format!("echo 1; {}", marked(&systemd::FORMAT, "shop", "shop-web-8.service")),
        ),
    ];
    for (path, contents) in &strangers {
        put(here, path, contents);
    }
    let both = [ours("shop-web-1.service"), ours("shop-web-2.service")];
    export(here, &both).unwrap();
    let removed = export(here, &both[..1]).unwrap();
    assert_eq!(removed, [PathBuf::from("shop-web-2.service")]);
    let mut expected: Vec<_> = strangers.iter().map(|(path, _)| (*path).to_owned()).collect();
    expected.push("shop-web-1.service".to_owned());
    expected.sort();
    assert_eq!(names(here), expected);
    for (path, contents) in &strangers {
        assert_eq!(&fs::read_to_string(here.join(path)).unwrap(), contents, "{path}");
    }
}

#[test]
fn a_strangers_file_stops_the_export_before_anything_is_written() {
    let marked = |path: &str| marked(&systemd::FORMAT, "shop", path);
    for (contents, what) in [
        ("[Unit]\n".to_owned(), "was not written by pm"),
        (String::new(), "was not written by pm"),
        (format!("[Unit]\nX=1 {}", marked("b.service")), "was not written by pm"),
        (
            "# pm export: app=other format=systemd\n".to_owned(),
            "belongs to the application `other`",
        ),
        (
            marked("shop-web-1.service"),
            "was not written by pm: it is a copy of `shop-web-1.service`",
        ),
        (marked("B.service"), "was not written by pm: it is a copy of `B.service`"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), "b.service", &contents);
        let files = [ours("new/run"), ours("a.service"), ours("b.service")];
        let refusal = export(folder.path(), &files).unwrap_err();
        assert!(refusal.ends_with(what), "{refusal}");
        assert_eq!(names(folder.path()), ["b.service"]);
    }
}

#[test]
fn a_link_is_never_written_through_followed_or_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (here, away) = (folder.path().join("here"), folder.path().join("away"));
    put(&away, "run", &marked(&runit::FORMAT, "shop", "shop-web-2/run"));
    put(&away, "unit", &marked(&runit::FORMAT, "shop", "shop-web-3/run"));
    fs::create_dir_all(here.join("shop-web-3")).unwrap();
    std::os::unix::fs::symlink(&away, here.join("shop-web-2")).unwrap();
    std::os::unix::fs::symlink(away.join("unit"), here.join("shop-web-3/run")).unwrap();
    let wanted = file("shop-web-1/run", &marked(&runit::FORMAT, "shop", "shop-web-1/run"));
    assert_eq!(export_to(&here, &runit::FORMAT, &[wanted]).unwrap(), (vec![], vec![]));
    assert_eq!(names(&away), ["run", "unit"]);
    assert_eq!(names(&here), ["shop-web-1/run", "shop-web-2", "shop-web-3/run"]);
    let refusal = export_to(&here, &runit::FORMAT, &[ours("shop-web-3/run")]).unwrap_err();
    assert!(refusal.ends_with("is a symbolic link"), "{refusal}");
}

#[test]
fn what_an_earlier_pm_wrote_is_replaced_where_it_is_wanted_and_else_left_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for format in ["systemd", "runit"] {
        for name in ["shop-web-1.service", "shop-web-2.service", "my-copy.service"] {
            put(here, name, &format!("# pm export: app=shop format={format}\n"));
        }
        let wanted = [ours("shop-web-1.service")];
        let (removed, unsure) = export_to(here, &systemd::FORMAT, &wanted).unwrap();
        let expected = if format == "systemd" { vec!["shop-web-2.service".into()] } else { vec![] };
        assert_eq!((removed, unsure), (vec![], expected));
        let written = fs::read_to_string(here.join("shop-web-1.service")).unwrap();
        assert_eq!(written, wanted[0].contents);
        assert_eq!(
            names(here),
            ["my-copy.service", "shop-web-1.service", "shop-web-2.service"],
            "{format}"
        );
    }
}

#[test]
fn a_file_that_was_edited_is_overwritten_while_it_keeps_its_marker() {
    let folder = tempfile::tempdir().unwrap();
    let wanted = [ours("shop-web-1.service")];
    put(folder.path(), "shop-web-1.service", &format!("\n{}edited\n", wanted[0].contents));
    export(folder.path(), &wanted).unwrap();
    let written = fs::read_to_string(folder.path().join("shop-web-1.service")).unwrap();
    assert_eq!(written, wanted[0].contents);
}

/// A service folder of s6, whose `run` answers for `beside`.
fn s6_service(name: &str, beside: &[&str]) -> Vec<File> {
    let run = format!("{name}/run");
    let text = format!("#!/bin/sh\n# {}\n", marker::text("s6", "shop", &run, beside));
    let bare = beside.iter().map(|bare| file(&format!("{name}/{bare}"), "5000\n"));
    std::iter::once(file(&run, &text)).chain(bare).collect()
}

#[test]
fn a_file_without_room_for_a_marker_is_pms_where_the_run_beside_it_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let export = |files: &[File]| export_to(here, &s6::FORMAT, files).map(|(removed, _)| removed);
    let both = s6_service("shop-web-1", &["timeout-kill", "down-signal"]);
    export(&both).unwrap();
    export(&both).unwrap();
    // The stop signal is TERM again: its file goes, and one that a person makes later stays.
    let one = s6_service("shop-web-1", &["timeout-kill"]);
    assert_eq!(export(&one).unwrap(), [PathBuf::from("shop-web-1/down-signal")]);
    put(here, "shop-web-1/down-signal", "HUP\n");
    put(here, "shop-web-1/notification-fd", "3\n");
    put(here, "shop-copy-9/run", &one[0].contents);
    put(here, "shop-copy-9/timeout-kill", &one[1].contents);
    assert_eq!(export(&one).unwrap(), [""; 0].map(PathBuf::from));
    let refusal = export(&both).unwrap_err();
    assert!(refusal.ends_with("was not written by pm"), "{refusal}");
    let removed = export(&s6_service("shop-job-1", &[])).unwrap();
    assert_eq!(removed, [PathBuf::from("shop-web-1/run"), "shop-web-1/timeout-kill".into()]);
    let left = [
        "shop-copy-9/run",
        "shop-copy-9/timeout-kill",
        "shop-job-1/run",
        "shop-web-1/down-signal",
        "shop-web-1/notification-fd",
    ];
    assert_eq!(names(here), left);
    // An earlier pm had no list of them.
    put(here, "shop-web-1/run", "# pm export: app=shop format=s6\n");
    export(&both).unwrap();
    assert_eq!(fs::read_to_string(here.join("shop-web-1/down-signal")).unwrap(), "5000\n");
}

#[test]
fn a_type_that_changes_its_case_keeps_its_file_where_the_file_system_does_not_tell_them_apart() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let old = ours("shop-Web-1.service");
    export(here, std::slice::from_ref(&old)).unwrap();
    // A second name of the one file, as such a file system has it.
    fs::hard_link(here.join("shop-Web-1.service"), here.join("shop-web-1.service")).unwrap();
    let folder = Destination::hold(here, || panic!("nobody else exports")).unwrap();
    let new = [ours("shop-web-1.service")];
    let changes = Changes::plan(&folder, "shop", &systemd::FORMAT, &new).unwrap();
    assert_eq!(changes.removed(), [""; 0].map(PathBuf::from));
    assert_eq!(changes.written().count(), 1);
}

#[test]
fn what_a_killed_export_left_goes_once_nobody_else_is_at_work() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let unit = marked(&systemd::FORMAT, "shop", "shop-web-2.service");
    put(here, ".shop-web-2.service.0123456789abcdef.tmp", &unit);
    put(here, ".shop-web-3.service.0123456789abcdef.tmp", "");
    put(here, ".shop-web-4.service.0123456789abcdef.tmp", "a stranger's");
    put(here, ".other-web-2.service.0123456789abcdef.tmp", "");
    put(here, ".shop-web-2.service.swp", &unit);
    let left = [".other-web-2.service.0123456789abcdef.tmp", ".shop-web-2.service.swp"];
    let looked = Destination::look(here);
    let changes = Changes::plan(&looked, "shop", &systemd::FORMAT, &[]).unwrap();
    assert_eq!(changes.removed(), [""; 0].map(PathBuf::from), "another export may be writing them");
    let removed = export(here, &[]).unwrap();
    assert_eq!(removed.len(), 2);
    assert_eq!(names(here), [left[0], left[1], ".shop-web-4.service.0123456789abcdef.tmp"]);
}

#[test]
fn a_killed_export_leaves_no_service_folder_behind() {
    let folder = tempfile::tempdir().unwrap();
    let temporary = "shop-web-1/.timeout-kill.0123456789abcdef.tmp";
    put(folder.path(), temporary, "5000\n");
    let (removed, _) = export_to(folder.path(), &s6::FORMAT, &[]).unwrap();
    assert_eq!(removed, [PathBuf::from(temporary)]);
    assert!(!folder.path().join("shop-web-1").exists());
}

#[test]
fn exports_at_the_same_time_all_succeed() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("new/out");
    let files: Vec<File> =
        (1..40).map(|number| ours(&format!("shop-web-{number}.service"))).collect();
    std::thread::scope(|scope| {
        for upto in [39, 20, 39, 20] {
            let (here, files) = (&here, &files);
            scope.spawn(move || {
                for _ in 0..5 {
                    let folder = Destination::hold(here, || {}).unwrap();
                    let plan =
                        Changes::plan(&folder, "shop", &systemd::FORMAT, &files[..upto]).unwrap();
                    plan.apply(Chown::Keep).unwrap();
                }
            });
        }
    });
    let left = names(&here);
    assert!(left.len() == 39 || left.len() == 20, "{left:?}");
}

#[test]
fn a_failed_write_leaves_the_folder_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "b", "a file where a folder is needed");
    put(folder.path(), "a.service", "before");
    let files = [ours("a.service"), ours("new/log/run"), ours("b/run")];
    let looked = Destination::look(folder.path());
    let changes = Changes {
        folder: &looked,
        files: &files,
        before: vec![None, None, None],
        stale: vec!["b".into()],
        unsure: vec![],
    };
    assert!(changes.apply(Chown::Keep).is_err());
    assert_eq!(names(folder.path()), ["a.service", "b"]);
    assert_eq!(fs::read_to_string(folder.path().join("a.service")).unwrap(), "before");
    assert!(!folder.path().join("new").exists());
}

#[test]
fn modes_are_as_asked_and_an_unchanged_file_is_not_in_the_diff() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = [ours("a.env")];
    files[0].mode = 0o600;
    export(folder.path(), &files).unwrap();
    let mode = fs::metadata(folder.path().join("a.env")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let looked = Destination::look(folder.path());
    let changes = Changes::plan(&looked, "shop", &systemd::FORMAT, &files).unwrap();
    assert_eq!((changes.written().count(), changes.diff().unwrap().as_str()), (0, ""));
    files[0].contents.push_str("A=1\n");
    let changes = Changes::plan(&looked, "shop", &systemd::FORMAT, &files).unwrap();
    assert!(changes.diff().unwrap().ends_with("+A=1\n"));
}
