//! No two types share a name: whoever reads one knows which it is, wherever it stands.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Where a type is defined: `src/app/size.rs`, and the line from 1.
type Definition = (String, usize);

/// Returns the types that a source defines, also within modules and functions, each with its line. Associated types
/// of traits are not its own.
fn defined(text: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    // The indentation of the `impl` or trait that is open: rustfmt closes it at the same.
    let mut open: Option<usize> = None;
    for (at, line) in text.lines().enumerate() {
        let code = line.trim_start();
        let indentation = line.len() - code.len();
        if code == "}" && open == Some(indentation) {
            open = None;
        }
        let code = code.strip_prefix("pub(").map_or(code, |rest| {
            rest.split_once(')').map_or(rest, |(_, behind)| behind.trim_start())
        });
        let code = code.trim_start_matches("pub ").trim_start_matches("unsafe ");
        let (word, rest) = code.split_once([' ', '<']).unwrap_or((code, ""));
        let is_associated = word == "type" && open.is_some_and(|outer| indentation == outer + 4);
        if matches!(word, "struct" | "enum" | "union" | "trait" | "type") && !is_associated {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
            if name.starts_with(|c: char| c.is_uppercase()) {
                found.push((name, at + 1));
            }
        }
        if matches!(word, "impl" | "trait") && open.is_none() && !line.ends_with('}') {
            open = Some(indentation);
        }
    }
    found
}

/// Returns the name that a file has on every system: `linux` and `portable` hold one type twice, of which one is
/// compiled.
fn counterpart(path: &str) -> String {
    path.replace("/linux/", "/portable/").replace("/linux.rs", "/portable.rs")
}

/// Returns what is wrong: each name that stands for several types.
fn problems(all: &BTreeMap<String, Vec<Definition>>) -> Vec<String> {
    let is_same = |(one, _): &Definition, (other, _): &Definition| {
        one != other && counterpart(one) == counterpart(other)
    };
    let clash = |at: &Vec<Definition>| {
        let others = |from: usize| at[from + 1..].iter();
        at.iter().enumerate().any(|(from, one)| others(from).any(|other| !is_same(one, other)))
    };
    all.iter()
        .filter(|(_, at)| clash(at))
        .map(|(name, at)| {
            let places: Vec<_> = at.iter().map(|(path, line)| format!("{path}:{line}")).collect();
            format!("{name}: {}", places.join(" "))
        })
        .collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

#[test]
fn no_two_types_share_a_name() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all: BTreeMap<String, Vec<Definition>> = BTreeMap::new();
    for path in sources(&top.join("src")) {
        let text = fs::read_to_string(&path).unwrap();
        let path = path.strip_prefix(top).unwrap().to_string_lossy().into_owned();
        for (name, line) in defined(&text) {
            all.entry(name).or_default().push((path.clone(), line));
        }
    }
    assert!(all.len() > 300, "the sources are read: {}", all.len());
    assert_eq!(problems(&all), [""; 0], "give each type a name that says what it is");
}

#[test]
fn definitions_are_found_at_any_depth_and_associated_types_are_none() {
    let text = "\
pub(in crate::os) struct One(u8);
// struct No;
impl Iterator for One {
    type Item = u8;
    fn next(&mut self) -> Option<u8> {
        type Two = u8;
    }
}
pub trait Three<T> {
    type Error;
}
type Four<'a> = &'a str;
mod tests {
    enum Five {
        Six,
    }
    impl Three for Five {
        type Error = ();
    }
    struct Seven<'a> {
        kind: &'a str,
    }
}
";
    let expected =
        [("One", 1), ("Two", 6), ("Three", 9), ("Four", 12), ("Five", 14), ("Seven", 20)];
    assert_eq!(defined(text), expected.map(|(name, line)| (name.to_owned(), line)));
}

#[test]
fn a_name_is_a_problem_where_it_is_not_the_same_type_of_another_system() {
    let of = |paths: &[&str]| {
        let places = paths.iter().map(|path| ((*path).to_owned(), 1)).collect();
        problems(&BTreeMap::from([("Stat".to_owned(), places)]))
    };
    assert_eq!(of(&["src/os/linux/a.rs", "src/os/portable/a.rs"]), [""; 0]);
    assert_eq!(of(&["src/output/ready/linux.rs", "src/output/ready/portable.rs"]), [""; 0]);
    let clash = ["Stat: src/os/linux/a.rs:1 src/os/portable/b.rs:1"];
    assert_eq!(of(&["src/os/linux/a.rs", "src/os/portable/b.rs"]), clash);
    assert_eq!(of(&["src/a.rs", "src/a.rs"]), ["Stat: src/a.rs:1 src/a.rs:1"]);
}
