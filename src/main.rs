//! pm
use std::error::Error as _;
use std::os::unix::process::CommandExt as _;
use std::process::ExitCode;

use clap::Parser as _;
use pm::app::load::{self, Files};
use pm::cli::args::{Cli, Command, RunArgs};
use pm::cli::{check, sources::Sources};
use pm::error::Error;

fn main() -> ExitCode {
    let Ok(sources) = Sources::of_this_process() else { return ExitCode::FAILURE };
    let result = match Cli::parse().command {
        Command::Check(args) => check::run(&args, &sources),
        Command::Run(args) => run(&args, &sources),
        Command::Start(_) | Command::Env(_) | Command::Version => Ok(()),
    };
    let Err(error) = result else { return ExitCode::SUCCESS };
    if !error.is_silent() {
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        #[expect(clippy::print_stderr, reason = "main says the error")]
        {
            eprintln!("error: {error}{cause}");
            if let Some(hint) = error.hint() {
                eprintln!("hint: {hint}");
            }
        }
    }
    ExitCode::from(error.exit_code())
}

#[expect(clippy::print_stderr, reason = "a stand-in until the real one is merged")]
fn run(args: &RunArgs, sources: &Sources) -> Result<(), Error> {
    let files = Files::from(&args.files);
    let environment = load::environment(&files, &sources.cwd, sources.environment())?;
    for warning in environment.warnings() {
        eprintln!("{warning}");
    }
    let procfile = load::procfile(&files, &sources.cwd).ok();
    let entry =
        procfile.as_ref().and_then(|p| p.entries.iter().find(|e| args.command[0] == *e.name));
    let mut command = match entry {
        Some(entry) => {
            let mut command = std::process::Command::new("/bin/sh");
            command.arg("-c").arg(&entry.command).current_dir(files.root(&sources.cwd)?);
            command
        }
        None => {
            let mut command = std::process::Command::new(&args.command[0]);
            command.args(&args.command[1..]);
            command
        }
    };
    command.env_clear().envs(environment.environment.iter().map(|(key, value)| (key, &value.text)));
    let source = command.exec();
    Err(Error::CommandNotExecutable {
        command: args.command[0].to_string_lossy().into_owned(),
        source,
    })
}
