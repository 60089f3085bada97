//! What was typed for a running session.

#![expect(missing_docs, reason = "a flattened group says what it is at its type")]

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::config::value::{Color, seconds};

/// Which session is meant.
#[derive(Debug, Clone, Default, Args)]
pub struct TargetArgs {
    /// The session runs this Procfile: without `-d`, its folder is the root
    #[arg(long, value_name = "FILE", env = "PM_PROCFILE")]
    pub procfile: Option<PathBuf>,
    /// The application's root [default: the current folder]
    #[arg(short = 'd', long, value_name = "DIR", env = "PM_ROOT")]
    pub root: Option<PathBuf>,
    /// The session with this process id, where more than one runs in the root
    #[arg(long, value_name = "PID", env = "PM_SESSION")]
    pub session: Option<i32>,
}

/// How long to wait.
#[derive(Debug, Clone, Default, Args)]
pub struct WaitArgs {
    /// Do not wait until it is so
    #[arg(long)]
    pub no_wait: bool,
    /// Wait for at most so long [default: as long as it takes]
    #[arg(long, value_name = "SECONDS", value_parser = seconds, conflicts_with = "no_wait")]
    pub wait: Option<Duration>,
}

/// `pm status`
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Only these: `web`, `web.2`, `w*` [default: all]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    #[command(flatten)]
    pub target: TargetArgs,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
    /// Show it again every second, until Ctrl-C or the end of the session
    #[arg(long)]
    pub watch: bool,
}

/// How `pm stop` and `pm restart` stop instances.
#[derive(Debug, Args)]
pub struct StopOptions {
    /// Time between the stop signal and SIGKILL, in place of the session's
    #[arg(short = 't', long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<Duration>,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// `pm restart`
#[derive(Debug, Args)]
pub struct RestartArgs {
    /// Process types, instances or globs: `web`, `web.2`, `w*` [default: all but `release`]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    #[command(flatten)]
    pub options: StopOptions,
}

/// `pm stop`
#[derive(Debug, Args)]
pub struct StopArgs {
    /// Process types, instances or globs: `web`, `web.2`, `w*`
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<String>,
    #[command(flatten)]
    pub options: StopOptions,
}

/// `pm scale`
#[derive(Debug, Args)]
pub struct ScaleArgs {
    /// Process types and how many of each
    ///
    /// More get the next numbers and ports. Of too many, the highest numbers are stopped.
    #[arg(value_name = "TYPE=N", required = true)]
    pub counts: Vec<String>,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// `pm signal`
#[derive(Debug, Args)]
pub struct SignalArgs {
    /// A name or a number: `USR1`, `HUP`, `10`
    #[arg(value_name = "SIGNAL")]
    pub signal: String,
    /// Process types, instances or globs: `web`, `web.2`, `w*`
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<String>,
    #[command(flatten)]
    pub target: TargetArgs,
}

/// `pm logs`
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// Process types, instances or globs: `web`, `web.2`, `w*` [default: all]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    #[command(flatten)]
    pub target: TargetArgs,
    /// Go on with what comes, until Ctrl-C or the end of the session
    #[arg(short = 'f', long)]
    pub follow: bool,
    /// So many lines of each instance [default: all that are kept, up to 2000]
    #[arg(short = 'n', long, value_name = "N")]
    pub lines: Option<usize>,
    /// Colour
    #[arg(short = 'c', long, value_name = "WHEN", env = "PM_COLOR", value_enum)]
    pub color: Option<Color>,
    /// No time before each line
    #[arg(long)]
    pub no_timestamp: bool,
    /// Lines alone, without time and name
    #[arg(long)]
    pub no_prefix: bool,
}

/// `pm attach`
#[derive(Debug, Args)]
pub struct AttachArgs {
    /// One instance: `web.2`, or `web` where there is one
    #[arg(value_name = "NAME")]
    pub name: String,
    #[command(flatten)]
    pub target: TargetArgs,
}

/// `pm reload`, `pm quit`
#[derive(Debug, Args)]
pub struct WholeArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub wait: WaitArgs,
}
