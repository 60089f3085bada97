//! Arguments of the commands for a running session.

#![expect(missing_docs, reason = "a flattened group says what it is at its type")]

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::cli::json::JsonArgs;
use crate::cli::logs::when::When;
use crate::cli::numbers::{batch, pid, run_number};
use crate::config::value::{Color, seconds, whole};
use crate::control::proto::WaitGoal;

/// Which session is meant.
#[derive(Debug, Clone, Default, Args)]
pub struct TargetArgs {
    /// Find the session that runs this Procfile; without `-d`, its folder is the root
    #[arg(long, value_name = "FILE", env = "PM_PROCFILE")]
    pub procfile: Option<PathBuf>,
    /// The application's root [default: the current folder]
    #[arg(short = 'd', long, value_name = "DIR", env = "PM_ROOT")]
    pub root: Option<PathBuf>,
    /// Find the session with this process id, if several run in the root
    #[arg(long, value_name = "PID", env = "PM_SESSION", value_parser = pid)]
    pub session: Option<i32>,
}

/// How long to wait.
#[derive(Debug, Clone, Default, Args)]
pub struct WaitArgs {
    /// Do not wait for the change to complete
    #[arg(long)]
    pub no_wait: bool,
    /// Give up after SECONDS [default: wait as long as it takes]
    #[arg(long, value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true, conflicts_with = "no_wait")]
    pub wait: Option<Duration>,
}

/// What `pm wait` waits for: `web`, `web.2:ready`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitName {
    /// A process type, an instance or a pattern.
    pub name: String,
    /// What it must be, where that was typed.
    pub goal: Option<WaitGoal>,
}

impl FromStr for WaitName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, goal) = match text.rsplit_once(':') {
            None => (text, None),
            Some((name, word)) => {
                use WaitGoal::{Done, Ready, Started, Stopped};
                let goal =
                    [Ready, Done, Started, Stopped].into_iter().find(|goal| goal.word() == word);
                let wrong = || format!("`:{word}` is none of :ready, :done, :started and :stopped");
                (name, Some(goal.ok_or_else(wrong)?))
            }
        };
        if name.is_empty() {
            return Err("it has no name before the colon".to_owned());
        }
        Ok(Self { name: name.to_owned(), goal })
    }
}

/// `pm wait`
#[derive(Debug, Args)]
pub struct UntilArgs {
    /// Process types, instances or patterns, with the state to wait for [default: all]
    ///
    /// `web:ready`, `db.1:started`, `migrate:done` or `worker:stopped`. Without a state, as in `depends-on`: done for a
    /// type that runs once, ready for one that has `ready`, else started. Without a name: all are ready, done, or, without
    /// `ready`, up for 0.25 s.
    #[arg(value_name = "NAME[:STATE]")]
    pub names: Vec<WaitName>,
    #[command(flatten)]
    pub target: TargetArgs,
    /// Give up after SECONDS, with exit code 124
    #[arg(long, value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true, default_value = "60")]
    pub timeout: Duration,
    #[command(flatten)]
    pub json: JsonArgs,
}

/// `pm status`
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Process types, instances or patterns: `web`, `web.2`, `w*` [default: all]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub json: JsonArgs,
    /// Show every session of this user, with its root, branch, base port and state
    #[arg(short = 'A', long, conflicts_with_all = ["names", "watch"])]
    pub all: bool,
    /// Repeat every second, until Ctrl-C or the end of the session
    #[arg(long)]
    pub watch: bool,
    /// Show peak memory, threads, open files and listening ports, too
    #[arg(short = 'v', long, conflicts_with = "all")]
    pub verbose: bool,
}

/// `pm top`
#[derive(Debug, Args)]
pub struct TopArgs {
    /// Process types, instances or patterns: `web`, `web.2`, `w*` [default: all]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    #[command(flatten)]
    pub target: TargetArgs,
    /// Print one table, or with `--json` one object
    #[arg(long)]
    pub once: bool,
    /// Count shared memory proportionally (PSS); measuring it takes fifty times as long
    #[arg(long)]
    pub pss: bool,
    /// Print one JSON object per second, also for an error
    #[arg(long)]
    pub json: bool,
}

/// `pm metrics`
#[derive(Debug, Args)]
pub struct MetricsArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    /// Print the metrics of every session of this user
    #[arg(long)]
    pub all: bool,
    /// Write to FILE, which is replaced by rename: no reader sees half of it
    #[arg(short = 'o', long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print errors as JSON; the metrics stay text
    #[arg(long)]
    pub json: bool,
}

/// `pm url`, `pm port`
#[derive(Debug, Args)]
pub struct AddressArgs {
    /// A process type, or an instance such as `web.2` [default: the first that runs]
    #[arg(value_name = "TYPE")]
    pub name: Option<String>,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub json: JsonArgs,
}

/// How `pm stop` and `pm restart` stop instances.
#[derive(Debug, Args)]
pub struct StopOptions {
    /// Seconds between the stop signal and SIGKILL [default: the session's]
    #[arg(short = 't', long, value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true)]
    pub timeout: Option<Duration>,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub wait: WaitArgs,
    #[command(flatten)]
    pub json: JsonArgs,
}

/// How `pm restart` and `pm reload` replace instances.
#[derive(Debug, Args)]
pub struct RollingArgs {
    /// Start each new instance beside the old one, which stops when the new one is ready
    ///
    /// Replaces one after the other. This works for types with `proxy` or `share-port`, and for those whose `ready` is
    /// not their own port; without a name, all others are restarted. Without `ready`, a new instance is ready when it
    /// listens. If a new instance ends or is not ready in time, no more are replaced, the old ones keep running, and
    /// the exit code is 1. After Ctrl-C the current step is finished. A later request for the same instances wins.
    #[arg(long)]
    pub rolling: bool,
    /// With --rolling: replace N at a time [default: 1]
    #[arg(long, value_name = "N", value_parser = batch, allow_negative_numbers = true, requires = "rolling")]
    pub batch: Option<NonZeroU16>,
    /// With --rolling: stop each old instance before its new one starts, if there is no room for both
    #[arg(long, requires = "rolling")]
    pub stop_first: bool,
}

/// `pm restart`
#[derive(Debug, Args)]
pub struct RestartArgs {
    /// Process types, instances or patterns: `web`, `web.2`, `w*` [default: all except `release`]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    #[command(flatten)]
    pub rolling: RollingArgs,
    #[command(flatten)]
    pub options: StopOptions,
}

/// `pm stop`
#[derive(Debug, Args)]
pub struct StopArgs {
    /// Process types, instances or patterns: `web`, `web.2`, `w*`
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<String>,
    #[command(flatten)]
    pub options: StopOptions,
}

/// `pm scale`
#[derive(Debug, Args)]
pub struct ScaleArgs {
    /// Process types with the new number of instances
    ///
    /// New instances get the next numbers and ports. Surplus instances are stopped from the highest number down.
    #[arg(value_name = "TYPE=N", required = true)]
    pub counts: Vec<String>,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub wait: WaitArgs,
    #[command(flatten)]
    pub json: JsonArgs,
}

/// `pm signal`
#[derive(Debug, Args)]
pub struct SignalArgs {
    /// Signal name or number: `USR1`, `HUP`, `10`
    #[arg(value_name = "SIGNAL")]
    pub signal: String,
    /// Process types, instances or patterns: `web`, `web.2`, `w*`
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<String>,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub json: JsonArgs,
}

/// A form of the lines of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogForm {
    /// As `pm start` shows them
    Text,
    /// Only the bytes of the processes
    Raw,
    /// One JSON object per line
    Json,
}

/// `pm logs`
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// Process types, instances or patterns: `web`, `web.2`, `w*` [default: all]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    #[command(flatten)]
    pub target: TargetArgs,
    /// Keep following new output, until Ctrl-C or the end of the session
    #[arg(short = 'f', long)]
    pub follow: bool,
    /// Show the last N lines of each instance [default: all that are kept]
    #[arg(short = 'n', long, value_name = "N", value_parser = whole::<usize>, allow_negative_numbers = true)]
    pub lines: Option<usize>,
    /// Show the previous run: the newest that has ended
    #[arg(long, conflicts_with_all = ["run", "runs", "follow"])]
    pub last: bool,
    /// Show this run: a number of `--runs`, or -1 for the newest that has ended, -2 for the one before
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = run_number, conflicts_with = "runs")]
    pub run: Option<i32>,
    /// List the runs that are kept, with their start, end, size and verdict
    #[arg(long)]
    pub runs: bool,
    /// Remove all kept runs except those that are still running
    #[arg(long, conflicts_with_all = ["names", "follow", "lines", "last", "run", "runs", "since", "until", "grep", "events", "exits"])]
    pub purge: bool,
    /// Show lines from this time on: `10m` (ago), `10:30`, RFC 3339, `start` of the session or `restart`
    ///
    /// `restart` is the last start of each instance. A time without a date is its latest occurrence.
    #[arg(long, value_name = "TIME")]
    pub since: Option<When>,
    /// Show lines up to this time, written as for `--since`
    #[arg(long, value_name = "TIME")]
    pub until: Option<When>,
    /// Show lines that this regular expression matches, without their colours
    #[arg(long, value_name = "REGEX")]
    pub grep: Option<String>,
    /// With `--grep`: ignore case
    #[arg(short = 'i', long, requires = "grep")]
    pub ignore_case: bool,
    /// With `--grep`: show the lines that do not match
    #[arg(short = 'v', long, requires = "grep")]
    pub invert_match: bool,
    /// Show only pm's own messages: starts, ends, restarts
    #[arg(long, conflicts_with = "exits")]
    pub events: bool,
    /// Show only the last 20 lines (`-n`) before each end of an instance
    #[arg(long)]
    pub exits: bool,
    /// Form of the lines
    #[arg(short = 'o', long, value_name = "FORM", value_enum)]
    pub output: Option<LogForm>,
    /// The same as `--output json`
    #[arg(long, conflicts_with = "output")]
    pub json: bool,
    /// Remove escape sequences, such as colours
    #[arg(long)]
    pub plain: bool,
    /// When to use colour
    #[arg(short = 'c', long, value_name = "WHEN", env = "PM_COLOR", value_enum)]
    pub color: Option<Color>,
    /// Omit the time before each line
    #[arg(long)]
    pub no_timestamp: bool,
    /// Omit the time and the name before each line
    #[arg(long)]
    pub no_prefix: bool,
}

/// `pm attach`
#[derive(Debug, Args)]
pub struct AttachArgs {
    /// Instance: `web.2`, or `web` if there is only one
    #[arg(value_name = "NAME")]
    pub name: String,
    #[command(flatten)]
    pub target: TargetArgs,
    /// Print errors as JSON; the terminal stays as it is
    #[arg(long)]
    pub json: bool,
}

/// `pm ui`
#[derive(Debug, Args)]
pub struct UiArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    /// Show every session of this user
    #[arg(short = 'A', long)]
    pub all: bool,
    /// When to use colour
    #[arg(short = 'c', long, value_name = "WHEN", env = "PM_COLOR", value_enum)]
    pub color: Option<Color>,
    /// Print errors as JSON; the terminal stays as it is
    #[arg(long)]
    pub json: bool,
}

/// `pm quit`
#[derive(Debug, Args)]
pub struct QuitArgs {
    #[command(flatten)]
    pub whole: WholeArgs,
    /// End every session of this user
    #[arg(long, conflicts_with = "gone")]
    pub all: bool,
    /// End the sessions of this user whose root was removed
    #[arg(long)]
    pub gone: bool,
}

/// `pm reload`
#[derive(Debug, Args)]
pub struct ReloadArgs {
    #[command(flatten)]
    pub rolling: RollingArgs,
    #[command(flatten)]
    pub whole: WholeArgs,
}

/// What concerns a whole session.
#[derive(Debug, Args)]
pub struct WholeArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub wait: WaitArgs,
    #[command(flatten)]
    pub json: JsonArgs,
}
