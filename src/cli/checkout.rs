//! Which branch a folder is a checkout of, as git or jj has it. Read from their files: no command of pm waits for
//! a `git` process.

use std::fs;
use std::path::Path;

use crate::git::GitFolder;

/// How many digits of a commit are shown if no branch is checked out, as by `git status`.
const SHORT_HASH: usize = 7;

/// Returns the branch that is checked out in a folder or in the nearest one above it that is a checkout: of a clone,
/// of a worktree (also of a bare repository), or of a submodule. With a detached HEAD it is the short hash of the
/// commit, in a jj workspace without git the workspace's name. `None`: it is no checkout.
pub(crate) fn branch(root: &Path) -> Option<String> {
    for folder in root.ancestors() {
        if let Some(head) = GitFolder::of(folder).and_then(|git| head(&git)) {
            return head;
        }
        // What lies above a workspace is not its repository.
        let jj = folder.join(".jj");
        if jj.is_dir() {
            return workspace_name(&fs::read(jj.join("working_copy/checkout")).ok()?);
        }
    }
    None
}

/// Returns what tells a checkout from others of its repository: the branch of a linked worktree, or the name of a
/// further jj workspace; else the name of the root.
pub(crate) fn name(root: &Path) -> String {
    let of_folder = || root.file_name().unwrap_or(root.as_os_str()).to_string_lossy().into_owned();
    let own = if is_linked(root) { branch(root) } else { None };
    own.unwrap_or_else(of_folder)
}

/// Returns whether the nearest checkout has its repository elsewhere. A submodule has not (gitrepository-layout(5),
/// `commondir`).
fn is_linked(root: &Path) -> bool {
    let of_folder = |folder: &Path| {
        if let Some(git) = GitFolder::of(folder).filter(|git| head(git).is_some()) {
            return Some(git.commondir().is_file());
        }
        let jj = folder.join(".jj");
        jj.is_dir().then(|| jj.join("repo").is_file())
    };
    root.ancestors().find_map(of_folder).unwrap_or(false)
}

/// Reads the HEAD of a checkout. `None` where this is no repository's folder; inside, `None` where HEAD does not tell
/// (reftable keeps it elsewhere, and writes `refs/heads/.invalid`).
fn head(git: &GitFolder) -> Option<Option<String>> {
    let text = fs::read_to_string(git.own.join("HEAD")).ok()?;
    let text = text.trim();
    let branch = match text.strip_prefix("ref:").map(str::trim) {
        Some("refs/heads/.invalid") => None,
        Some(name) => {
            let name = name.strip_prefix("refs/heads/").unwrap_or(name);
            Some(name.to_owned()).filter(|name| !name.is_empty())
        }
        None => {
            let is_hash = text.len() > SHORT_HASH && text.bytes().all(|b| b.is_ascii_hexdigit());
            is_hash.then(|| text[..SHORT_HASH].to_owned())
        }
    };
    Some(branch)
}

/// Returns the name in jj's file of a working copy: a protobuf message, `bytes operation_id = 2; string
/// workspace_name = 3;` (jj lib/src/protos/local_working_copy.proto).
fn workspace_name(message: &[u8]) -> Option<String> {
    /// Field 3, of a type with a length.
    const NAME: u8 = 3 << 3 | 2;
    let mut rest = message;
    loop {
        // Both fields are shorter than 128 bytes: a length is one byte.
        let [tag, length, after @ ..] = rest else { return None };
        if tag & 7 != 2 {
            return None;
        }
        let value = after.get(..usize::from(*length))?;
        if *tag == NAME {
            return String::from_utf8(value.to_vec()).ok();
        }
        rest = &after[value.len()..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scratch(tempfile::TempDir);

    impl Scratch {
        /// Makes files in a folder; a name that ends with `/` is a folder.
        fn new(files: &[(&str, &[u8])]) -> Self {
            let scratch = tempfile::tempdir().unwrap();
            for (name, text) in files {
                let path = scratch.path().join(name);
                if name.ends_with('/') {
                    fs::create_dir_all(path).unwrap();
                } else {
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    fs::write(path, text).unwrap();
                }
            }
            Self(scratch)
        }

        fn branch(&self, folder: &str) -> Option<String> {
            branch(&self.0.path().join(folder))
        }
    }

    #[test]
    fn the_branch_is_that_of_the_nearest_checkout() {
        let it = Scratch::new(&[
            ("app/.git/HEAD", b"ref: refs/heads/fix/login\n"),
            ("app/sub/", b""),
            ("app/.git/worktrees/two/HEAD", b"ref: refs/heads/two\n"),
            ("app/.git/worktrees/two/commondir", b"../..\n"),
            ("two/.git", b"gitdir: ../app/.git/worktrees/two\n"),
            ("bare.git/HEAD", b"ref: refs/heads/main\n"),
            ("bare.git/worktrees/wt/HEAD", b"ref: refs/heads/of-bare\n"),
            ("wt/.git", b"gitdir: ../bare.git/worktrees/wt\n"),
            ("none/", b""),
        ]);
        for (folder, expected) in [
            ("app", Some("fix/login")),
            ("app/sub", Some("fix/login")),
            ("two", Some("two")),
            ("wt", Some("of-bare")),
            ("none", None),
        ] {
            assert_eq!(it.branch(folder).as_deref(), expected, "{folder}");
        }
    }

    #[test]
    fn a_linked_worktree_is_named_by_its_branch_and_everything_else_by_its_root() {
        let hash = [&b"0123456789abcdef0123456789abcdef01234567"[..], b"\n"].concat();
        let it = Scratch::new(&[
            ("app/.git/HEAD", b"ref: refs/heads/main\n"),
            ("app/.git/worktrees/two/HEAD", b"ref: refs/heads/fix/login\n"),
            ("app/.git/worktrees/two/commondir", b"../..\n"),
            ("two/.git", b"gitdir: ../app/.git/worktrees/two\n"),
            ("two/services/shop/", b""),
            ("app/.git/worktrees/three/HEAD", &hash),
            ("app/.git/worktrees/three/commondir", b"../..\n"),
            ("three/.git", b"gitdir: ../app/.git/worktrees/three\n"),
            ("app/.git/modules/lib/HEAD", b"ref: refs/heads/main\n"),
            ("app/lib/.git", b"gitdir: ../.git/modules/lib\n"),
            ("none/", b""),
        ]);
        for (folder, expected) in [
            ("app", "app"),
            ("two", "fix/login"),
            ("two/services/shop", "fix/login"),
            ("three", "0123456"),
            ("app/lib", "lib"),
            ("none", "none"),
        ] {
            assert_eq!(name(&it.0.path().join(folder)), expected, "{folder}");
        }
    }

    #[test]
    fn a_detached_head_is_its_short_hash_and_one_that_tells_nothing_is_none() {
        let hash = [&b"0123456789abcdef0123456789abcdef01234567"[..], b"\n"].concat();
        let it = Scratch::new(&[
            ("detached/.git/HEAD", &hash),
            ("reftable/.git/HEAD", b"ref: refs/heads/.invalid\n"),
            ("empty/.git/HEAD", b""),
            ("words/.git/HEAD", b"what is this \xff\n"),
            ("gone/.git", b"gitdir: /no/such/folder\n"),
            ("other/.git", b"no such line\n"),
            ("no-head/.git/", b""),
        ]);
        assert_eq!(it.branch("detached").as_deref(), Some("0123456"));
        for folder in ["reftable", "empty", "words", "gone", "other", "no-head"] {
            assert_eq!(it.branch(folder), None, "{folder}");
        }
    }

    #[test]
    fn a_jj_workspace_has_its_own_name_and_not_the_branch_of_what_lies_above_it() {
        let checkout = b"\x12\x03abc\x1a\x05stack";
        let it = Scratch::new(&[
            (".git/HEAD", b"ref: refs/heads/dotfiles\n"),
            ("main/.jj/repo/", b""),
            ("main/.jj/working_copy/checkout", b"\x12\x01x\x1a\x07default"),
            ("second/.jj/repo", b"../main/.jj/repo"),
            ("second/.jj/working_copy/checkout", checkout),
            ("odd/.jj/repo", b"../main/.jj/repo"),
            ("odd/.jj/working_copy/checkout", b"\x12\x7f"),
            ("both/.git/HEAD", b"0123456789abcdef0123456789abcdef01234567\n"),
            ("both/.jj/repo/", b""),
        ]);
        for (folder, expected) in [
            ("main", Some("default")),
            ("second", Some("stack")),
            ("odd", None),
            ("both", Some("0123456")),
            ("", Some("dotfiles")),
        ] {
            assert_eq!(it.branch(folder).as_deref(), expected, "{folder}");
        }
    }
}
