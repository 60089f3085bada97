//! The one thing that an export must know of a Dockerfile: the folder that its containers begin in.

use std::collections::HashMap;

/// Returns the working folder of the last stage, where the text says it without variables (WORKDIR in the Dockerfile
/// reference). What a base image says is not known.
pub fn workdir(text: &str) -> Option<String> {
    let mut stages: HashMap<String, Option<String>> = HashMap::new();
    let (mut name, mut folder) = (None, None);
    for line in instructions(text) {
        let (instruction, rest) =
            line.split_once(char::is_whitespace).unwrap_or((line.as_str(), ""));
        let rest = rest.trim();
        if instruction.eq_ignore_ascii_case("FROM") {
            let words = rest.split_whitespace().filter(|word| !word.starts_with("--"));
            let words: Vec<String> = words.map(str::to_lowercase).collect();
            stages.extend(name.take().map(|name| (name, folder.take())));
            folder = words.first().and_then(|base| stages.get(base)).cloned().flatten();
            name = words.get(2).cloned();
        } else if instruction.eq_ignore_ascii_case("WORKDIR") {
            folder = joined(folder, rest);
        }
    }
    folder
}

/// Returns the folder after a `WORKDIR`, which is from the one before it.
fn joined(before: Option<String>, path: &str) -> Option<String> {
    if path.contains(['$', '"', '\'']) {
        return None;
    }
    if path.starts_with('/') {
        return Some(path.to_owned());
    }
    let inner = path.strip_prefix("./").unwrap_or(path);
    before.map(|before| format!("{}/{inner}", before.trim_end_matches('/')))
}

/// Returns the instructions, each in one line; without comments and here-documents.
fn instructions(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut so_far = String::new();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    while let Some(line) = lines.next() {
        if let Some(begun) = line.strip_suffix('\\') {
            so_far.push_str(begun);
            continue;
        }
        so_far.push_str(line);
        let ends: Vec<String> = so_far.split("<<").skip(1).filter_map(end_word).collect();
        for end in ends {
            // Its lines are no instructions.
            lines.by_ref().find(|line| *line == end);
        }
        if !so_far.is_empty() {
            found.push(std::mem::take(&mut so_far));
        }
    }
    found
}

/// Returns the word that ends a here-document.
fn end_word(behind: &str) -> Option<String> {
    let word = behind.trim_start_matches('-').split_whitespace().next()?;
    Some(word.trim_matches(['"', '\'']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_working_folder_is_that_of_the_last_stage_as_far_as_the_text_says_it() {
        let table = [
            ("FROM ruby:3.4\nWORKDIR /rails\nCOPY . .\n", Some("/rails")),
            ("from python\n  workdir   /srv/app  \n", Some("/srv/app")),
            ("FROM a\nWORKDIR /srv\nWORKDIR app\nWORKDIR ./x\n", Some("/srv/app/x")),
            (
                "FROM node AS base\nWORKDIR /app\nFROM go AS build\nWORKDIR /src\nFROM base\n",
                Some("/app"),
            ),
            ("FROM --platform=linux/amd64 a as Base\nWORKDIR /x\nFROM base AS web\n", Some("/x")),
            ("FROM a AS b\nWORKDIR /x\nFROM debian\nRUN true\n", None),
            ("FROM a\nRUN make\n", None),
            ("FROM a\nWORKDIR /\n", Some("/")),
            ("FROM a\nWORKDIR app\n", None),
            ("FROM a\nWORKDIR $HOME/app\n", None),
            ("FROM a\nWORKDIR \\\n  # why\n  /app\n# WORKDIR /b\n", Some("/app")),
            ("FROM a\nWORKDIR /a\nRUN <<EOF\nWORKDIR /b\nEOF\n", Some("/a")),
            ("", None),
        ];
        for (text, folder) in table {
            assert_eq!(workdir(text).as_deref(), folder, "{text}");
        }
    }
}
