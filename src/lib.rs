//! `pm` runs a Procfile application, and turns it into files for a real init system.
//!
//! The library is no API: it is public for the binary, the tests, the benches and the fuzz targets alone. This
//! page is the map; each module says what it owns and what it must not know.
//!
//! In one breath: [`cli`] turns what was typed and the files into an [`app::App`]; [`supervisor`] decides
//! (pure: `handle(event, now) -> actions`, no I/O, no clock); [`session`] and [`os`] act (signals, processes,
//! timers); [`output`] carries bytes past all of that from pipes to the terminal; [`control`] brings requests in
//! and status out; [`export`] turns the same `App` into files.
//!
//! | module | what it holds |
//! |---|---|
//! | [`cli`] | one file per subcommand, over clap's structs in [`cli::args`]; reads the files, and resolves flags, variables, pm.toml and .foreman to settings |
//! | [`app`] | what to run: process types, counts, ports, environment; the parsers of Procfile and env files; the lexer of commands; the linter. Pure |
//! | [`config`] | the one table of settings; pm.toml and .foreman as layers of them. Pure |
//! | [`resources`] | a memory budget → `WEB_CONCURRENCY`, heap and collector of each runtime. Pure |
//! | [`supervisor`] | decides: the state of every instance and of the session. Pure |
//! | [`session`] | the running session: the loop, requests of clients, pm's own messages, memory budgets, terminals of instances |
//! | [`os`] | system calls: children and their groups, signals, the watchdog, pseudo-terminals, limits, memory of processes; `linux` and `portable` |
//! | [`output`] | one thread that owns all pipes and stdout: split, filter, render, one write per batch |
//! | [`control`] | the socket of a session: where it is, what is said over it, who may connect |
//! | `tui` | `pm ui`, the whole screen: a model, what events do to it, and its picture; a client of `control`. Behind the feature `ui` |
//! | [`export`] | fourteen formats as pure functions from an `App` to files; quoting, templates, and what writes them |
//! | [`proxy`] | one address for the instances of a process type: HTTP/1.1 heads and framing, balance, passing on; its own thread |
//! | `watch` | files → "this process type changed"; its own thread |
//! | [`state`] | what pm keeps between sessions, in `$XDG_STATE_HOME/pm` |
//! | `git` | where git keeps what belongs to a working tree |
//! | [`root_hash`] | the name that files of an application have, by its folder |
//! | [`error`] | every failure that ends a command, with its exit code and hint |
//!
//! # Who may know whom
//! ```text
//! main       → cli, os
//! cli        → app, config, control, error, export, git, os, output, resources, root_hash, session, state, tui, watch
//! session    → app, control, error, os, output, proxy, state, supervisor, watch
//! config     → app
//! export     → app
//! os         → app
//! output     → app, os, state
//! resources  → app
//! supervisor → app
//! control, state → root_hash
//! proxy      → os
//! tui        → control
//! watch      → git
//! app, error, git, root_hash → nothing
//! ```
//! A test compares this table with every path in the sources (`tests/layout/edges.rs`): an edge that is not listed, or
//! is listed and not used, fails it, and so does a circle. `main` knows `os` because the watchdog is pm's own
//! program, started again; `cli` asks `os` for the time zone, the machine, ports in use and the size of the terminal.
//! Who needs something of the other side gets a function or a number: `cli` passes the session how to read
//! the files again, and the session passes `os` how many clients there may be. So `error` knows no module;
//! `cli::refusal` turns the errors of the others into it.
//!
//! No two types share a name (`tests/layout/names.rs`), no file is longer than 400 lines, and no function longer than 60
//! that is not listed with a reason (`tests/layout/sizes.rs`). `clippy.toml` holds the rest: only `os` reads the clock,
//! only `cli` the environment, only `main` exits.
//!
//! # Rules that the design rests on
//! 1. One thread owns all lifecycle state; everything else sends it facts.
//! 2. `handle(event, now) -> actions` does no I/O and reads no clock; the shell's answers are events.
//! 3. Wanted and actual are separate; each event ends with the same reconcile pass.
//! 4. A deadline is a field of the state that it ends: nothing to cancel, nothing stale.
//! 5. Every start gets a [`app::RunId`]; facts about an older run are dropped in one place.
//! 6. An intentional stop is recorded when it is ordered, never guessed at exit.
//! 7. Exit and end of output are two events; the end is both, or exit and a drain limit.
//! 8. Peek (`WNOWAIT`), decide, sweep the group, then reap: the zombie reserves the group id.
//! 9. Bytes never pass through the supervisor; a stuck reader can stall output, never a stop.
//! 10. Two requests end a session: the first stops gracefully, the second kills. After a limit pm exits, and
//!     says what it left running.

pub mod app;
pub mod cli;
pub mod config;
pub mod control;
pub mod error;
pub mod export;
mod git;
pub mod os;
pub mod output;
pub mod proxy;
pub mod resources;
pub mod root_hash;
pub mod session;
pub mod state;
pub mod supervisor;
#[cfg(feature = "ui")]
pub mod tui;
mod watch;

#[cfg(test)]
#[path = "../tests/layout/edges.rs"]
mod edges;
#[cfg(test)]
#[path = "../tests/cli/sandbox/long.rs"]
mod long;
#[cfg(test)]
#[path = "../tests/layout/names.rs"]
mod names;
#[cfg(test)]
#[path = "../tests/layout/sizes.rs"]
mod sizes;
#[cfg(test)]
#[path = "../tests/cli/sandbox/skipped.rs"]
mod skipped;
