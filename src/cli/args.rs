//! The command line: clap structs, whose doc comments are the manual.

#![expect(missing_docs, reason = "a flattened group says what it is at its type")]

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::client::args as client;
use super::completion::args::CompletionsArgs;
use super::export::args::{self as export, ExportArgs};
use super::flags::{BasePort, Files, Flags, Layout, Output, Readiness, Resources, Session, Watch};
use super::json::JsonArgs;
use super::manual::args::ManArgs;
use super::numbers::pid;
use super::yes_or_no::YesOrNo;
use crate::config::value::seconds;

/// Run a Procfile application
///
/// Each process type of the Procfile runs with as many instances as you ask for, each with its own port and
/// environment. Their output is merged line by line, crashes are restarted, and a stop leaves nothing behind.
#[derive(Debug, Parser)]
#[command(
    name = "pm",
    version,
    max_term_width = 100,
    disable_help_subcommand = false,
    args_override_self = true
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the application, or only the named process types
    ///
    /// If a session of this folder is already running, what is stopped there is started in it.
    ///
    /// A second process, the watchdog (`procfile-guard` in ps), stops every instance if pm itself is killed.
    Start(StartArgs),
    /// Start the application in the background, and return when all of it is ready
    ///
    /// As `pm start --daemon --wait`. If a session of this folder is already running, what is missing or stopped is
    /// started in it; if nothing is missing, nothing happens. Changed files are not applied: see `pm reload`.
    Up(UpArgs),
    /// Run a command with the application's environment
    Run(RunArgs),
    /// Check the Procfile and the env files
    Check(CheckArgs),
    /// Show the environment that an instance would get
    ///
    /// First the variables that the application sets (env files, pm.toml, `--set`, pm itself), with their origin;
    /// then the number of variables that it inherits, or with `--all` these variables.
    Env(EnvArgs),
    /// Print the JSON schema of pm.toml, or of what a command prints with `--json`
    Schema(SchemaArgs),
    /// Write the application as units of an init system, a container engine or a cluster
    ///
    /// Each instance starts exactly as with `pm start`: the same command through /bin/sh, the same
    /// folder, PORT and values of the env files. The caller's own environment stays out.
    ///
    /// Only files that pm wrote for the same application are replaced or removed. Nothing is written if
    /// any other file is in the way.
    #[command(after_long_help = export::formats())]
    Export(ExportArgs),
    /// Show the instances of the running session
    #[command(visible_alias = "ps")]
    Status(client::StatusArgs),
    /// Show what each instance uses, every second: CPU, memory against its budget, restarts
    ///
    /// c, m, r and n sort by CPU, memory, restarts and name; q quits, and so does the end of the session. CPU is in
    /// percent of one CPU since the previous sample. If input or output is not a terminal, one table is printed. See
    /// docs/metrics.md.
    Top(client::TopArgs),
    /// Print the metrics of each instance in the text format of Prometheus
    ///
    /// For the textfile collector of node_exporter, with `--output`, or any program that serves it. It never contains
    /// commands, environment or output. See docs/metrics.md.
    Metrics(client::MetricsArgs),
    /// Print the address of a process type of the running session
    Url(client::AddressArgs),
    /// Print the port of a process type of the running session
    Port(client::AddressArgs),
    /// Restart instances of the running session, reading the env files again
    Restart(client::RestartArgs),
    /// Stop instances of the running session; they stay stopped
    Stop(client::StopArgs),
    /// Change how many instances of a process type the running session has
    Scale(client::ScaleArgs),
    /// Send a signal to instances of the running session
    Signal(client::SignalArgs),
    /// Wait until instances of the running session are ready, done, started or stopped
    ///
    /// Fails as soon as one can no longer get there, with the cause and its last 10 lines of output. If no session is
    /// running yet, it waits up to 5 seconds for one.
    Wait(client::UntilArgs),
    /// Show recent output of the running session
    Logs(client::LogsArgs),
    /// Connect the keyboard to the terminal of one instance; Ctrl-] detaches
    Attach(client::AttachArgs),
    /// Show instances and their output on the whole screen
    Ui(client::UiArgs),
    /// Read the Procfile and the env files again, and restart what has changed
    Reload(client::ReloadArgs),
    /// End the running session
    #[command(visible_alias = "down")]
    Quit(client::QuitArgs),
    /// Print the completion script for a shell
    ///
    /// Add `source <(pm completions bash)` to ~/.bashrc, or the same with
    /// `zsh` to ~/.zshrc after compinit, or `pm completions fish | source` to ~/.config/fish/config.fish.
    Completions(CompletionsArgs),
    /// Print pm's manual page, or write all of them to a folder
    #[command(hide = true)]
    Man(ManArgs),
    /// Print the version
    #[command(hide = true)]
    Version(VersionArgs),
}

/// `pm schema`
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// A command, or `error` [default: the schema of pm.toml]
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Print errors as JSON, too; a schema is always JSON
    #[arg(long)]
    pub json: bool,
}

/// `pm version`
#[derive(Debug, Args)]
pub struct VersionArgs {
    /// Show the target, the features and the commit that it was built from
    #[arg(short, long)]
    pub verbose: bool,
    #[command(flatten)]
    pub json: JsonArgs,
}

/// Where pm's own settings are.
#[derive(Debug, Clone, Default, Args)]
pub struct ConfigArgs {
    /// Read this pm.toml [default: pm.toml in the root, if it exists]
    #[arg(long, value_name = "FILE", env = "PM_CONFIG")]
    pub config: Option<PathBuf>,
}

/// `pm start`
#[derive(Debug, Clone, Args)]
pub struct StartArgs {
    /// Process types to run, with counts: `web=4`, `web`, `web=2,worker` [default: all]
    #[arg(value_name = "TYPE[=N]")]
    pub types: Vec<String>,
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Write one JSON object per line, for output lines and events; with `--daemon` print one object
    #[arg(long, env = "PM_JSON", value_parser = YesOrNo)]
    pub json: bool,
    /// Start the session in the background; `pm quit` ends it
    #[arg(long, env = "PM_DAEMON", value_parser = YesOrNo)]
    pub daemon: bool,
    /// With `--daemon`: append the output to this file [default: pm.log in the root]
    #[arg(long, value_name = "FILE", env = "PM_LOG_FILE")]
    pub log: Option<PathBuf>,
    /// With `--daemon`: return when all is ready, up or done; else stop the session and fail
    ///
    /// Exits with the code of the instance that failed, or with 124 after SECONDS [default: as long as it takes]. What has
    /// no `ready` is up when it has run for 0.25 s. Ctrl-C ends the wait and leaves the session running.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, num_args = 0..=1, require_equals = true)]
    pub wait: Option<Option<Duration>>,
    /// Start a second session even if one already runs some of these types
    #[arg(long, env = "PM_ANOTHER", value_parser = YesOrNo)]
    pub another: bool,
    /// End the session when the process PID ends: `--with $$`
    #[arg(long = "with", value_name = "PID", env = "PM_WITH", value_parser = pid, allow_negative_numbers = true)]
    pub owner: Option<i32>,
    /// Another session of this Procfile runs these
    #[arg(long, hide = true)]
    pub elsewhere: Vec<String>,
    /// The base of all ports, which pm has chosen
    #[arg(long = "chosen-base", hide = true)]
    pub base: Option<u16>,
    /// This is the one in the background
    #[arg(long, hide = true)]
    pub daemonised: bool,
    /// It is `pm up`: what runs already is no error.
    #[arg(skip)]
    pub is_up: bool,
    #[command(flatten)]
    pub session: SessionArgs,
}

/// `pm up`
#[derive(Debug, Args)]
#[command(mut_arg("daemon", |arg| arg.hide(true)))]
#[command(mut_arg("json", |arg| arg.help("Print one JSON object, also for an error")))]
#[command(mut_arg("log", |arg| arg.help("Append the output to this file [default: pm.log in the root]")))]
#[command(mut_arg("wait", up_wait))]
pub struct UpArgs {
    #[command(flatten)]
    pub start: StartArgs,
}

/// Says what `--wait` is where it is the rule.
fn up_wait(arg: clap::Arg) -> clap::Arg {
    let help = "Return when all is ready, up or done; else stop the session and fail [default: as long as it takes]";
    arg.help(help).long_help(format!(
        "{help}\n\nExits with the code of the instance that failed, or with 124 after SECONDS. What has no `ready` is up \
         when it has run for 0.25 s. Ctrl-C ends the wait and leaves the session running."
    ))
}

impl UpArgs {
    /// Returns the start that it is.
    pub(crate) fn as_start(&self) -> StartArgs {
        let wait = self.start.wait.or(Some(None));
        // `--json` is for the answer, and not for the log.
        StartArgs { daemon: true, json: false, is_up: true, wait, ..self.start.clone() }
    }
}

/// The settings of a session; pm.toml and .foreman can say them too.
#[derive(Debug, Clone, Args)]
pub struct SessionArgs {
    #[command(flatten)]
    pub files: Flags<Files>,
    #[command(flatten)]
    pub session: Flags<Session>,
    /// Behave like this tool: `foreman` is `--restart never --exit-on first`, and `release` is not special
    #[arg(long = "as", value_name = "TOOL", env = "PM_AS", value_enum)]
    pub behave_as: Option<Tool>,
    /// Start the named types only, without what they depend on
    #[arg(long, env = "PM_NO_DEPS", value_parser = YesOrNo)]
    pub no_deps: bool,
    #[command(flatten)]
    pub output: Flags<Output>,
    #[command(flatten)]
    pub readiness: Flags<Readiness>,
    #[command(flatten)]
    pub watch: Flags<Watch>,
    #[command(flatten)]
    pub resources: Flags<Resources>,
}

/// A tool whose rules pm can follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Tool {
    /// foreman: no restarts, and the first process to end stops the others
    Foreman,
    /// pm's own rules
    Pm,
}

/// `pm run`
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub files: Flags<Files>,
    #[command(flatten)]
    pub config: ConfigArgs,
    #[command(flatten)]
    pub port: Flags<BasePort>,
    /// Pass COMMAND to /bin/sh as one string
    #[arg(short = 'c', long)]
    pub shell: bool,
    /// Say first where foreman and others read .env in another way
    #[arg(short, long)]
    pub verbose: bool,
    /// Print pm's own errors as JSON; what COMMAND prints stays as it is
    #[arg(long)]
    pub json: bool,
    /// A process type of the Procfile, or a program and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    pub command: Vec<std::ffi::OsString>,
}

/// `pm check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    pub files: Flags<Files>,
    #[command(flatten)]
    pub config: ConfigArgs,
    #[command(flatten)]
    pub layout: Flags<Layout>,
    /// Exit with 1 on warnings, too
    #[arg(long, env = "PM_STRICT", value_parser = YesOrNo)]
    pub strict: bool,
    /// Write one JSON object per finding, and a summary
    #[arg(long, env = "PM_JSON", value_parser = YesOrNo)]
    pub json: bool,
    #[command(flatten)]
    pub readiness: Flags<Readiness>,
    #[command(flatten)]
    pub watch: Flags<Watch>,
    #[command(flatten)]
    pub resources: Flags<Resources>,
}

/// `pm env`
///
/// Takes every option of `pm start`: replace `start` by `env` to see what it would do.
#[derive(Debug, Args)]
pub struct EnvArgs {
    /// The process type [default: the first of the Procfile]
    #[arg(value_name = "TYPE")]
    pub process_type: Option<String>,
    /// Show values; without a terminal, also those of inherited variables
    #[arg(long)]
    pub show: bool,
    /// Also list the variables inherited from the environment
    #[arg(long)]
    pub all: bool,
    /// Show each setting and where it comes from: flag, PM_ variable, pm.toml or .foreman
    #[arg(long, conflicts_with_all = ["show", "all"])]
    pub settings: bool,
    #[command(flatten)]
    pub json: JsonArgs,
    #[command(flatten)]
    pub config: ConfigArgs,
    #[command(flatten)]
    pub session: SessionArgs,
}
