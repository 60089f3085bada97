//! The globs of one process type: `["src/**/*.py", "!**/test_*.py"]`, or everything. They are read as the lines of a
//! .gitignore in the type's folder (gitignore(5)): one without a slash holds at any depth, one that names a folder
//! holds for all below, and of several that match the last one wins. No I/O.

use std::path::{Component, Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// Which files of a folder are meant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patterns {
    /// In the order in which they are written; none: everything is meant.
    globs: Vec<Glob>,
}

impl PartialEq for Patterns {
    fn eq(&self, other: &Self) -> bool {
        self.globs.iter().map(|glob| &glob.text).eq(other.globs.iter().map(|glob| &glob.text))
    }
}

impl Eq for Patterns {}

#[derive(Clone, Debug)]
struct Glob {
    text: String,
    matcher: Gitignore,
    is_exclusion: bool,
    /// What stands before the first wildcard.
    literal: PathBuf,
    /// It holds at that place alone, and not at any depth.
    is_placed: bool,
}

impl Patterns {
    /// Reads globs; without one everything is meant, and exclusions alone leave out of everything.
    ///
    /// # Errors
    /// One that is not a glob; the message says why.
    pub(crate) fn parse<S: AsRef<str>>(globs: &[S]) -> Result<Self, String> {
        let globs = globs.iter().map(|glob| Glob::parse(glob.as_ref()));
        Ok(Self { globs: globs.collect::<Result<_, _>>()? })
    }

    /// Returns whether a file is meant. Paths are from the type's folder. `ignored` is the path, or the folder above it,
    /// that an ignore file leaves out: then only a glob that names it outright means the file.
    pub(super) fn mean(&self, path: &Path, ignored: Option<&Path>) -> bool {
        match self.globs.iter().rfind(|glob| glob.matches(path)) {
            Some(glob) => !glob.is_exclusion && glob.names(ignored),
            None => ignored.is_none() && self.positive().next().is_none(),
        }
    }

    /// Returns whether something that is meant can lie in this folder, or in one below it.
    pub(super) fn reach(&self, folder: &Path, ignored: Option<&Path>) -> bool {
        let is_near = |glob: &Glob| {
            !glob.is_placed || folder.starts_with(&glob.literal) || glob.literal.starts_with(folder)
        };
        (ignored.is_none() && self.positive().next().is_none())
            || self.positive().any(|glob| glob.names(ignored) && is_near(glob))
    }

    /// Returns the globs, exclusions left out, that mean none of these files.
    pub(crate) fn without_a_match<'a>(
        &'a self,
        files: impl Iterator<Item = &'a Path> + Clone,
    ) -> impl Iterator<Item = &'a str> {
        self.positive()
            .filter(move |glob| !files.clone().any(|file| glob.matches(file)))
            .map(|glob| glob.text.as_str())
    }

    fn positive(&self) -> impl Iterator<Item = &Glob> {
        self.globs.iter().filter(|glob| !glob.is_exclusion)
    }
}

impl Glob {
    fn parse(text: &str) -> Result<Self, String> {
        let (is_exclusion, pattern) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
        if pattern.trim().is_empty() || pattern.starts_with('#') {
            return Err(format!("`{text}` is not a glob"));
        }
        let is_outside = Path::new(pattern).components().any(|part| part == Component::ParentDir);
        if is_outside {
            return Err(format!("`{text}` leaves the folder of the process type"));
        }
        let mut builder = GitignoreBuilder::new("");
        builder
            .add_line(None, &without_braces(pattern))
            .map_err(|error| format!("`{text}` is not a glob: {error}"))?;
        let matcher =
            builder.build().map_err(|error| format!("`{text}` is not a glob: {error}"))?;
        let inner = pattern.trim_end_matches('/');
        let is_placed = inner.contains('/') && !inner.starts_with("**/");
        let (text, literal) = (text.to_owned(), literal_of(inner));
        Ok(Self { text, matcher, is_exclusion, literal, is_placed })
    }

    /// Returns whether it names what is left out outright: what stands before its first wildcard is that path, or is
    /// below it.
    fn names(&self, ignored: Option<&Path>) -> bool {
        ignored.is_none_or(|path| self.literal.starts_with(path))
    }

    fn matches(&self, path: &Path) -> bool {
        self.matcher.matched_path_or_any_parents(path, false).is_ignore()
    }
}

/// Returns the folders, or the file, that stand before the first wildcard.
fn literal_of(pattern: &str) -> PathBuf {
    let is_literal = |part: &&str| !part.contains(['*', '?', '[', '\\']);
    pattern.trim_start_matches('/').split('/').take_while(is_literal).collect()
}

/// Takes their meaning from braces, which have none in a .gitignore (gitignore(5)) but do in the library that reads it.
fn without_braces(pattern: &str) -> String {
    let (mut text, mut is_escaped) = (String::with_capacity(pattern.len()), false);
    for char in pattern.chars() {
        if matches!(char, '{' | '}') && !is_escaped {
            text.push('\\');
        }
        is_escaped = char == '\\' && !is_escaped;
        text.push(char);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(globs: &[&str]) -> Patterns {
        Patterns::parse(globs).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn files_are_meant_as_in_a_gitignore_and_the_last_match_wins() {
        let table: [(&[&str], &[&str], &[&str]); 14] = [
            (&["*.{js,ts}"], &["a.{js,ts}"], &["a.js", "a.ts"]),
            (&["src/{id}.ts", "\\{b}"], &["src/{id}.ts", "x/{b}"], &["src/id.ts", "b"]),
            (&[], &["a", "src/a.py", ".env"], &[]),
            (&["*.py"], &["a.py", "src/deep/a.py"], &["a.pyc", "py"]),
            (&["src/*.py"], &["src/a.py"], &["src/deep/a.py", "a.py", "lib/src/a.py"]),
            (&["src/**/*.py"], &["src/a.py", "src/x/y/a.py"], &["a.py", "src/a.txt"]),
            (&["/app.py"], &["app.py"], &["src/app.py"]),
            (&["app.py"], &["app.py", "src/app.py"], &["xapp.py"]),
            (&["src/"], &["src/a", "src/b/c", "lib/src/a"], &["a"]),
            (&["src/**", "!**/test_*.py"], &["src/a.py"], &["src/test_a.py", "src/x/test_b.py"]),
            (&["src/**", "!src/gen"], &["src/a.py"], &["src/gen/a.py"]),
            (&["src/**", "!src/gen", "src/gen/keep.py"], &["src/gen/keep.py"], &["src/gen/a.py"]),
            (&["!*.log"], &["a.py"], &["a.log", "x/b.log"]),
            (&["./src/?.[ch]"], &["src/a.c", "src/b.h"], &["src/ab.c", "src/a.o", "src/x/a.c"]),
        ];
        for (globs, meant, others) in table {
            let patterns = patterns(globs);
            for path in meant {
                assert!(patterns.mean(Path::new(path), None), "{globs:?}: {path}");
            }
            for path in others {
                assert!(!patterns.mean(Path::new(path), None), "{globs:?}: {path}");
            }
        }
    }

    #[test]
    fn folders_that_can_hold_nothing_are_known() {
        let table: [(&[&str], &[&str], &[&str]); 5] = [
            (&[], &["", "src", "a/b"], &[]),
            (&["*.py"], &["", "a/b"], &[]),
            (&["src/**/*.py"], &["", "src", "src/a/b"], &["lib", "srcs"]),
            (&["a/b/c.txt"], &["", "a", "a/b"], &["b", "a/c"]),
            (&["src/**", "*.rb"], &["lib"], &[]),
        ];
        for (globs, reached, others) in table {
            let patterns = patterns(globs);
            for path in reached {
                assert!(patterns.reach(Path::new(path), None), "{globs:?}: {path}");
            }
            for path in others {
                assert!(!patterns.reach(Path::new(path), None), "{globs:?}: {path}");
            }
        }
    }

    #[test]
    fn a_glob_names_outright_what_stands_before_its_first_wildcard() {
        let table: [(&str, &[&str], &[&str]); 9] = [
            (".env", &[".env"], &["dist", "sub/.env"]),
            ("dist", &["dist"], &["sub/dist", "dist/js"]),
            ("dist/", &["dist"], &["sub/dist"]),
            ("**/dist", &[], &["dist", "sub/dist"]),
            ("dist/**", &["dist"], &["dist/js", "src"]),
            ("dist/js/*.js", &["dist", "dist/js"], &["dist/css"]),
            ("src/**", &["src"], &["src/gen"]),
            ("*.js", &[], &["dist", "a.js"]),
            ("/.env", &[".env"], &["dist"]),
        ];
        for (glob, named, others) in table {
            let patterns = patterns(&[glob]);
            for path in named {
                let path = Path::new(path);
                assert!(patterns.reach(path, Some(path)), "{glob}: {path:?}");
            }
            for path in others {
                let path = Path::new(path);
                assert!(!patterns.reach(path, Some(path)), "{glob}: {path:?}");
            }
        }
    }

    #[test]
    fn in_what_is_left_out_only_a_glob_that_names_it_means_a_file() {
        let patterns = patterns(&["dist/js/*.js", "*.css"]);
        let dist = Some(Path::new("dist"));
        assert!(patterns.mean(Path::new("dist/js/a.js"), dist));
        assert!(!patterns.mean(Path::new("dist/js/a.css"), dist));
        assert!(patterns.mean(Path::new("css/a.css"), None));
        assert!(!Patterns::default().mean(Path::new("dist/a"), dist));
    }

    #[test]
    fn a_glob_that_means_no_file_is_told() {
        let patterns = patterns(&["src/**/*.py", "lib/*.rb", "!x"]);
        let files = [Path::new("src/a.py")];
        assert_eq!(patterns.without_a_match(files.into_iter()).collect::<Vec<_>>(), ["lib/*.rb"]);
    }

    #[test]
    fn what_is_no_glob_is_refused() {
        for glob in ["", "!", "  ", "../x", "src/../../x", "#a"] {
            assert!(Patterns::parse(&[glob]).is_err(), "{glob:?}");
        }
    }
}
