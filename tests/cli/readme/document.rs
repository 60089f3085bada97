//! A Markdown file as what it tells a reader to do: files to write and commands to type, by section.
//!
//! A block whose info string has a path (```` ```procfile Procfile ````) is that file, a `sh` block
//! without one is commands, one a line. In a table whose second column says what to type instead, every
//! code span there that begins with `pm ` is a command too, and so is the CMD of a Dockerfile.

use std::fs;
use std::path::Path;

/// What stands between two headings.
#[derive(Debug, Default)]
pub(crate) struct Section {
    /// `README.md, "Django"`.
    pub(crate) place: String,
    /// Path and text of each file.
    pub(crate) files: Vec<(String, String)>,
    /// Each command, without its comment.
    pub(crate) commands: Vec<String>,
}

/// Reads a file of this repository.
pub(crate) fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the sections of a document that hold commands.
pub(crate) fn sections(name: &str) -> Vec<Section> {
    let text = read(name);
    let files = files_beside(name);
    let mut sections = vec![Section { files: files.clone(), ..Section::default() }];
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(heading) = line.strip_prefix('#') {
            let heading = heading.trim_start_matches('#').trim();
            let place = format!("{name}, {heading:?}");
            sections.push(Section { place, files: files.clone(), commands: Vec::new() });
        }
        let section = sections.last_mut().expect("there is one from the start");
        if let Some(info) = line.strip_prefix("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            section.add_block(info, &block);
        } else if let Some(cells) = line.strip_prefix('|') {
            section.commands.extend(spans_to_type(cells));
        }
    }
    sections.retain(|section| !section.commands.is_empty());
    sections
}

/// Returns what pm reads in the folder of an example's document.
fn files_beside(name: &str) -> Vec<(String, String)> {
    let Some(folder) = name.strip_suffix("README.md").filter(|folder| !folder.is_empty()) else {
        return Vec::new();
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let text = |file: &str| fs::read_to_string(folder.join(file)).ok();
    ["Procfile", ".env", "pm.toml"]
        .iter()
        .filter_map(|file| Some(((*file).to_owned(), text(file)?)))
        .collect()
}

impl Section {
    fn add_block(&mut self, info: &str, block: &[&str]) {
        match info.split_once(' ') {
            Some((_, path)) => {
                self.files.push((path.to_owned(), block.join("\n") + "\n"));
                self.commands.extend(block.iter().filter_map(|line| container_command(line)));
            }
            None if info == "sh" => self.commands.extend(commands(block)),
            None => assert!(
                !block.iter().any(|line| line.starts_with("pm ")),
                "{}: commands stand in a block of `sh`: {block:#?}",
                self.place
            ),
        }
    }
}

/// Returns what a line of a Dockerfile tells the container to run.
fn container_command(line: &str) -> Option<String> {
    let words: Vec<String> = serde_json::from_str(line.strip_prefix("CMD ")?).ok()?;
    Some(words.join(" "))
}

/// Returns the commands of a block; one that ends in a backslash goes on in the next line.
fn commands(block: &[&str]) -> Vec<String> {
    let text = block.join("\n").replace("\\\n", " ");
    text.lines().map(without_comment).filter(|line| !line.is_empty()).collect()
}

/// Cuts what follows a `#` that begins a word outside quotes.
fn without_comment(line: &str) -> String {
    let mut quote = None;
    let mut before = ' ';
    for (index, c) in line.char_indices() {
        match quote {
            None if c == '#' && before == ' ' => return line[..index].trim().to_owned(),
            None if c == '\'' || c == '"' => quote = Some(c),
            Some(open) if c == open => quote = None,
            None | Some(_) => {}
        }
        before = c;
    }
    line.trim().to_owned()
}

/// Returns the code spans in the second cell of a table's row, where it begins with one of pm's.
fn spans_to_type(cells: &str) -> Vec<String> {
    let second = cells.split('|').nth(1).unwrap_or_default().trim();
    if !second.starts_with("`pm ") {
        return Vec::new();
    }
    spans(second).filter(|span| span.starts_with("pm ")).map(str::to_owned).collect()
}

/// Returns what stands between backticks.
pub(crate) fn spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Returns the targets of a document's links to files of this repository, and to its own headings.
pub(crate) fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://"))
}

/// Returns the anchors that a page of this text has, by GitHub's rule: lower case, spaces as hyphens, and
/// no other punctuation.
pub(crate) fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let words = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        words.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn a_comment_begins_at_a_blank_and_not_inside_quotes() {
    for (line, command) in [
        ("pm ps        # what runs", "pm ps"),
        ("# nothing", ""),
        ("pm run -c 'echo # no' # yes", "pm run -c 'echo # no'"),
        ("pm run sh -c 'echo $#'", "pm run sh -c 'echo $#'"),
    ] {
        assert_eq!(without_comment(line), command);
    }
}

#[test]
fn a_row_gives_the_commands_of_its_second_cell() {
    let row =
        " `foreman start web` | `pm start web`; several too: `pm start web worker`; not `-x` |";
    assert_eq!(spans_to_type(row), ["pm start web", "pm start web worker"]);
    assert_eq!(spans_to_type(" `pm start` | starts as `pm run` does |"), Vec::<String>::new());
}
