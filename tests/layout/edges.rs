//! Which module knows which: the paths of all sources, against the table in the documentation of the crate.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Who knows whom, by the names of top level modules.
type Edges = BTreeSet<(String, String)>;

/// The table as it is written: `from → to, to`, or `later: from → to` for what is not there yet.
#[derive(Debug, Default)]
struct Table {
    modules: BTreeSet<String>,
    edges: Edges,
    later: Edges,
}

impl Table {
    /// Reads the first block behind the heading.
    fn of(documentation: &str) -> Self {
        let lines = documentation.lines().map(|line| line.trim_start_matches("//!").trim());
        let block = lines
            .skip_while(|line| *line != "# Who may know whom")
            .skip_while(|line| !line.starts_with("```"))
            .skip(1)
            .take_while(|line| !line.starts_with("```"));
        let mut table = Self::default();
        for row in block {
            let (is_later, row) = match row.strip_prefix("later:") {
                Some(rest) => (true, rest),
                None => (false, row),
            };
            let Some((from, to)) = row.split_once('→') else { panic!("no row: {row:?}") };
            let names =
                |list: &str| list.split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>();
            for from in names(from) {
                if !is_later {
                    table.modules.insert(from.clone());
                }
                let edges = if is_later { &mut table.later } else { &mut table.edges };
                let known = names(to).into_iter().filter(|to| to != "nothing");
                edges.extend(known.map(|to| (from.clone(), to)));
            }
        }
        table
    }

    /// Returns what is wrong with the edges that there are.
    fn problems(&self, used: &BTreeMap<(String, String), String>) -> Vec<String> {
        let is_used = |edge: &(String, String)| used.contains_key(edge);
        let unlisted = used
            .iter()
            .filter(|(edge, _)| !self.edges.contains(edge))
            .map(|((from, to), place)| format!("{from} → {to} is not in the table: {place}"));
        let unused = self.edges.iter().filter(|edge| !is_used(edge)).map(|(from, to)| {
            format!("{from} → {to} is in the table, and nothing in {from} names {to}")
        });
        let all: Edges = self.edges.union(&self.later).cloned().collect();
        let circles = all
            .iter()
            .filter(|(from, to)| reaches(&all, to, from))
            .map(|(from, to)| format!("{from} → {to} is part of a circle"));
        unlisted.chain(unused).chain(circles).collect()
    }
}

/// Returns whether one module knows another, itself or through others.
fn reaches(edges: &Edges, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::from([from]);
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        if at == to {
            return true;
        }
        let next = edges.iter().filter(|(from, _)| from == at).map(|(_, to)| to.as_str());
        open.extend(next.filter(|to| seen.insert(to)));
    }
    false
}

/// Returns the modules at the top that a source names, each with its line. `module` is where it stands:
/// `["os", "linux"]`.
fn named(text: &str, module: &[&str]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    // Inline modules that are open, by their indentation: rustfmt closes each at its own.
    let mut inline: Vec<usize> = Vec::new();
    let code: Vec<&str> = text
        .lines()
        .map(|line| if line.trim_start().starts_with("//") { "" } else { line })
        .collect();
    for (at, line) in code.iter().enumerate() {
        let indentation = line.len() - line.trim_start().len();
        if line.trim() == "}" && inline.last() == Some(&indentation) {
            inline.pop();
        }
        // A group may go over several lines.
        let rest = |from: usize| {
            let end = code.len().min(at + 20);
            [&line[from..], &code[at + 1..end].join("\n")].join("\n")
        };
        for root in ["crate::", "pm::"] {
            for (start, _) in line.match_indices(root) {
                let before = line[..start].chars().next_back();
                let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '"');
                if !before.is_some_and(is_word) {
                    let names = heads(&rest(start + root.len()));
                    found.extend(names.into_iter().map(|name| (name, at + 1)));
                }
            }
        }
        let mut after = 0;
        while let Some(start) = line[after..].find("super::").map(|start| after + start) {
            let chain = &line[start..];
            let count = chain.split("super::").take_while(|part| part.is_empty()).count();
            after = start + count * "super::".len();
            if count == module.len() + inline.len() {
                found.extend(heads(&rest(after)).into_iter().map(|name| (name, at + 1)));
            }
        }
        if line.trim_start().trim_start_matches("pub ").starts_with("mod ") && line.ends_with('{') {
            inline.push(indentation);
        }
    }
    found
}

/// Returns the first names of a path or of a group of paths: `a::b` has `a`, and `{a::{b, c}, d}` has `a` and `d`.
fn heads(path: &str) -> Vec<String> {
    let name = |text: &str| {
        text.trim_start()
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let mut depth = 0;
    let mut heads = vec![name(group)];
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.push(name(&group[at + 1..])),
            _ => {}
        }
    }
    heads.retain(|head| !head.is_empty());
    heads
}

/// Returns the edges of all sources below a folder, each with the first place that has it.
fn used(folder: &Path, modules: &[String]) -> BTreeMap<(String, String), String> {
    let mut all = BTreeMap::new();
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()).collect();
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut module = modules.to_vec();
        if stem != "mod" {
            module.push(stem);
        }
        if path.is_dir() {
            for (edge, place) in used(&path, &module) {
                all.entry(edge).or_insert(place);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") && module != ["lib"] {
            let text = fs::read_to_string(&path).unwrap();
            let names: Vec<&str> = module.iter().map(String::as_str).collect();
            for (to, line) in named(&text, &names) {
                // Only tests have those.
                let is_of_tests = matches!(to.as_str(), "long" | "skipped");
                if to != module[0] && !is_of_tests {
                    let place = format!("{}:{line}", path.display());
                    all.entry((module[0].clone(), to)).or_insert(place);
                }
            }
        }
    }
    all
}

#[test]
fn modules_know_whom_the_table_lets_them_know() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let table = Table::of(include_str!("../../src/lib.rs"));
    let used = used(&sources, &[]);
    assert_eq!(table.problems(&used), Vec::<String>::new());
    let is_module = |path: &Path| path.is_dir() || path.extension().is_some_and(|it| it == "rs");
    let entries = fs::read_dir(&sources).unwrap().map(|entry| entry.unwrap().path());
    let stem = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let modules: BTreeSet<String> =
        entries.filter(|path| is_module(path)).map(|path| stem(&path)).collect();
    let with_lib: BTreeSet<String> =
        table.modules.iter().cloned().chain(["lib".to_owned()]).collect();
    assert_eq!(modules, with_lib, "each module has its row");
}

#[test]
fn an_edge_is_a_problem_where_it_is_not_listed_or_not_used_or_closes_a_circle() {
    let table = |rows: &str| Table::of(&format!("# Who may know whom\n```text\n{rows}\n```\n"));
    let edge = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    let used = BTreeMap::from([(edge("cli", "app"), "src/cli/mod.rs:1".to_owned())]);
    let problems = |rows: &str| table(rows).problems(&used);
    assert_eq!(problems("cli → app\napp → nothing"), [""; 0]);
    assert_eq!(problems("cli → app\nlater: cli → tui"), [""; 0]);
    assert_eq!(problems("cli → nothing"), ["cli → app is not in the table: src/cli/mod.rs:1"]);
    assert_eq!(
        problems("cli → app, os"),
        ["cli → os is in the table, and nothing in cli names os"]
    );
    let circle =
        ["app → tui", "cli → app", "tui → cli"].map(|edge| format!("{edge} is part of a circle"));
    assert_eq!(problems("cli → app\nlater: app → tui\nlater: tui → cli"), circle);
}

#[test]
fn paths_are_seen_inline_in_groups_and_through_super() {
    let names = |text: &str, module: &[&str]| {
        named(text, module).into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(names("let x = crate::os::wait::peek(1);", &["cli"]), ["os"]);
    assert_eq!(names("use crate::{app::{App, Size},\n    os as system};", &["cli"]), ["app", "os"]);
    assert_eq!(names("fn main() { pm::cli::main() }", &["main"]), ["cli"]);
    assert_eq!(
        names("//! See [`crate::os`].\n// crate::os\nlet pm = other::pm::os;", &["cli"]),
        [""; 0]
    );
    assert_eq!(names("use super::app::App;", &["os"]), ["app"]);
    assert_eq!(names("use super::app::App;", &["os", "linux"]), [""; 0]);
    assert_eq!(names("use super::super::{app, output};", &["os", "linux"]), ["app", "output"]);
    let inline = "mod tests {\n    use super::super::app;\n}\nuse super::output;";
    assert_eq!(names(inline, &["os"]), ["app", "output"]);
}
