//! Candidates for arguments that clap cannot know: names in the Procfile, running instances, export formats,
//! signals.

use std::ffi::OsStr;

use clap::builder::StyledStr;
use clap_complete::engine::{
    ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};
use nix::sys::signal::Signal;

use super::command_line::CommandLine;
use crate::control::proto::{InstanceState, Report, WaitGoal};
use crate::export::FORMATS;

/// One thing that an argument can be, and what is said about it.
type Candidate = (String, Option<String>);
/// Lists what an argument can be, from the line and from what is typed of the argument.
type Offer = fn(&CommandLine, &str) -> Vec<Candidate>;

/// The arguments, by subcommand and by their id in clap.
const ARGUMENTS: &[(&[&str], &[&str], Offer)] = &[
    (&["start"], &["types"], what_to_start),
    (&["run"], &["command"], what_to_run),
    (&["env"], &["process_type"], types),
    (&["start", "env"], &["except", "quiet"], types),
    (&["start", "env", "check", "export"], &["formation"], counts_and_all),
    (
        &["start", "env", "check", "export"],
        &["memory", "heap", "concurrency", "nofile", "nice", "cpus"],
        counts,
    ),
    (&["start", "env", "check", "export"], &["gc"], collectors),
    (&["start", "env", "check", "export"], &["memory-action"], memory_actions),
    (&["export"], &["format"], formats),
    (&["status", "restart", "stop", "signal", "logs"], &["names"], names),
    (&["wait"], &["names"], goals),
    (&["attach"], &["name"], instances),
    (&["scale"], &["counts"], counts),
    (&["signal"], &["signal"], signals),
    (
        &[
            "status", "restart", "stop", "scale", "signal", "wait", "logs", "attach", "reload",
            "quit",
        ],
        &["session"],
        sessions,
    ),
];

/// Gives the arguments of the command line what they can be.
pub(super) fn attach(command: clap::Command, typed: &CommandLine) -> clap::Command {
    // Options are offered where one is begun, or where there is nothing else.
    let hides_options = typed.current().is_empty();
    let argument = |command: &str, arg: clap::Arg| {
        let hidden = arg.is_hide_set() || (hides_options && !arg.is_positional());
        match offer_of(command, arg.get_id().as_str()) {
            Some(offer) => arg.add(completer(typed, offer)),
            None => arg,
        }
        .hide(hidden)
    };
    // What stands before the command is the application's, as in `pm start`.
    let command = command.mut_args(|arg| argument("start", arg));
    command.mut_subcommands(|subcommand| {
        let name = subcommand.get_name().to_owned();
        // `mut_arg` would change the order of the positionals.
        let subcommand = subcommand.mut_args(|arg| argument(&name, arg));
        subcommand.disable_help_flag(hides_options)
    })
}

fn offer_of(subcommand: &str, id: &str) -> Option<Offer> {
    let is_it = |(subcommands, ids, _): &&(&[&str], &[&str], Offer)| {
        subcommands.contains(&subcommand) && ids.contains(&id)
    };
    ARGUMENTS.iter().find(is_it).map(|(_, _, offer)| *offer)
}

fn completer(typed: &CommandLine, offer: Offer) -> ArgValueCompleter {
    let typed = typed.clone();
    ArgValueCompleter::new(move |current: &OsStr| {
        let Some(current) = current.to_str() else { return Vec::new() };
        // Of `web=2,wor`, the last is completed.
        let before = current.rfind(',').map_or(0, |comma| comma + 1);
        let (before, current) = current.split_at(before);
        let words =
            offer(&typed, current).into_iter().filter(|(word, _)| word.starts_with(current));
        let candidate = |(word, help): Candidate| {
            CompletionCandidate::new(format!("{before}{word}")).help(help.map(StyledStr::from))
        };
        words.map(candidate).collect()
    })
}

/// Process types, and counts of them; and what a running session has stopped.
fn what_to_start(typed: &CommandLine, current: &str) -> Vec<Candidate> {
    let mut words = types(typed, current);
    words.extend(counts(typed, current));
    let reports = typed.reports();
    let stopped = instances_of(&reports).filter(|(_, state)| state.is_over());
    words.extend(stopped.map(described));
    words
}

/// A process type alone; behind a program, its arguments, which are files as likely as anything.
fn what_to_run(typed: &CommandLine, current: &str) -> Vec<Candidate> {
    if typed.count_of("command") <= 1 {
        return types(typed, current);
    }
    let files = PathCompleter::any().complete(OsStr::new(current));
    files.iter().map(|file| (file.get_value().to_string_lossy().into_owned(), None)).collect()
}

fn types(typed: &CommandLine, _current: &str) -> Vec<Candidate> {
    typed.entries().into_iter().map(|entry| (entry.name, Some(entry.command))).collect()
}

fn counts(typed: &CommandLine, _current: &str) -> Vec<Candidate> {
    let entries = typed.entries().into_iter();
    entries.map(|entry| (format!("{}=", entry.name), Some(entry.command))).collect()
}

fn counts_and_all(typed: &CommandLine, current: &str) -> Vec<Candidate> {
    let mut words = counts(typed, current);
    words.push(("all=".to_owned(), None));
    words
}

fn collectors(typed: &CommandLine, current: &str) -> Vec<Candidate> {
    values(typed, current, &["size", "speed"])
}

fn memory_actions(typed: &CommandLine, current: &str) -> Vec<Candidate> {
    values(typed, current, &["restart", "warn", "kill"])
}

/// A value for all process types or, behind `web=`, for one.
fn values(typed: &CommandLine, current: &str, values: &[&str]) -> Vec<Candidate> {
    let of = current.find('=').map_or("", |sign| &current[..=sign]);
    let mut words: Vec<_> = values.iter().map(|value| (format!("{of}{value}"), None)).collect();
    if of.is_empty() {
        words.extend(counts(typed, current));
    }
    words
}

fn formats(_typed: &CommandLine, _current: &str) -> Vec<Candidate> {
    FORMATS.iter().map(|format| (format.name.to_owned(), Some(format.when.to_owned()))).collect()
}

fn signals(_typed: &CommandLine, _current: &str) -> Vec<Candidate> {
    let short = |signal: Signal| signal.as_str().trim_start_matches("SIG").to_owned();
    Signal::iterator().map(|signal| (short(signal), None)).collect()
}

/// Instances that run and their types; where no session runs, the types of the Procfile.
fn names(typed: &CommandLine, current: &str) -> Vec<Candidate> {
    let reports = typed.reports();
    if reports.is_empty() {
        return types(typed, current);
    }
    let mut words: Vec<Candidate> = Vec::new();
    for (name, _) in instances_of(&reports) {
        let process_type = name.rsplit_once('.').map_or(name, |(process_type, _)| process_type);
        if !words.iter().any(|(word, _)| word == process_type) {
            words.push((process_type.to_owned(), None));
        }
    }
    words.extend(instances_of(&reports).map(described));
    words
}

/// The same; behind a colon, what can be waited for.
fn goals(typed: &CommandLine, current: &str) -> Vec<Candidate> {
    let Some((name, _)) = current.split_once(':') else { return names(typed, current) };
    let goals = [WaitGoal::Ready, WaitGoal::Done, WaitGoal::Started, WaitGoal::Stopped];
    goals.into_iter().map(|goal| (format!("{name}:{}", goal.word()), None)).collect()
}

fn instances(typed: &CommandLine, _current: &str) -> Vec<Candidate> {
    instances_of(&typed.reports()).map(described).collect()
}

fn sessions(typed: &CommandLine, _current: &str) -> Vec<Candidate> {
    let describe = |report: &Report| {
        let names: Vec<_> =
            report.instances.iter().map(|instance| instance.name.as_str()).collect();
        (report.session.to_string(), Some(names.join(" ")))
    };
    typed.reports().iter().map(describe).collect()
}

fn instances_of(reports: &[Report]) -> impl Iterator<Item = (&str, InstanceState)> {
    let instances = reports.iter().flat_map(|report| &report.instances);
    instances.map(|instance| (instance.name.as_str(), instance.state))
}

fn described((name, state): (&str, InstanceState)) -> Candidate {
    (name.to_owned(), Some(state.word().to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::args::Cli;

    #[test]
    fn every_argument_that_is_offered_something_is_one_of_the_command_line() {
        let command = Cli::command();
        for (subcommands, ids, _) in ARGUMENTS {
            for subcommand in *subcommands {
                let found = command.find_subcommand(subcommand).unwrap();
                for id in *ids {
                    let is_there = found.get_arguments().any(|arg| arg.get_id() == *id);
                    assert!(is_there, "{subcommand}: {id}");
                }
            }
        }
    }
}
