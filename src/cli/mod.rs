//! Runs the subcommand that was given: one function per subcommand.

pub mod args;
mod check;
mod checkout;
pub mod client;
mod columns;
pub mod completion;
mod counted;
mod daemon;
mod diagnostics;
mod env;
mod export;
pub mod flags;
pub mod json;
mod keep;
mod layers;
mod leading_options;
mod load;
mod logs;
pub mod manual;
mod misread;
mod numbers;
mod ports;
#[cfg(test)]
mod reference;
mod refusal;
mod resolve;
mod run;
mod session_logs;
mod settings;
pub mod sources;
mod start;
mod terminal_use;
mod ui;
mod version;
mod yes_or_no;

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::builder::Resettable;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches};

use crate::error::Error;
use args::{Cli, Command, StartArgs, Tool};
use client::address::AddressPart;
use json::texts::{CompletionsAnswer, ManualAnswer};
use json::{AnswerForm, print as answer};
use manual::args::ManArgs;
use misread::CommandWords;
use sources::Sources;

/// Runs pm with these arguments, says what went wrong, and returns the exit code.
pub fn main(arguments: Vec<OsString>, sources: &Sources) -> u8 {
    crate::os::signals::survive_size_limit();
    if let Some(code) = completion::answer(&arguments, sources) {
        return code;
    }
    if let Some(text) = version::at_once(&arguments) {
        return code_of(answer(text.as_bytes()).map(|()| 0), AnswerForm::Text);
    }
    let called_as = called_as(arguments.first());
    let typed = arguments;
    let arguments = leading_options::behind(typed.clone());
    let is_command =
        |word: &&OsString| !word.as_encoded_bytes().starts_with(b"-") && *word != "help";
    let grammar = || match arguments.get(1).filter(is_command) {
        Some(_) => command(sources),
        // What stands before the command is wrong there, or is asked for.
        None => leading_options::shown(command(sources)),
    };
    let words = bare_color(arguments.clone());
    // An error, and a help, is the whole grammar's.
    let parsed = start_command(&words, sources)
        .and_then(|start| parse(start, &words).ok())
        .map_or_else(|| parse(grammar(), &words), Ok);
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            let words = CommandWords { typed: &typed, read: &words };
            return refuse(&error, words, sources);
        }
    };
    // clap has made sure that there is a subcommand.
    let matches = matches.subcommand().map_or(&matches, |(_, of_subcommand)| of_subcommand);
    let form = AnswerForm::of(matches).begin();
    code_of(dispatch(&cli, called_as, matches, (form, sources)), form)
}

/// Says that the current folder cannot be found, as a command says why it fails, and returns the exit code.
pub fn without_folder(words: &[OsString], source: std::io::Error) -> u8 {
    let error = Error::Startup { what: "find the current folder", source };
    code_of(Err(error), AnswerForm::of_words(words).begin())
}

/// Says what is wrong with a command line, and returns the exit code; for `--help` it is no failure.
fn refuse(error: &clap::Error, words: CommandWords<'_>, sources: &Sources) -> u8 {
    let form = AnswerForm::of_words(words.read).begin();
    if let Some(error) = misread::error(error, words, || command(sources)) {
        return code_of(Err(error), form);
    }
    form.refuse(error, misread::hint(error, words));
    u8::try_from(error.exit_code()).unwrap_or(2)
}

/// Says what went wrong, and returns the exit code.
fn code_of(result: Result<i32, Error>, form: AnswerForm) -> u8 {
    match result {
        // Exit codes are one byte: what does not fit is no success.
        Ok(code) => u8::try_from(code).unwrap_or(1),
        Err(error) => {
            form.fail(&error);
            error.exit_code()
        }
    }
}

fn parse(grammar: clap::Command, words: &[OsString]) -> Result<(Cli, ArgMatches), clap::Error> {
    let matches = grammar.try_get_matches_from(words)?;
    Ok((Cli::from_arg_matches(&matches)?, matches))
}

/// Returns the command line's grammar. A `PM_` variable that is set to nothing is one that is not set, as
/// a compose file or a CI job leaves it; and what pm has told an instance is no option.
fn command(sources: &Sources) -> clap::Command {
    with_own_variables(Cli::command(), sources)
}

/// Returns the grammar with `pm start` alone, where that is the command: to make that of every command is a third
/// of what the start of one process costs.
fn start_command(words: &[OsString], sources: &Sources) -> Option<clap::Command> {
    words.get(1).filter(|word| *word == "start")?;
    let start = StartArgs::augment_args(clap::Command::new("start"));
    let command = clap::Command::new("pm").args_override_self(true).subcommand(start);
    Some(with_own_variables(command, sources))
}

fn with_own_variables(command: clap::Command, sources: &Sources) -> clap::Command {
    let is_empty =
        |key: &OsStr| sources.env.iter().any(|(name, value)| name == key && value.is_empty());
    let is_told = sources.is_of_instance();
    let heed = |arg: clap::Arg| match arg.get_env() {
        Some(key) if is_empty(key) => arg.env(Resettable::Reset),
        Some(key) if is_told && (key == sources::ROOT || key == sources::SESSION) => {
            arg.env(Resettable::Reset)
        }
        Some(_) | None => arg,
    };
    command.mut_subcommands(|subcommand| subcommand.mut_args(heed))
}

fn dispatch(
    cli: &Cli,
    called_as: Tool,
    matches: &ArgMatches,
    (form, sources): (AnswerForm, &Sources),
) -> Result<i32, Error> {
    match &cli.command {
        Command::Start(args) => start::start(args, called_as, matches, (form, sources)),
        Command::Up(args) => start::start(&args.as_start(), called_as, matches, (form, sources)),
        Command::Run(args) => run::run(args, matches, sources),
        Command::Check(args) => check::run(args, matches, sources).map(|()| 0),
        Command::Env(args) => form.answer(env::env(args, matches, sources)?),
        Command::Schema(args) => schema(args.name.as_deref()),
        Command::Export(args) => export::export(args, called_as, matches, (form, sources)),
        Command::Status(args) if args.all => {
            client::sessions::refuse_target(matches)?;
            form.answer(client::sessions::table::status(sources)?)
        }
        Command::Status(args) => client::status::status(args, form, sources),
        Command::Top(args) => client::top::top(args, form, sources),
        Command::Metrics(args) => client::metrics::metrics(args, matches, sources),
        Command::Url(args) => {
            form.answer(client::address::address(args, AddressPart::Url, sources)?)
        }
        Command::Port(args) => {
            form.answer(client::address::address(args, AddressPart::Port, sources)?)
        }
        Command::Restart(args) => form.answer(client::restart(args, sources)?),
        Command::Stop(args) => form.answer(client::stop(args, sources)?),
        Command::Scale(args) => form.answer(client::scale(args, sources)?),
        Command::Signal(args) => form.answer(client::signal(args, sources)?),
        Command::Attach(args) => client::attach::attach(args, sources),
        Command::Ui(args) => ui::ui(args, matches, (form, sources)),
        Command::Logs(args) => logs::logs(args, (form, sources)),
        Command::Wait(args) => form.answer(client::until::wait(args, sources)?),
        Command::Reload(args) => form.answer(client::reload(args, sources)?),
        Command::Quit(args) => client::quit(args, matches, (form, sources)),
        Command::Completions(args) => {
            form.answer(CompletionsAnswer::of(&completion::script(args.shell)))
        }
        Command::Man(args) => form.answer(man(args, sources)?),
        Command::Version(args) => form.answer(version::VersionAnswer::new(args.verbose)),
    }
}

/// `pm schema`
fn schema(name: Option<&str>) -> Result<i32, Error> {
    let text = match name {
        None => crate::config::schema::schema(),
        Some(name) => format!("{:#}\n", json::schema::of(name)?),
    };
    answer(text.as_bytes()).map(|()| 0)
}

/// `pm man`
fn man(args: &ManArgs, sources: &Sources) -> Result<ManualAnswer, Error> {
    // The grammar alone: a page says the same whatever is set where it is made.
    let pages = manual::pages(leading_options::shown(Cli::command()))
        .map_err(|source| Error::Output { source })?;
    let Some(folder) = &args.folder else {
        let page = pages.first().map(|page| String::from_utf8_lossy(&page.text).into_owned());
        return Ok(ManualAnswer { page, written: Vec::new() });
    };
    manual::write(&pages, &sources.cwd.join(folder))
        .map_err(|source| Error::ManualWrite { folder: folder.clone(), source })?;
    Ok(ManualAnswer { page: None, written: pages.into_iter().map(|page| page.name).collect() })
}

/// Returns whose rules hold: foreman's where pm is called by that name.
fn called_as(program: Option<&OsString>) -> Tool {
    let name = program.and_then(|path| Path::new(path).file_name());
    if name.is_some_and(|name| name == "foreman") { Tool::Foreman } else { Tool::Pm }
}

/// Lets `-c` and `--color` stand alone, as in foreman, although their value may also follow as a word:
/// the next word is the value only where it is one.
fn bare_color(arguments: Vec<OsString>) -> Vec<OsString> {
    if arguments.get(1).is_none_or(|command| command != "start" && command != "env") {
        return arguments;
    }
    let mut out: Vec<OsString> = Vec::with_capacity(arguments.len());
    let mut words = arguments.into_iter().peekable();
    while let Some(word) = words.next() {
        if word == "--" {
            out.push(word);
            out.extend(words);
            break;
        }
        if word == "--no-color" {
            out.push("--color=never".into());
        } else if word == "-c" || word == "--color" {
            let value =
                words.next_if(|next| ["always", "auto", "never"].iter().any(|value| next == value));
            let mut option = OsString::from("--color=");
            option.push(value.unwrap_or_else(|| "always".into()));
            out.push(option);
        } else {
            out.push(word);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_grammar_of_start_alone_reads_what_the_whole_one_reads() {
        let env = [("PM_JSON", ""), ("PM_PORT", "")].map(|(key, value)| (key.into(), value.into()));
        let sources = Sources {
            env: env.into(),
            cwd: "/".into(),
            stdout_is_terminal: false,
            stderr_is_terminal: false,
        };
        let words = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        for text in [
            "pm start",
            "pm start web=2 help",
            "pm start --port 1 -p 2 --env a --env=b -- web",
            "pm start --set A=1 --set B=2 --no-deps --as foreman --daemon --wait",
            "pm start --por 1",
            "pm start --help",
            "pm start --version",
            "pm start --as nobody",
        ] {
            let words = words(text);
            let alone = parse(start_command(&words, &sources).unwrap(), &words);
            let whole = parse(command(&sources), &words);
            let read = |(cli, matches): (Cli, ArgMatches)| {
                (format!("{cli:?}"), matches.subcommand().map(|(_, own)| own.clone()))
            };
            assert_eq!(alone.ok().map(read), whole.ok().map(read), "{text}");
        }
        assert!(start_command(&words("pm status start"), &sources).is_none());
    }

    #[test]
    fn what_an_instance_is_told_of_its_session_is_no_option_of_a_pm_that_it_runs() {
        let all = [("PM_ROOT", "/srv"), ("PM_SESSION", "812"), ("PM_NAME", "app")];
        let reset = |env: &[(&str, &str)]| {
            let env = env.iter().map(|(key, value)| (key.into(), value.into())).collect();
            let mut sources = Sources { env, cwd: "/".into(), ..Sources::default() };
            sources.env.push(("PM_PORT".into(), "1".into()));
            let grammar = command(&sources);
            let of = |command: &str, variable: &str| {
                let mut args = grammar.find_subcommand(command).unwrap().get_arguments();
                args.any(|arg| arg.get_env() == Some(OsStr::new(variable)))
            };
            assert!(of("start", "PM_PORT"));
            (of("start", "PM_ROOT"), of("status", "PM_ROOT"), of("status", "PM_SESSION"))
        };
        assert_eq!(reset(&all), (false, false, false));
        // A person has set it.
        assert_eq!(reset(&all[..1]), (true, true, true));
        assert_eq!(reset(&all[1..]), (true, true, true));
    }

    #[test]
    fn a_bare_color_option_takes_no_process_type_for_its_value() {
        let words = |text: &str| {
            bare_color(text.split(' ').map(OsString::from).collect()).join(&OsString::from(" "))
        };
        assert_eq!(words("pm start -c web"), "pm start --color=always web");
        assert_eq!(words("pm start --color never web"), "pm start --color=never web");
        assert_eq!(words("pm start -c"), "pm start --color=always");
        assert_eq!(words("pm start --no-color"), "pm start --color=never");
        assert_eq!(words("pm run -c exit"), "pm run -c exit");
    }

    #[test]
    fn the_name_foreman_brings_foremans_rules() {
        assert_eq!(called_as(Some(&"/usr/local/bin/foreman".into())), Tool::Foreman);
        assert_eq!(called_as(Some(&"pm".into())), Tool::Pm);
        assert_eq!(called_as(None), Tool::Pm);
    }
}
