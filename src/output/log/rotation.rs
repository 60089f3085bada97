//! A log that is renamed when it gets long, and that another program may rename, remove or truncate
//! (logrotate(8)).
//!
//! Its path is looked at when something is written, so that nothing wakes up for it, and at the beginning of a
//! line only, so that no line is cut.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use memchr::{memchr, memrchr};
use rustix::fs::{FlockOperation, flock};

use crate::app::LogLimits;

/// What may be written next.
#[derive(Debug)]
pub(in crate::output) struct Step {
    /// The file that it goes to, where that is another one from here on.
    pub(in crate::output) file: Option<File>,
    /// How many of the bytes go there.
    pub(in crate::output) length: usize,
}

/// Which file, by device and inode.
type FileId = (u64, u64);

/// Where a log stands, and how it is renamed.
#[derive(Debug)]
pub(in crate::output) struct Rotation {
    path: PathBuf,
    limits: LogLimits,
    /// stdout and stderr of this process go to it, too.
    is_standard: bool,
    id: FileId,
    is_at_line_start: bool,
    /// It could not be renamed: the next try comes when it is that long.
    retry_at: u64,
    trouble: Trouble,
}

/// Why the log cannot be renamed, which is told once.
#[derive(Debug)]
enum Trouble {
    None,
    New(String),
    Told,
}

impl Rotation {
    /// Takes care of a log that is open; `None` where it is no file, but a device or a pipe.
    ///
    /// # Errors
    /// The system does not tell what it is.
    pub(in crate::output) fn of(
        path: &Path,
        limits: LogLimits,
        file: impl AsFd,
    ) -> io::Result<Option<Self>> {
        let found = File::from(file.as_fd().try_clone_to_owned()?).metadata()?;
        if !found.is_file() {
            return Ok(None);
        }
        // What a link names is renamed, not the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let id = id_of(&found);
        let (is_at_line_start, retry_at, trouble) = (true, 0, Trouble::None);
        Ok(Some(Self { path, limits, is_standard: false, id, is_at_line_start, retry_at, trouble }))
    }

    /// Lets stdout and stderr of this process go where the log goes.
    pub(in crate::output) fn with_standard_streams(self) -> Self {
        Self { is_standard: true, ..self }
    }

    /// Opens the log of a path, or creates it for its owner alone.
    ///
    /// # Errors
    /// It cannot be opened, or is no file.
    pub(in crate::output) fn open(path: &Path) -> io::Result<File> {
        let file = File::options().read(true).append(true).create(true).mode(0o600).open(path)?;
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::Error::other("it is no file")),
        }
    }

    /// Returns where the log is.
    pub(in crate::output) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whether what was written last has ended its line.
    pub(in crate::output) fn is_at_line_start(&self) -> bool {
        self.is_at_line_start
    }

    /// Returns once why the log cannot be renamed.
    pub(in crate::output) fn take_trouble(&mut self) -> Option<String> {
        match std::mem::replace(&mut self.trouble, Trouble::Told) {
            Trouble::New(text) => Some(text),
            Trouble::Told => None,
            Trouble::None => {
                self.trouble = Trouble::None;
                None
            }
        }
    }

    /// Takes note of what was written.
    pub(in crate::output) fn note(&mut self, written: &[u8]) {
        if let Some(last) = written.last() {
            self.is_at_line_start = *last == b'\n';
        }
    }

    /// Says how much of `bytes`, at least one, is written to which file. `current` is the one that is open.
    pub(in crate::output) fn step(&mut self, current: impl AsFd, bytes: &[u8]) -> Step {
        if !self.is_at_line_start {
            return Step { file: None, length: first_line(bytes) };
        }
        let (mut file, size) = match fs::metadata(&self.path) {
            Ok(found) if id_of(&found) == self.id => (None, found.len()),
            // Somebody has renamed it. Where it cannot be made again (its folder is gone), all goes on as it was.
            Ok(_) | Err(_) => match self.begin() {
                Some(file) => {
                    let size = file.metadata().map_or(0, |found| found.len());
                    (Some(file), size)
                }
                None => return Step { file: None, length: bytes.len() },
            },
        };
        let limit = self.limits.size;
        let all = bytes.len() as u64;
        if limit == 0 || size.saturating_add(all) <= limit.max(self.retry_at) {
            return Step { file, length: bytes.len() };
        }
        if let Some(length) = lines_within(bytes, limit.saturating_sub(size)) {
            return Step { file, length };
        }
        if size > 0 {
            let renamed = match &file {
                Some(file) => self.rename(file),
                None => self.rename(&current),
            };
            match renamed {
                Ok(true) => file = self.begin().or(file),
                // Another session writes to it, too, and is renaming it.
                Ok(false) => return Step { file, length: bytes.len() },
                Err(error) => {
                    self.retry_at = size.saturating_add(limit);
                    if matches!(self.trouble, Trouble::None) {
                        let path = self.path.display();
                        let text = format!("cannot rename the log `{path}`: {error}");
                        self.trouble = Trouble::New(text);
                    }
                    return Step { file, length: bytes.len() };
                }
            }
        }
        let length = lines_within(bytes, limit).unwrap_or_else(|| first_line(bytes));
        Step { file, length }
    }

    /// Begins the file at the path.
    fn begin(&mut self) -> Option<File> {
        let file = Self::open(&self.path).ok()?;
        self.id = id_of(&file.metadata().ok()?);
        self.retry_at = 0;
        if self.is_standard {
            // An error leaves what is written there by accident in the log before.
            let _ = nix::unistd::dup2_stdout(&file);
            let _ = nix::unistd::dup2_stderr(&file);
        }
        Some(file)
    }

    /// Renames the log and those that were renamed before, unless somebody else has done it meanwhile. Returns
    /// false where somebody else is about to.
    fn rename(&self, current: &impl AsFd) -> io::Result<bool> {
        match flock(current, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(false),
            // A file system without locks.
            Err(_) => return self.rename_alone().map(|()| true),
        }
        let renamed = match fs::metadata(&self.path) {
            Ok(found) if id_of(&found) == self.id => self.rename_alone(),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        };
        // What fails here ends with the descriptor.
        let _ = flock(current, FlockOperation::Unlock);
        renamed.map(|()| true)
    }

    fn rename_alone(&self) -> io::Result<()> {
        let keep = self.limits.keep;
        if keep == 0 {
            return fs::remove_file(&self.path);
        }
        let mut last = 1;
        while last < keep && self.numbered(last).exists() {
            last += 1;
        }
        for number in (1..last).rev() {
            fs::rename(self.numbered(number), self.numbered(number + 1))?;
        }
        fs::rename(&self.path, self.numbered(1))
    }

    /// Returns `pm.log.2`.
    fn numbered(&self, number: u64) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

fn id_of(found: &Metadata) -> FileId {
    (found.dev(), found.ino())
}

/// Returns the length of the first line, or of all where it does not end here.
fn first_line(bytes: &[u8]) -> usize {
    memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1)
}

/// Returns the length of the whole lines that fit into this number of bytes.
fn lines_within(bytes: &[u8], room: u64) -> Option<usize> {
    let room = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
    memrchr(b'\n', &bytes[..room]).map(|at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    struct Log {
        file: File,
        rotation: Rotation,
    }

    impl Log {
        fn open(path: &Path, size: u64, keep: u64) -> Self {
            let file = Rotation::open(path).unwrap();
            let rotation = Rotation::of(path, LogLimits { size, keep }, &file).unwrap().unwrap();
            Self { file, rotation }
        }

        fn write(&mut self, mut bytes: &[u8]) {
            while !bytes.is_empty() {
                let step = self.rotation.step(&self.file, bytes);
                self.file = step.file.unwrap_or_else(|| self.file.try_clone().unwrap());
                let (now, later) = bytes.split_at(step.length);
                self.file.write_all(now).unwrap();
                self.rotation.note(now);
                bytes = later;
            }
        }
    }

    fn read(folder: &Path, names: &[&str]) -> Vec<String> {
        names.iter().map(|name| fs::read_to_string(folder.join(name)).unwrap()).collect()
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_long_log_is_renamed_between_two_lines_and_so_many_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pm.log");
        let mut log = Log::open(&path, 10, 2);
        log.write(b"one\ntwo\n");
        assert_eq!(names(folder.path()), ["pm.log"]);
        // In one batch: what fits, a line that is longer than the limit, and what comes behind it.
        log.write(b"x\nthree\nfour five six seven\neight\nn");
        log.write(b"ine is unfinished");
        log.write(b" still\nten\n");
        let files = ["pm.log.2", "pm.log.1", "pm.log"];
        let expected = ["four five six seven\n", "eight\nnine is unfinished still\n", "ten\n"];
        assert_eq!(read(folder.path(), &files), expected);
        assert_eq!(names(folder.path()), ["pm.log", "pm.log.1", "pm.log.2"]);
        let mode = fs::metadata(&path).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn nothing_is_lost_or_doubled_whatever_the_batches_and_what_others_do_to_the_log() {
        for batch in [1, 7, 100, 5000] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("pm.log");
            let mut log = Log::open(&path, 1000, 1000);
            let lines: Vec<String> =
                (0..2000).map(|n| format!("{n} {}\n", "x".repeat(n % 50))).collect();
            let stream = lines.concat().into_bytes();
            let mut moved = 0;
            for (at, piece) in stream.chunks(batch).enumerate() {
                if at % 40 == 39 && path.exists() {
                    moved += 1;
                    fs::rename(&path, folder.path().join(format!("moved.{moved}"))).unwrap();
                }
                log.write(piece);
            }
            let mut seen = Vec::new();
            for name in names(folder.path()) {
                let bytes = fs::read(folder.path().join(&name)).unwrap();
                assert!(bytes.len() <= 1000 + 55, "{name} has {} bytes", bytes.len());
                assert!(bytes.ends_with(b"\n"), "{name}");
                seen.extend(bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec));
            }
            let number = |line: &Vec<u8>| {
                let text = String::from_utf8_lossy(line);
                text.split(' ').next().unwrap().parse::<u32>().unwrap()
            };
            seen.sort_by_key(number);
            assert!(seen.concat() == stream, "batches of {batch}");
        }
    }

    #[test]
    fn a_log_that_was_renamed_removed_or_truncated_is_begun_again_at_the_next_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pm.log");
        let mut log = Log::open(&path, 10, 1);
        log.write(b"one\nha");
        fs::rename(&path, folder.path().join("old")).unwrap();
        log.write(b"lf\ntwo\n");
        assert_eq!(read(folder.path(), &["old", "pm.log"]), ["one\nhalf\n", "two\n"]);
        fs::remove_file(&path).unwrap();
        log.write(b"three\n");
        assert_eq!(read(folder.path(), &["pm.log"]), ["three\n"]);
        File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
        log.write(b"123456789\n");
        assert_eq!(read(folder.path(), &["pm.log"]), ["123456789\n"], "it was empty, and had room");
        assert_eq!(names(folder.path()), ["old", "pm.log"]);
    }

    #[test]
    fn a_log_whose_folder_is_gone_goes_on_and_is_begun_again_when_the_folder_is_back() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir(&root).unwrap();
        let path = root.join("pm.log");
        let mut log = Log::open(&path, 10, 1);
        fs::remove_dir_all(&root).unwrap();
        log.write(b"nobody sees this, however long it is\n");
        fs::create_dir(&root).unwrap();
        log.write(b"back\n");
        assert_eq!(read(&root, &["pm.log"]), ["back\n"]);
    }

    #[test]
    fn two_sessions_write_to_one_log_and_each_line_is_there_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pm.log");
        let mut logs = [Log::open(&path, 100, 1000), Log::open(&path, 100, 1000)];
        for n in 0..500 {
            logs[n % 2].write(format!("{n:04}\n").as_bytes());
        }
        let all: String = read(
            folder.path(),
            &names(folder.path()).iter().map(String::as_str).collect::<Vec<_>>(),
        )
        .concat();
        let mut lines: Vec<_> = all.lines().collect();
        lines.sort_unstable();
        assert!(lines.iter().enumerate().all(|(n, line)| *line == format!("{n:04}")));
        assert_eq!(lines.len(), 500);
        assert_eq!(names(folder.path()).len(), 25, "none was renamed before it was full");
    }

    #[test]
    fn a_log_that_cannot_be_renamed_grows_and_that_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pm.log");
        fs::create_dir_all(folder.path().join("pm.log.1/full")).unwrap();
        let mut log = Log::open(&path, 10, 1);
        log.write(b"one\ntwo\nthree\n");
        let trouble = log.rotation.take_trouble().unwrap();
        assert!(trouble.starts_with("cannot rename the log `"), "{trouble}");
        log.write(b"four\nfive\nsix\nseven\neight\n");
        assert_eq!(log.rotation.take_trouble(), None);
        let all = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n";
        assert_eq!(read(folder.path(), &["pm.log"]), [all]);
    }

    #[test]
    fn without_a_limit_nothing_is_renamed_and_without_any_to_keep_the_old_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pm.log");
        Log::open(&path, 0, 2).write(&b"line\n".repeat(1000));
        assert_eq!(names(folder.path()), ["pm.log"]);
        Log::open(&path, 10, 0).write(b"only this\n");
        assert_eq!(read(folder.path(), &["pm.log"]), ["only this\n"]);
        assert_eq!(names(folder.path()), ["pm.log"]);
    }

    #[test]
    fn what_is_no_file_is_left_alone() {
        let null = File::options().write(true).open("/dev/null").unwrap();
        let limits = LogLimits { size: 1, keep: 1 };
        assert!(Rotation::of(Path::new("/dev/null"), limits, &null).unwrap().is_none());
        assert!(Rotation::open(Path::new("/dev/null")).is_err());
    }
}
