//! Puts an export on the disk: whole or not at all, over nothing but what pm wrote itself.
//!
//! [`Changes::plan`] looks and refuses; [`Changes::apply`] writes every file under a temporary name, then
//! renames all of them, then removes what an earlier export of the same application and format left behind.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::error::ExportError;
use super::{File, Owner, diff, marker};

/// Service folders hold `log/run`, and nothing of an export lies deeper.
const DEPTH: usize = 2;
/// Enough of a file to find the marker in.
const HEAD_BYTES: u64 = 4096;

/// Who gets the files of [`Owner::User`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chown {
    /// This user and group: pm may give files away.
    To(u32, u32),
    /// Nobody: pm is not root, or there is no such user here.
    Keep,
}

/// What an export changes in its folder.
#[derive(Debug)]
pub struct Changes<'a> {
    location: &'a Path,
    files: &'a [File],
    /// What each file holds so far; `None` where there is none.
    before: Vec<Option<String>>,
    /// What an earlier export left behind, below the folder.
    stale: Vec<PathBuf>,
}

impl<'a> Changes<'a> {
    /// Works out what would change, without changing it.
    ///
    /// # Errors
    /// A file in the way is not pm's or belongs to another application, or cannot be read.
    pub fn plan(
        location: &'a Path,
        app: &str,
        format: &str,
        files: &'a [File],
    ) -> Result<Self, ExportError> {
        let mut before = Vec::new();
        for file in files {
            before.push(read_own(&location.join(&file.path), app)?);
        }
        let mut stale = Vec::new();
        visit(location, app, &mut |path, contents| {
            let found = marker::read(contents);
            if found.is_some_and(|found| found.app == app && found.format == format) {
                stale.push(path.to_owned());
                stale.extend(bare_files(location, path));
            }
        })?;
        stale.retain(|path| files.iter().all(|file| file.path != *path));
        stale.sort();
        Ok(Self { location, files, before, stale })
    }

    /// Returns the files whose contents change or that appear.
    pub fn written(&self) -> impl Iterator<Item = &'a Path> + '_ {
        let pairs = self.files.iter().zip(&self.before);
        let changed = pairs.filter(|(file, before)| before.as_deref() != Some(&file.contents));
        changed.map(|(file, _)| file.path.as_path())
    }

    /// Returns the files that go away.
    pub fn removed(&self) -> &[PathBuf] {
        &self.stale
    }

    /// Returns the change as a unified diff, with `/dev/null` for a file that is not there.
    pub fn diff(&self) -> Result<String, ExportError> {
        let mut out = String::new();
        let mut add = |path: &Path, before: Option<&str>, after: Option<&str>| {
            let name = |side: Option<&str>| match side {
                Some(_) => self.location.join(path).display().to_string(),
                None => "/dev/null".to_owned(),
            };
            let names = (&*name(before), &*name(after));
            out.push_str(&diff::unified(
                before.unwrap_or_default(),
                after.unwrap_or_default(),
                names,
            ));
        };
        for (file, before) in self.files.iter().zip(&self.before) {
            add(&file.path, before.as_deref(), Some(&file.contents));
        }
        for path in &self.stale {
            let full = self.location.join(path);
            let before = fs::read(&full)
                .map_err(|source| ExportError::Write { path: full.clone(), source })?;
            add(path, Some(&String::from_utf8_lossy(&before)), None);
        }
        Ok(out)
    }

    /// Makes the change.
    ///
    /// # Errors
    /// A file or folder cannot be written. Up to the first rename, what was there stays as it was.
    pub fn apply(&self, chown: Chown) -> Result<(), ExportError> {
        let mut temporary = Temporary::default();
        for file in self.files {
            let path = self.location.join(&file.path);
            temporary
                .write(&path, file, chown)
                .map_err(|source| ExportError::Write { path, source })?;
        }
        temporary.rename()?;
        for path in &self.stale {
            let full = self.location.join(path);
            fs::remove_file(&full)
                .map_err(|source| ExportError::Write { path: full.clone(), source })?;
            let folders = path.ancestors().skip(1).filter(|folder| *folder != Path::new(""));
            for folder in folders {
                // A folder that holds something else, such as runit's `supervise`, stays.
                if fs::remove_dir(self.location.join(folder)).is_err() {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Returns what pm wrote to `path` earlier, or `None` where nothing is there.
fn read_own(path: &Path, app: &str) -> Result<Option<String>, ExportError> {
    let foreign =
        |what: &str| ExportError::Foreign { path: path.to_owned(), what: what.to_owned() };
    let fail = |source| ExportError::Write { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(fail(source)),
        Ok(metadata) if metadata.is_symlink() => return Err(foreign("is a symbolic link")),
        Ok(metadata) if !metadata.is_file() => return Err(foreign("is not a file")),
        Ok(_) => {}
    }
    let contents = String::from_utf8_lossy(&fs::read(path).map_err(fail)?).into_owned();
    let found = marker::read(&contents).or_else(|| {
        let run = path.with_file_name("run");
        marker::can_do_without(path)
            .then(|| head(&run).ok())
            .flatten()
            .and_then(|text| marker::read(&text))
    });
    match found {
        Some(found) if found.app == app => Ok(Some(contents)),
        Some(found) => Err(foreign(&format!("belongs to the application `{}`", found.app))),
        None => Err(foreign("was not written by pm")),
    }
}

/// Returns the files without a marker that stand beside a service's `run`.
fn bare_files(location: &Path, run: &Path) -> Vec<PathBuf> {
    if run.file_name().is_none_or(|name| name != "run") {
        return Vec::new();
    }
    let beside = marker::BARE.iter().map(|name| run.with_file_name(name));
    beside.filter(|path| location.join(path).is_file()).collect()
}

/// Calls `found` with the path and first bytes of each plain file in the folder and in those of its folders
/// that are called as the application's services are. Symbolic links are not followed, and what cannot be
/// read is not pm's.
fn visit(
    location: &Path,
    app: &str,
    found: &mut dyn FnMut(&Path, &str),
) -> Result<(), ExportError> {
    let entries = match fs::read_dir(location) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(ExportError::Write { path: location.to_owned(), source }),
    };
    let service = format!("{app}-");
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_service = name.to_string_lossy().starts_with(&service);
        visit_entry(&entry, Path::new(&name), if is_service { DEPTH } else { 0 }, found);
    }
    Ok(())
}

/// Visits a file, or a folder's files where `depth` is left.
fn visit_entry(
    entry: &fs::DirEntry,
    path: &Path,
    depth: usize,
    found: &mut dyn FnMut(&Path, &str),
) {
    match entry.file_type() {
        Ok(kind) if kind.is_dir() && depth > 0 => {
            for below in fs::read_dir(entry.path()).into_iter().flatten().flatten() {
                visit_entry(&below, &path.join(below.file_name()), depth - 1, found);
            }
        }
        Ok(kind) if kind.is_file() => {
            if let Ok(text) = head(&entry.path()) {
                found(path, &text);
            }
        }
        Ok(_) | Err(_) => {}
    }
}

fn head(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(HEAD_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Files under their temporary names; those that were not renamed are removed again, with the folders that
/// were made for them.
#[derive(Debug, Default)]
struct Temporary {
    pairs: Vec<(PathBuf, PathBuf)>,
    /// Folders that were made for them, the outer before the inner.
    folders: Vec<PathBuf>,
}

impl Temporary {
    fn write(&mut self, path: &Path, file: &File, chown: Chown) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            let new: Vec<_> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
            self.folders.extend(new.into_iter().rev().map(Path::to_owned));
            fs::create_dir_all(folder)?;
        }
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".{}.tmp", std::process::id()));
        let temporary = path.with_file_name(name);
        // Closed to others from its first byte; never through a link that somebody has put there.
        let mut out =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        self.pairs.push((temporary.clone(), path.to_owned()));
        out.write_all(file.contents.as_bytes())?;
        if let (Owner::User, Chown::To(user, group)) = (file.owner, chown) {
            std::os::unix::fs::chown(&temporary, Some(user), Some(group))?;
        }
        out.set_permissions(fs::Permissions::from_mode(file.mode))?;
        out.sync_all()
    }

    fn rename(&mut self) -> Result<(), ExportError> {
        let mut pairs = std::mem::take(&mut self.pairs).into_iter();
        while let Some((from, to)) = pairs.next() {
            if let Err(source) = fs::rename(&from, &to) {
                self.pairs = std::iter::once((from, to.clone())).chain(pairs).collect();
                return Err(ExportError::Write { path: to, source });
            }
        }
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        for (temporary, _) in &self.pairs {
            // The failure that led here is the one that is told.
            let _ = fs::remove_file(temporary);
        }
        for folder in self.folders.iter().rev() {
            // One that holds a file stays, and all of them do after a success.
            let _ = fs::remove_dir(folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, contents: &str, mode: u32) -> File {
        File { path: path.into(), contents: contents.to_owned(), mode, owner: Owner::Exporter }
    }

    fn ours(path: &str) -> File {
        file(path, &format!("# {}\n", marker::text("systemd", "shop")), 0o644)
    }

    fn export(folder: &Path, files: &[File]) -> Result<Vec<PathBuf>, String> {
        let changes =
            Changes::plan(folder, "shop", "systemd", files).map_err(|error| error.to_string())?;
        changes.apply(Chown::Keep).map_err(|error| error.to_string())?;
        Ok(changes.removed().to_vec())
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names = Vec::new();
        visit(folder, "shop", &mut |path, _| names.push(path.display().to_string())).unwrap();
        names.sort();
        names
    }

    #[test]
    fn a_second_export_removes_what_it_no_longer_wants_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("shopping.service"), "# not ours\n").unwrap();
        fs::write(at("other.service"), "# pm export: app=other format=systemd\n").unwrap();
        fs::write(at("shop.yaml"), "# pm export: app=shop format=compose\n").unwrap();
        let service = [ours("shop-web-2/run"), file("shop-web-2/timeout-kill", "5000\n", 0o644)];
        let both = [vec![ours("shop-web-1.service")], service.to_vec()].concat();
        export(folder.path(), &both).unwrap();
        let removed = export(folder.path(), &both[..1]).unwrap();
        assert_eq!(removed, [PathBuf::from("shop-web-2/run"), "shop-web-2/timeout-kill".into()]);
        assert_eq!(
            names(folder.path()),
            ["other.service", "shop-web-1.service", "shop.yaml", "shopping.service"]
        );
        assert!(!at("shop-web-2").exists());
    }

    #[test]
    fn a_strangers_file_stops_the_export_before_anything_is_written() {
        for (contents, what) in [
            ("[Unit]\n", "was not written by pm"),
            ("# pm export: app=other format=systemd\n", "belongs to the application `other`"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("b.service"), contents).unwrap();
            let refusal =
                export(folder.path(), &[ours("a.service"), ours("b.service")]).unwrap_err();
            assert!(refusal.ends_with(what), "{refusal}");
            assert_eq!(names(folder.path()), ["b.service"]);
        }
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("a.service")).unwrap();
        assert!(
            export(folder.path(), &[ours("a.service")])
                .unwrap_err()
                .ends_with("is a symbolic link")
        );
    }

    #[test]
    fn a_failed_write_leaves_the_folder_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("b"), "a file where a folder is needed").unwrap();
        let files = [ours("a.service"), ours("new/log/run"), ours("b/run")];
        let changes = Changes {
            location: folder.path(),
            files: &files,
            before: vec![None, None, None],
            stale: vec![],
        };
        assert!(changes.apply(Chown::Keep).is_err());
        assert_eq!(names(folder.path()), ["b"]);
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
        let changes = Changes::plan(folder.path(), "shop", "systemd", &files).unwrap();
        assert_eq!((changes.written().count(), changes.diff().unwrap().as_str()), (0, ""));
        files[0].contents.push_str("A=1\n");
        let changes = Changes::plan(folder.path(), "shop", "systemd", &files).unwrap();
        assert!(changes.diff().unwrap().ends_with("+A=1\n"));
    }
}
