//! A disk that has no room for the copy.

use std::path::{Path, PathBuf};

use super::super::{begin, list};
use super::{notice, shown, start};

#[test]
fn a_full_disk_costs_the_copy_and_is_told_once_and_marked_when_there_is_room_again() {
    let scratch = tempfile::tempdir().unwrap();
    let Some(disk) = small_disk(scratch.path(), "1m") else { return };
    let app = scratch.path().join("app");
    let (_record, mut keeper) = begin(&app, &start(), 64 << 20).unwrap();
    let web = keeper.ring_of("web.1");
    let line = format!("{}\n", "x".repeat(99)).into_bytes();
    let mut at = 0;
    while keeper.take_error().is_none() {
        at += 1;
        keeper.output(web, at, [&line, &[]]);
        assert!(at < 20_000, "the disk is never full");
    }
    for later in 0..50 {
        keeper.output(web, at + 100 * later, [&line, b"half"]);
        keeper.say(at + 100 * later, &notice(None, "said"));
    }
    assert!(keeper.take_error().is_none(), "it is told once");
    disk.resize("8m");
    keeper.output(web, at + 9000, [b" a line\n", b"after\n"]);
    let run = list(&app).unwrap().pop().unwrap();
    let mut reader = run.read(|name| name == "web.1", i64::MAX).unwrap();
    let shown = shown(&mut reader);
    let whole = shown.iter().filter(|line| line.contains("xxxxx\" Newline 0")).count();
    assert_eq!(whole as i64, at - 1);
    let lost = 100 + 50 * 104;
    let last = [
        format!("{0} web.1 gap Some({lost})", at + 9000),
        format!("{} web.1 0 \"after\" Newline 0", at + 9000),
    ];
    assert_eq!(shown[shown.len() - 2..], last);
}

/// A file system of its own in this folder, which only this thread sees.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn resize(&self, size: &str) {
        mount(&["-o", &format!("remount,size={size}"), self.0.to_str().unwrap()]).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}

#[cfg(target_os = "linux")]
fn small_disk(folder: &Path, size: &str) -> Option<SmallDisk> {
    use nix::sched::{CloneFlags, unshare};

    let of_this_thread = unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS).is_ok()
        && mount(&["--make-rprivate", "/"]).is_ok()
        && mount(&["-t", "tmpfs", "-o", &format!("size={size}"), "none", folder.to_str()?]).is_ok();
    let is_there = crate::skipped::has("file system that only a test sees", of_this_thread);
    is_there.then(|| SmallDisk(folder.to_owned()))
}

#[cfg(not(target_os = "linux"))]
fn small_disk(_: &Path, _: &str) -> Option<SmallDisk> {
    None
}

fn mount(arguments: &[&str]) -> Result<(), std::process::ExitStatus> {
    let status = std::process::Command::new("mount").args(arguments).status().unwrap();
    if status.success() { Ok(()) } else { Err(status) }
}
