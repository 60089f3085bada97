//! Tells a shell what could follow the words that were typed. The shell asks by running pm with `VARIABLE` set.
//! clap understands the words; `candidates` knows the Procfile and the running sessions.
//!
//! Failures are silent: a Procfile that cannot be read offers nothing.

pub mod args;
mod candidates;
mod command_line;
mod shells;

use std::ffi::OsString;
use std::rc::Rc;

use clap_complete::CompleteEnv;
use clap_complete::env::{EnvCompleter, Fish, Shells};

use super::leading_options;
use super::sources::Sources;
use args::Shell;
use command_line::CommandLine;
use shells::{Bash, Zsh};

/// Names the shell that asks. One of pm's own: a `COMPLETE` of somebody else must not change what pm does.
const VARIABLE: &str = "PM_COMPLETE";
/// The name that completion is for, and the program that is asked: a script that is kept in a file must
/// find the pm of later, too.
const PROGRAM: &str = "pm";

/// Answers where a shell asks, and returns the exit code. `None`: no shell asks.
pub(super) fn answer(arguments: &[OsString], sources: &Sources) -> Option<u8> {
    sources.var(VARIABLE)?;
    let typed = CommandLine::new(arguments, sources);
    let asked = CompleteEnv::with_factory(|| {
        candidates::attach(leading_options::shown(super::command(sources)), &typed)
    })
    .var(VARIABLE)
    .shells(Shells(&[&Bash, &Zsh, &Fish]))
    .completer(PROGRAM)
    .try_complete(arguments.iter().cloned(), Some(&sources.cwd));
    Some(match asked {
        Ok(_) => 0,
        Err(error) => {
            // Nothing can be said where stderr is closed.
            let _ = error.print();
            2
        }
    })
}

/// Returns the script that makes a shell ask.
pub(super) fn script(shell: Shell) -> Vec<u8> {
    let shell: Rc<dyn EnvCompleter> = match shell {
        Shell::Bash => Rc::new(Bash),
        Shell::Zsh => Rc::new(Zsh),
        Shell::Fish => Rc::new(Fish),
    };
    let mut script = Vec::new();
    // Writing to memory does not fail.
    let _ = shell.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script);
    script
}
