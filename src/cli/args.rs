//! What was typed: clap structs and their doc comments, which are the manual.

#![expect(missing_docs, reason = "a flattened group says what it is at its type")]

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::completion::args::CompletionsArgs;
use super::ctl::args as ctl;
use super::export::args::{self as export, ExportArgs};
use super::manual::args::ManArgs;
use super::switch::Switch;
use crate::app::{ExitOn, Restart};
use crate::config::settings::{Color, Pty};

/// Run a Procfile application
///
/// Every process type of the Procfile runs with as many instances as asked, each with its port and
/// environment; their output is merged line by line; crashes are restarted; nothing is left behind.
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
    /// Start the application, or only the named process types; or what a running session has stopped
    ///
    /// A second process, `procfile-guard`, stops every instance if pm itself is killed.
    Start(StartArgs),
    /// Run one command with the application's environment
    Run(RunArgs),
    /// Check the Procfile and the env files
    Check(CheckArgs),
    /// Show the environment that an instance would get
    ///
    /// First what the application sets (the env files, pm.toml, `--set`, pm itself), each with where it comes
    /// from; then how many variables it inherits from the environment, and with `--all` which.
    Env(EnvArgs),
    /// Print the JSON schema of pm.toml
    Schema,
    /// Write the application as units of an init system, a container engine or a cluster
    ///
    /// Each instance starts exactly as `pm start` starts it: the same command through /bin/sh, the same
    /// folder, PORT and values of the env files. The caller's own environment stays out.
    ///
    /// Only files that pm wrote for the same application are replaced or removed; nothing is written
    /// where anything else is in the way.
    #[command(after_long_help = export::formats())]
    Export(ExportArgs),
    /// Show what the running session does
    #[command(visible_alias = "ps")]
    Status(ctl::StatusArgs),
    /// Restart instances of the running session; reads the env files again
    Restart(ctl::RestartArgs),
    /// Stop instances of the running session; they stay stopped
    Stop(ctl::StopArgs),
    /// Change how many of a process type the running session has
    Scale(ctl::ScaleArgs),
    /// Send a signal to instances of the running session
    Signal(ctl::SignalArgs),
    /// Show the last output of the running session's instances
    Logs(ctl::LogsArgs),
    /// Type on the terminal of one instance of the running session; Ctrl-] detaches
    Attach(ctl::AttachArgs),
    /// Read the Procfile and the env files again, and restart what is different
    Reload(ctl::WholeArgs),
    /// End the running session
    Quit(ctl::WholeArgs),
    /// Print the script that lets a shell complete pm's commands, options and process types
    ///
    /// Where the shell's start-up file has it: `source <(pm completions bash)` in ~/.bashrc, the same with
    /// `zsh` in ~/.zshrc after compinit, and `pm completions fish | source` in ~/.config/fish/config.fish.
    Completions(CompletionsArgs),
    /// Print pm's manual page, or write all of them to a folder
    #[command(hide = true)]
    Man(ManArgs),
    /// Print the version
    #[command(hide = true)]
    Version,
}

/// Where the application's files are.
#[derive(Debug, Clone, Default, Args)]
pub struct FileArgs {
    /// Read this Procfile [default: Procfile in the root]
    ///
    /// Without `-d`, the application's root is the folder of this file.
    #[arg(short = 'f', long, value_name = "FILE", env = "PM_PROCFILE")]
    pub procfile: Option<PathBuf>,
    /// The application's root: commands run here, and .env is read here
    #[arg(short = 'd', long, value_name = "DIR", env = "PM_ROOT")]
    pub root: Option<PathBuf>,
    /// Read these env files instead of .env; the later wins
    #[arg(short = 'e', long, value_name = "FILE,..", env = "PM_ENV", value_delimiter = ',')]
    pub env: Vec<PathBuf>,
    /// Set a variable over the env files and the environment
    #[arg(long, value_name = "KEY=VALUE", env = "PM_SET", hide_env_values = true)]
    pub set: Vec<String>,
}

/// Where pm's own settings are.
#[derive(Debug, Clone, Default, Args)]
pub struct ConfigArgs {
    /// Read this pm.toml [default: pm.toml in the root, if it is there]
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
    /// One JSON object a line, for output lines and events
    #[arg(long, env = "PM_JSON", value_parser = Switch)]
    pub json: bool,
    /// Start the session in the background; `pm quit` ends it
    #[arg(long, env = "PM_DAEMON", value_parser = Switch)]
    pub daemon: bool,
    /// With `--daemon`: append its output to this file [default: pm.log in the root]
    #[arg(long, value_name = "FILE", env = "PM_LOG_FILE")]
    pub log: Option<PathBuf>,
    /// Start a second session, although one of this folder and Procfile runs some of the types already
    #[arg(long, env = "PM_ANOTHER", value_parser = Switch)]
    pub another: bool,
    /// This is the one in the background
    #[arg(long, hide = true)]
    pub daemonised: bool,
    #[command(flatten)]
    pub session: SessionArgs,
}

/// What a session is like; pm.toml and .foreman can say it too.
#[derive(Debug, Clone, Args)]
pub struct SessionArgs {
    #[command(flatten)]
    pub files: FileArgs,
    /// How many of each; types that are not listed run 0 times unless `all=N`
    #[arg(short = 'm', long, value_name = "all=1,web=2", env = "PM_FORMATION")]
    pub formation: Option<String>,
    /// Do not run these types
    #[arg(short = 'x', long, value_name = "TYPE,..", env = "PM_EXCEPT", value_delimiter = ',')]
    pub except: Vec<String>,
    /// Port of the first type's first instance [default: PORT, else 5000]
    ///
    /// An instance gets PORT = base + 100 × (position of its type in the Procfile) + (its number - 1).
    #[arg(short = 'p', long, value_name = "N", env = "PM_PORT", allow_negative_numbers = true)]
    pub port: Option<String>,
    /// Seconds between the stop signal and SIGKILL [default: 5]
    #[arg(short = 't', long, value_name = "SECONDS", env = "PM_TIMEOUT", value_parser = seconds)]
    pub timeout: Option<std::time::Duration>,
    /// Which ends of an instance are restarted [default: on-failure]
    #[arg(long, value_name = "WHEN", env = "PM_RESTART", value_enum)]
    pub restart: Option<Restart>,
    /// Restarts in a row, after which an instance has failed for good [default: 5]
    ///
    /// The wait is 0.5 s, doubled each time to at most 30 s. 10 s of uptime forget earlier crashes.
    #[arg(long, value_name = "N", env = "PM_MAX_RESTARTS")]
    pub max_restarts: Option<u32>,
    /// Which end of an instance ends the session [default: failure; all, when pm writes to a terminal]
    ///
    /// There who sees a failure may repair it and `pm restart` that instance, while the others go on.
    #[arg(long, value_name = "WHICH", env = "PM_EXIT_ON", value_enum)]
    pub exit_on: Option<ExitOn>,
    /// Run the one-shot type `release` first, alone; the others start when it has exited 0
    #[arg(long, env = "PM_RELEASE", value_parser = Switch)]
    pub release: bool,
    /// Give each instance a terminal of its own [default: auto, when pm writes to a terminal]
    ///
    /// So it keeps its colours, and does not hold its output back; `pm attach` types on it. Its lines are shown
    /// without what would draw over others: cursor movement, erasing, titles, modes.
    #[arg(long, value_name = "WHEN", env = "PM_PTY", value_enum)]
    pub pty: Option<Pty>,
    /// Behave as this tool: `foreman` is `--restart never --exit-on first`, `release` not special
    #[arg(long = "as", value_name = "TOOL", env = "PM_AS", value_enum)]
    pub behave_as: Option<Tool>,
    #[command(flatten)]
    pub output: OutputArgs,
    // Last: its heading would stand over what follows.
    #[command(flatten)]
    pub resources: ResourceArgs,
}

/// What an instance may use. A value without `TYPE=` is for all types that are not named.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Resources")]
pub struct ResourceArgs {
    /// Memory budget of one instance: `web=512M,all=1G`; a bare number is MiB
    ///
    /// Sets MEMORY_AVAILABLE, WEB_CONCURRENCY (budget / WEB_MEMORY, else 1) and a heap of 90 % of
    /// budget / WEB_CONCURRENCY for Node, JVM, Go and .NET, each only where nothing else sets it. An
    /// instance that stays over its budget is stopped and restarted.
    #[arg(long, value_name = "web=512M,..", env = "PM_MEMORY")]
    pub memory: Vec<String>,
    /// What happens to an instance that stays over its budget: restart, warn or kill [default: restart]
    #[arg(long, value_name = "web=warn,..", env = "PM_MEMORY_ACTION")]
    pub memory_action: Vec<String>,
    /// Heap of one worker, where it is not to be worked out from the budget: `web=460M`
    #[arg(long, value_name = "web=460M,..", env = "PM_HEAP")]
    pub heap: Vec<String>,
    /// What garbage collection is to save: memory (`size`) or time (`speed`)
    #[arg(long, value_name = "web=size,..", env = "PM_GC")]
    pub gc: Vec<String>,
    /// How many of each where no formation is asked for; `auto` is the number of CPUs
    #[arg(long, value_name = "web=2,..", env = "PM_CONCURRENCY")]
    pub concurrency: Vec<String>,
    /// Most open files of one process
    #[arg(long, value_name = "web=1024,..", env = "PM_NOFILE")]
    pub nofile: Vec<String>,
    /// Niceness, from -20 to 19
    #[arg(long, value_name = "worker=10,..", env = "PM_NICE")]
    pub nice: Vec<String>,
    /// CPUs of one instance: a number such as `1.5`, or a range of CPUs such as `0-3`
    #[arg(long, value_name = "web=0-1,..", env = "PM_CPUS")]
    pub cpus: Vec<String>,
}

/// How the merged log looks.
#[derive(Debug, Clone, Default, Args)]
pub struct OutputArgs {
    /// Colour; `-c` alone is `always`
    #[arg(
        short = 'c',
        long,
        value_name = "WHEN",
        env = "PM_COLOR",
        value_enum,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "always"
    )]
    pub color: Option<Color>,
    /// No time before each line
    #[arg(long, env = "PM_NO_TIMESTAMP", value_parser = Switch)]
    pub no_timestamp: bool,
    /// Form of the time, as in strftime(3) [default: %H:%M:%S]
    #[arg(long, value_name = "FORMAT", env = "PM_TIMESTAMP_FORMAT")]
    pub timestamp_format: Option<String>,
    /// Lines alone, without time and name
    #[arg(long, env = "PM_NO_PREFIX", value_parser = Switch)]
    pub no_prefix: bool,
    /// Run these types without printing their output
    #[arg(short = 'q', long, value_name = "TYPE,..", env = "PM_QUIET", value_delimiter = ',')]
    pub quiet: Vec<String>,
}

/// A tool whose rules pm can follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Tool {
    /// foreman: no restarts, the first end ends all
    Foreman,
    /// pm's own rules
    Pm,
}

/// `pm run`
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub files: FileArgs,
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Give COMMAND to /bin/sh as one string
    #[arg(short = 'c', long)]
    pub shell: bool,
    /// A process type of the Procfile, or a program and its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    pub command: Vec<std::ffi::OsString>,
}

/// `pm check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    pub files: FileArgs,
    #[command(flatten)]
    pub config: ConfigArgs,
    /// How many of each, for the ports and the memory
    #[arg(short = 'm', long, value_name = "all=1,web=2", env = "PM_FORMATION")]
    pub formation: Option<String>,
    /// Port of the first type's first instance [default: PORT, else 5000]
    #[arg(short = 'p', long, value_name = "N", env = "PM_PORT", allow_negative_numbers = true)]
    pub port: Option<String>,
    /// Exit 1 on warnings too
    #[arg(long, env = "PM_STRICT", value_parser = Switch)]
    pub strict: bool,
    /// One JSON object a finding
    #[arg(long, env = "PM_JSON", value_parser = Switch)]
    pub json: bool,
    #[command(flatten)]
    pub resources: ResourceArgs,
}

/// `pm env`
///
/// Takes every option of `pm start`, so that `env` for `start` shows what that would do.
#[derive(Debug, Args)]
pub struct EnvArgs {
    /// The process type [default: the first of the Procfile]
    #[arg(value_name = "TYPE")]
    pub process_type: Option<String>,
    /// Show the values; where no terminal shows them, of what is inherited too
    #[arg(long)]
    pub show: bool,
    /// Show what is inherited from the environment, too
    #[arg(long)]
    pub all: bool,
    /// Show each setting and where it comes from: flag, PM_ variable, pm.toml or .foreman
    #[arg(long, conflicts_with_all = ["show", "all"])]
    pub settings: bool,
    #[command(flatten)]
    pub config: ConfigArgs,
    #[command(flatten)]
    pub session: SessionArgs,
}

/// Reads a number of seconds, whole or with a fraction.
pub(super) fn seconds(text: &str) -> Result<std::time::Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    std::time::Duration::try_from_secs_f64(seconds)
        .map_err(|_| "not a number of seconds from 0".to_owned())
}
