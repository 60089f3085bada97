//! Lint of `cd FOLDER && ...` at the start of a command, if the folder does not exist.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::{Finding, Speaker};
use crate::app::Environment;
use crate::app::shell::{Lexed, Token, Word};

/// What there is under the path of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderState {
    /// A folder.
    Found,
    /// Something else.
    NotAFolder,
    /// Nothing.
    Missing,
}

/// What the lint needs to know besides the command.
pub(super) struct Ask<'a> {
    /// What the command gets.
    pub(super) environment: &'a Environment,
    /// Where it starts.
    pub(super) folder: &'a Path,
    /// Says what there is under a path.
    pub(super) what: &'a dyn Fn(&Path) -> FolderState,
}

/// Programs and builtins that make no folder and do not decide what runs.
const HARMLESS: [&str; 8] = [":", "echo", "export", "printf", "set", "true", "ulimit", "umask"];

/// Finds the first `cd` that will fail, from the folder that the command starts in. It looks no further than
/// the first command that could make a folder, or that decides whether the next one runs.
pub(super) fn missing(say: &Speaker<'_>, lexed: &Lexed, ask: &Ask<'_>) -> Option<Finding> {
    // The shell looks for relative folders elsewhere.
    if ask.environment.get("CDPATH").is_some() || lexed.unread.is_some() {
        return None;
    }
    let command = &say.entry.command;
    let is_opening = |token: &Token| match token {
        Token::Operator(span) => command[span.clone()] == *"(",
        Token::Word(word) => word.text == "{" && !word.is_quoted,
        Token::Redirection => false,
    };
    let start = lexed.tokens.iter().take_while(|token| is_opening(token)).count();
    let mut folder = ask.folder.to_owned();
    for part in lexed.tokens[start..].split_inclusive(|token| matches!(token, Token::Operator(_))) {
        // What is behind `||` runs where this fails; a pipeline has a folder of its own.
        let is_followed = match part.last() {
            Some(Token::Operator(span)) => {
                matches!(&command[span.clone()], "&&" | ";" | "\n" | ")")
            }
            Some(Token::Word(_) | Token::Redirection) | None => true,
        };
        if !is_followed {
            return None;
        }
        let words: Vec<&Word> = part.iter().filter_map(Token::word).collect();
        match after(say, &words, &folder, ask.what) {
            ControlFlow::Continue(next) => folder = next,
            ControlFlow::Break(finding) => return finding,
        }
    }
    None
}

/// Returns the folder that the next command starts in, or that no more can be said.
fn after(
    say: &Speaker<'_>,
    words: &[&Word],
    folder: &Path,
    what: &dyn Fn(&Path) -> FolderState,
) -> ControlFlow<Option<Finding>, PathBuf> {
    let mut words = words.iter().skip_while(|word| word.is_assignment);
    let Some(first) = words.next() else { return ControlFlow::Continue(folder.to_owned()) };
    if HARMLESS.contains(&first.text.as_str()) {
        return ControlFlow::Continue(folder.to_owned());
    }
    let mut to = words.skip_while(|word| matches!(word.text.as_str(), "-L" | "-P" | "-e" | "--"));
    let (Some(target), None) = (to.next(), to.next()) else { return ControlFlow::Break(None) };
    let is_known = target.is_literal() && !target.text.is_empty() && target.text != "-";
    if first.text != "cd" || !is_known {
        return ControlFlow::Break(None);
    }
    let path = folder.join(&target.text);
    let name = &target.text;
    let message = match what(&path) {
        FolderState::Found => return ControlFlow::Continue(path),
        FolderState::NotAFolder => format!("`{name}` is not a folder"),
        FolderState::Missing => format!("folder not found: `{name}`"),
    };
    let hint = format!(
        "`cd` looks for it in `{}`: create it there, or correct the path",
        folder.display()
    );
    ControlFlow::Break(Some(say.warn("missing-folder", target.span.clone(), message, hint)))
}
