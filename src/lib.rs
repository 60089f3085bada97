//! `pm` runs a Procfile application, and turns it into files for a real init system.
//!
//! This page is the map; each module says what it owns and what it must not know.
//!
//! In one breath: [`cli`] turns what was typed and the files into an [`app::App`]; [`supervisor`] decides
//! (pure: `handle(event, now) -> actions`, no I/O, no clock); [`session`] and [`os`] act (signals, processes,
//! timers); [`output`] carries bytes past all of that from pipes to the terminal; [`export`] turns the same
//! `App` into files.
//!
//! | place | what it holds |
//! |---|---|
//! | [`app`] | what to run: process types, counts, ports, environment; the readers of Procfile and env files; the lexer of commands; the linter. No I/O |
//! | [`config`] | pm.toml and .foreman as structs, laid under the flags |
//! | [`resources`] | a memory budget → `WEB_CONCURRENCY`, heap and collector of each runtime; pure |
//! | [`supervisor`] | the functional core: the state of every instance and of the session |
//! | [`session`] | the running session: the loop, requests of clients, pm's own messages, memory budgets |
//! | [`os`] | system calls: children and their groups, the guard, signals, pseudo-terminals, the meter |
//! | [`output`] | one thread that owns all pipes and stdout: split, filter, render, one write a batch |
//! | [`control`] | the socket of a session: where it is, what is said over it, who may speak |
//! | [`export`] | fourteen formats as pure functions from an `App` to files; quoting, templates, and the one that writes |
//! | [`cli`] | one file a subcommand, over clap's structs in [`cli::args`] |
//! | [`error`] | every failure that a user can see, with its exit code and hint |
//!
//! # Who may know whom
//! ```text
//! main → cli → { app, config, resources, session, os, output, control, export }
//! session → { supervisor, os, output, control, app }
//! supervisor → app          output → app (ids, names)        config → { app, resources }
//! export → app
//! never: supervisor → os | output | cli      app → anything else      output → supervisor | os
//! ```
//! `clippy.toml` holds the rest: only `os` reads the clock, only `cli` the environment, only `main` exits. A
//! test holds that the supervisor imports nothing but `app`.
//!
//! # Rules that the design rests on
//! 1. One thread owns all lifecycle state; everything else sends it facts.
//! 2. `handle(event, now) -> actions` does no I/O and reads no clock; the shell's answers are events.
//! 3. Wanted and actual are separate; each event ends with the same reconcile pass.
//! 4. A deadline is a field of the state that it ends: nothing to cancel, nothing stale.
//! 5. Every start gets a [`app::RunId`]; facts about an older run are dropped in one place.
//! 6. An intentional stop is recorded when it is ordered, never guessed at exit.
//! 7. Exit and end of output are two events; the end is both, or exit and a drain limit.
//! 8. Peek (`WNOWAIT`), decide, sweep the group, then reap: the zombie keeps the group id ours.
//! 9. Bytes never pass through the supervisor; a stuck reader can stall output, never a stop.
//! 10. Two tellings end it: the first is polite, the second kills; after a limit pm leaves, and says what
//!     it left.

pub mod app;
pub mod cli;
pub mod config;
pub mod control;
pub mod error;
pub mod export;
pub mod os;
pub mod output;
pub mod resources;
pub mod session;
pub mod supervisor;

#[cfg(test)]
#[path = "../tests/cli/sandbox/skipped.rs"]
mod skipped;
