//! A file has one idea and a function does one thing: no file of the sources is longer than 400 lines and no function
//! longer than 60. Whatever is longer stands here, with the reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The most lines of a file: its own, without the tests that stand below them.
const FILE: usize = 400;
/// The most lines of a function, from its signature to its closing brace.
const FUNCTION: usize = 60;

/// The functions that may be longer: the file, the function, and why it is one idea.
const LONG_FUNCTIONS: &[(&str, &str, &str)] = &[
    ("src/error/hint.rs", "hint", "one arm per error, of one or two lines each"),
    ("src/session/messages/instance.rs", "note", "one arm per note, each with its message"),
    ("src/session/run/open.rs", "open", "half of it is the session itself, a line per field"),
    ("src/supervisor/mod.rs", "apply", "one arm per event, each a call"),
    ("src/supervisor/trace.rs", "action", "one arm per action, of one or two lines each"),
];

/// Returns the lines of a source without the tests at its end.
fn own_lines(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().collect();
    let is_test = |at: &usize| {
        let next = lines.get(at + 1..).and_then(|rest| rest.iter().find(|it| !it.starts_with('#')));
        lines[*at].starts_with("#[cfg(")
            && lines[*at].contains("test")
            && next.is_some_and(|line| line.contains("mod ") && line.ends_with('{'))
    };
    let end = (0..lines.len()).find(is_test).unwrap_or(lines.len());
    lines[..end].to_vec()
}

/// Returns the functions of a source, each with its number of lines. rustfmt closes each at its own indentation.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let before = code.split("fn ").next().unwrap_or_default();
        let is_qualifier = |word: &str| {
            matches!(word, "pub" | "const" | "unsafe" | "async" | "extern" | "\"C\"")
                || word.starts_with("pub(")
                || word.ends_with(')')
        };
        if !code.contains("fn ") || !before.split_whitespace().all(is_qualifier) {
            continue;
        }
        let name = code[before.len() + "fn ".len()..]
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        let end = format!("{}}}", &line[..line.len() - code.len()]);
        let is_in_one_line = line.ends_with('}') || line.ends_with(';');
        let length = match lines[at..].iter().position(|line| **line == end) {
            Some(last) if !is_in_one_line => last + 1,
            _ => 1,
        };
        found.push((name, length));
    }
    found
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// Returns each source with its path from the top: `src/app/size.rs`.
fn texts() -> Vec<(String, String)> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: PathBuf| {
        let name = path.strip_prefix(top).unwrap().to_string_lossy().into_owned();
        (name, fs::read_to_string(&path).unwrap())
    };
    sources(&top.join("src")).into_iter().map(read).collect()
}

#[test]
fn no_file_is_longer_than_400_lines_without_its_tests() {
    let texts = texts();
    assert!(texts.len() > 300, "the sources are read: {}", texts.len());
    let length = |(path, text): &(String, String)| (path.clone(), own_lines(text).len());
    let long: Vec<_> = texts.iter().map(length).filter(|(_, lines)| *lines > FILE).collect();
    assert_eq!(long, [], "divide each by idea");
}

#[test]
fn no_function_is_longer_than_60_lines_unless_it_is_one_idea() {
    let mut long = BTreeSet::new();
    for (path, text) in texts() {
        let of_file = functions(&text).into_iter().filter(|(_, lines)| *lines > FUNCTION);
        long.extend(of_file.map(|(name, _)| (path.clone(), name)));
    }
    let expected: BTreeSet<_> = LONG_FUNCTIONS
        .iter()
        .map(|(path, name, _)| ((*path).to_owned(), (*name).to_owned()))
        .collect();
    let new: Vec<_> = long.difference(&expected).collect();
    assert_eq!(new, [] as [&(String, String); 0], "divide each by idea");
    let short: Vec<_> = expected.difference(&long).collect();
    assert_eq!(short, [] as [&(String, String); 0], "they are short: take them from the list");
}

#[test]
fn functions_are_measured_at_any_depth_and_tests_below_a_file_are_not_its_own() {
    let text = "\
//! fn none() {
pub(in crate::os) const fn one() -> u8 {
    1
}
impl Two {
    fn two(&self) {}
    pub async unsafe fn three(
        self,
    ) {
        let four = |x| {
            x
        };
    }
}
trait Three {
    fn four();
}
#[cfg(all(test, unix))]
#[path = \"x.rs\"]
mod tests {
    extern \"C\" fn five() {
    }
}
";
    let expected = [("one", 3), ("two", 1), ("three", 7), ("four", 1), ("five", 2)];
    assert_eq!(functions(text), expected.map(|(name, lines)| (name.to_owned(), lines)));
    assert_eq!(own_lines(text).len(), 17);
    assert_eq!(own_lines("#[cfg(test)]\nmod tests;\nfn x() {}\n").len(), 3);
}
