//! What git leaves out: .gitignore inside a repository from its top down, .git/info/exclude, the user's own file; .ignore
//! anywhere; and `.git` and `node_modules` everywhere.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::git::GitFolder;

/// The names of the files that hold the rules of a folder, of which the first wins.
const NAMES: [&str; 2] = [".ignore", ".gitignore"];

/// The rules, folder by folder, read when a folder is first asked about.
#[derive(Debug)]
pub(super) struct Ignores {
    folders: HashMap<PathBuf, Rc<IgnoreRules>>,
    /// The user's own.
    user: Gitignore,
}

/// What holds in one folder.
#[derive(Debug)]
struct IgnoreRules {
    /// .ignore and .gitignore, of which the first wins.
    own: [Option<Gitignore>; 2],
    /// .git/info/exclude, where a repository begins here.
    exclude: Option<Gitignore>,
    is_top: bool,
}

impl Default for Ignores {
    fn default() -> Self {
        Self { folders: HashMap::new(), user: Gitignore::global().0 }
    }
}

impl Ignores {
    /// Forgets all that was read.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Returns whether rules leave this path out, its folders apart. The path is absolute.
    pub(super) fn leave_out(&mut self, path: &Path, is_folder: bool) -> bool {
        if path.file_name().is_some_and(|name| name == "node_modules" || name == ".git") {
            return true;
        }
        let folders: Vec<Rc<IgnoreRules>> =
            path.ancestors().skip(1).map(|folder| self.rules(folder)).collect();
        let top = folders.iter().position(|rules| rules.is_top);
        let in_repository = top.map_or(&[][..], |top| &folders[..=top]);
        // .ignore wins over .gitignore, a deeper file over one that is above it (gitignore(5)).
        let by_ignore = folders.iter().filter_map(|rules| rules.own[0].as_ref());
        let by_git = in_repository.iter().filter_map(|rules| rules.own[1].as_ref());
        let by_exclude = top.and_then(|top| folders[top].exclude.as_ref());
        let by_user = top.map(|_| &self.user);
        by_ignore
            .chain(by_git)
            .chain(by_exclude)
            .chain(by_user)
            .map(|rules| rules.matched(path, is_folder))
            .find(|found| !found.is_none())
            .is_some_and(|found| matches!(found, Match::Ignore(_)))
    }

    /// Returns whether a file of this name holds such rules.
    pub(super) fn are_in(path: &Path) -> bool {
        path.file_name().is_some_and(|name| NAMES.iter().any(|own| name == *own))
    }

    /// Returns the files that hold the rules of a folder, there or not.
    pub(super) fn files_in(folder: &Path) -> [PathBuf; 2] {
        NAMES.map(|name| folder.join(name))
    }

    fn rules(&mut self, folder: &Path) -> Rc<IgnoreRules> {
        if let Some(found) = self.folders.get(folder) {
            return Rc::clone(found);
        }
        let rules = Rc::new(IgnoreRules::read(folder));
        self.folders.insert(folder.to_owned(), Rc::clone(&rules));
        rules
    }
}

impl IgnoreRules {
    fn read(folder: &Path) -> Self {
        let own = Ignores::files_in(folder).map(|file| read(folder, &file));
        let git = GitFolder::of(folder);
        let exclude = git.as_ref().and_then(|git| read(folder, &git.common().join("info/exclude")));
        Self { own, exclude, is_top: git.is_some() }
    }
}

fn read(folder: &Path, file: &Path) -> Option<Gitignore> {
    if !file.is_file() {
        return None;
    }
    let mut builder = GitignoreBuilder::new(folder);
    // A line that is no glob is passed over, as git does.
    let _ = builder.add(file);
    builder.build().ok()
}
