//! Where git keeps what belongs to a working tree, read from its files: nothing of pm waits for a `git` process. It
//! knows no module of pm.

use std::fs;
use std::path::{Path, PathBuf};

/// The folders of git's files for one working tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GitFolder {
    /// Of this working tree: HEAD and index.lock are here.
    pub(crate) own: PathBuf,
}

/// What git does with a working tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GitActivity {
    /// Nothing.
    None,
    /// It changes it.
    AtWork,
    /// Several commits are applied one by one: the next step follows, or git waits for a person.
    BetweenSteps,
}

impl GitFolder {
    /// Looks for it in the top folder of a working tree. `.git` is that folder, or a file that names it, which `git
    /// worktree` or a submodule made (gitrepository-layout(5)).
    pub(crate) fn of(top: &Path) -> Option<Self> {
        let git = top.join(".git");
        let metadata = fs::metadata(&git).ok()?;
        if !metadata.is_file() {
            return metadata.is_dir().then_some(Self { own: git });
        }
        let text = fs::read_to_string(&git).ok()?;
        // From the folder of the file, where it is not absolute.
        Some(Self { own: top.join(text.strip_prefix("gitdir:")?.trim()) })
    }

    /// Returns the file by which a linked working tree names the repository; a clone and a submodule have none.
    pub(crate) fn commondir(&self) -> PathBuf {
        self.own.join("commondir")
    }

    /// Returns the folder that all working trees of the repository share: info/exclude is here.
    pub(crate) fn common(&self) -> PathBuf {
        match fs::read_to_string(self.commondir()) {
            Ok(text) => self.own.join(text.trim()),
            Err(_) => self.own.clone(),
        }
    }

    /// Returns what git does with the working tree. A rebase, `git am` and a cherry-pick of several commits have folders
    /// of their own from their first step to their last.
    pub(crate) fn activity(&self) -> GitActivity {
        let has = |name: &str| self.own.join(name).exists();
        if has("index.lock") {
            GitActivity::AtWork
        } else if ["rebase-merge", "rebase-apply", "sequencer"].into_iter().any(has) {
            GitActivity::BetweenSteps
        } else {
            GitActivity::None
        }
    }
}
