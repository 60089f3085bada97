//! Arguments of `pm export`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::ConfigArgs;
use crate::cli::flags::{Exported, Files, Flags, Readiness, Resources};
use crate::cli::json::JsonArgs;
use crate::cli::yes_or_no::YesOrNo;

/// `pm export`
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The format: systemd, compose, kubernetes, ...; `--help` lists all and when to use which
    #[arg(value_name = "FORMAT")]
    pub format: Option<String>,
    /// Folder to write the files to (inittab: a file, or `-`)
    #[arg(value_name = "LOCATION")]
    pub location: Option<PathBuf>,
    #[command(flatten)]
    pub files: Flags<Files>,
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Name of the application in files and units [default: the name of the root]
    #[arg(short = 'a', long, value_name = "NAME", env = "PM_APP")]
    pub app: Option<String>,
    /// User that the processes run as [default: the application's name]
    #[arg(short = 'u', long, value_name = "USER", env = "PM_USER")]
    pub user: Option<String>,
    /// Folder for log files [default: /var/log/APP]
    #[arg(short = 'l', long, value_name = "DIR", env = "PM_LOG")]
    pub log: Option<PathBuf>,
    /// Folder for pid files [default: /var/run/APP]
    #[arg(short = 'r', long, value_name = "DIR", env = "PM_RUN")]
    pub run: Option<PathBuf>,
    #[command(flatten)]
    pub session: Flags<Exported>,
    /// Use the templates in this folder instead of built-in ones of the same name
    ///
    /// Templates in ~/.config/pm/templates/FORMAT are used next.
    #[arg(short = 'T', short_alias = 't', long, value_name = "DIR", env = "PM_TEMPLATE")]
    pub template: Option<PathBuf>,
    /// Image that containers run (compose, quadlet, kubernetes, nomad)
    #[arg(long, value_name = "NAME", env = "PM_IMAGE")]
    pub image: Option<String>,
    /// Write values to a separate file that only its owner can read, not into the units
    #[arg(long, env = "PM_ENV_FILE", value_parser = YesOrNo)]
    pub env_file: bool,
    /// Write user units (systemctl --user, LaunchAgents)
    #[arg(long, env = "PM_USER_UNITS", value_parser = YesOrNo, conflicts_with = "user")]
    pub user_units: bool,
    /// Add systemd's sandbox options
    #[arg(long, env = "PM_HARDEN", value_parser = YesOrNo)]
    pub harden: bool,
    /// Write the source of an s6-rc database instead of folders for s6-svscan (s6)
    #[arg(long, env = "PM_S6_RC", value_parser = YesOrNo)]
    pub s6_rc: bool,
    /// Show what would change as a diff, including values, and write nothing
    #[arg(long, conflicts_with_all = ["print", "verify"])]
    pub dry_run: bool,
    /// Print the files and write nothing
    #[arg(long, conflicts_with = "verify")]
    pub print: bool,
    /// Check the files with the target's own checker, if it is installed
    #[arg(long)]
    pub verify: bool,
    #[command(flatten)]
    pub json: JsonArgs,
    #[command(flatten)]
    pub readiness: Flags<Readiness>,
    #[command(flatten)]
    pub resources: Flags<Resources>,
}

/// Says when to use which format, from the one table of them.
pub(crate) fn formats() -> String {
    let mut text = String::from("Formats:\n");
    for format in crate::export::FORMATS {
        text.push_str(&format!("  {:<12} {}\n", format.name, format.when));
    }
    text.push_str(
        "\nOne machine: systemd, or its own init system. Containers on one machine: compose, quadlet. \
         More than one machine: kubernetes, nomad.",
    );
    text
}
