//! Lint of variables that nobody sets: the shell replaces them with nothing.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Finding, Speaker};
use crate::app::Environment;
use crate::app::shell::{Lexed, Unset, Word, simple_commands};

/// What a shell sets for itself (POSIX, Shell Command Language 2.5.3).
const OF_SHELLS: [&str; 11] =
    ["IFS", "LINENO", "OLDPWD", "OPTARG", "OPTIND", "PATH", "PPID", "PS1", "PS2", "PS4", "PWD"];

/// Finds each variable that is set neither in the environment of an instance nor by the command itself;
/// the first place of each.
pub(super) fn unset(say: &Speaker<'_>, lexed: &Lexed, environment: &Environment) -> Vec<Finding> {
    let mut own = Own::default();
    let lists = lexed.nested.iter().chain([&lexed.tokens]);
    lists.flat_map(|tokens| simple_commands(tokens)).for_each(|words| own.command(&words));
    if lexed.unread.is_some() || own.reads_other_text {
        return Vec::new();
    }
    let ensured = lexed.variables.iter().filter(|variable| variable.unset == Unset::Ensured);
    let mut known: BTreeSet<&str> = ensured.map(|variable| variable.name.as_str()).collect();
    known.extend(own.names);
    // Who asks whether it is set knows that it may not be.
    let is_asked = |place: &Range<usize>| own.questions.iter().any(|q| q.contains(&place.start));
    let asked = lexed.variables.iter().filter(|variable| is_asked(&variable.span));
    known.extend(asked.map(|variable| variable.name.as_str()));
    let mut found = Vec::new();
    for variable in &lexed.variables {
        let name = variable.name.as_str();
        let is_set = OF_SHELLS.contains(&name) || environment.get(name).is_some();
        if variable.unset != Unset::Nothing || is_set || !known.insert(name) {
            continue;
        }
        let message = format!("`${name}` is not set anywhere: the shell replaces it with nothing");
        let hint = format!(
            "set {name} in .env, pm.toml or the environment, or give it a default: `${{{name}:-value}}`"
        );
        found.push(say.warn("unset-variable", variable.span.clone(), message, hint));
    }
    found
}

/// What a command says of variables itself.
#[derive(Default)]
struct Own<'a> {
    /// Those that it sets.
    names: Vec<&'a str>,
    /// Where it tests something.
    questions: Vec<Range<usize>>,
    /// It reads text that is not there (`. ./env.sh`), which may set anything.
    reads_other_text: bool,
}

impl<'a> Own<'a> {
    fn command(&mut self, words: &[&'a Word]) {
        // `export A=1`, `env A=1 sh -c ...`, `$((A=1))` too.
        let assigned = words.iter().filter(|word| word.is_assignment);
        self.names.extend(assigned.filter_map(|word| word.text.split('=').next()));
        let is_before =
            |word: &&&Word| word.is_assignment || word.opens_command() || word.text == "time";
        let skipped = words.iter().take_while(is_before).count();
        let Some((first, arguments)) = words[skipped..].split_first() else { return };
        let texts = arguments.iter().map(|word| word.text.as_str());
        match first.text.as_str() {
            "." | "source" | "eval" => self.reads_other_text = true,
            "for" | "select" => self.names.extend(texts.take(1)),
            "read" | "getopts" | "mapfile" | "readarray" => self.names.extend(texts),
            "[" | "[[" | "test" | "case" => {
                let end = arguments.last().map_or(first.span.end, |word| word.span.end);
                self.questions.push(first.span.start..end);
            }
            _ => {}
        }
    }
}
