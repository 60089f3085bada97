//! What was typed for `pm export`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::ConfigArgs;
use crate::cli::flags::{Exported, Files, Flags, Resources};
use crate::cli::yes_or_no::YesOrNo;

/// `pm export`
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The format: systemd, compose, kubernetes, ...; `--help` lists all and when to use which
    #[arg(value_name = "FORMAT")]
    pub format: Option<String>,
    /// The folder that the files go to (inittab: a file, or `-`)
    #[arg(value_name = "LOCATION")]
    pub location: Option<PathBuf>,
    #[command(flatten)]
    pub files: Flags<Files>,
    #[command(flatten)]
    pub config: ConfigArgs,
    /// The application's name in files and units [default: the name of the root]
    #[arg(short = 'a', long, value_name = "NAME", env = "PM_APP")]
    pub app: Option<String>,
    /// The user that the processes run as [default: the application's name]
    #[arg(short = 'u', long, value_name = "USER", env = "PM_USER")]
    pub user: Option<String>,
    /// The folder of log files [default: /var/log/APP]
    #[arg(short = 'l', long, value_name = "DIR", env = "PM_LOG")]
    pub log: Option<PathBuf>,
    /// The folder of pid files [default: /var/run/APP]
    #[arg(short = 'r', long, value_name = "DIR", env = "PM_RUN")]
    pub run: Option<PathBuf>,
    #[command(flatten)]
    pub session: Flags<Exported>,
    /// Replace built-in templates by those in this folder, file by file
    ///
    /// Then come those in ~/.config/pm/templates/FORMAT.
    #[arg(short = 'T', short_alias = 't', long, value_name = "DIR", env = "PM_TEMPLATE")]
    pub template: Option<PathBuf>,
    /// The image that containers run (compose, quadlet, kubernetes, nomad)
    #[arg(long, value_name = "NAME", env = "PM_IMAGE")]
    pub image: Option<String>,
    /// Keep values in a file of their own, readable by its owner alone, out of the units
    #[arg(long, env = "PM_ENV_FILE", value_parser = YesOrNo)]
    pub env_file: bool,
    /// Write for a person's own service manager (systemctl --user, LaunchAgents)
    #[arg(long, env = "PM_USER_UNITS", value_parser = YesOrNo, conflicts_with = "user")]
    pub user_units: bool,
    /// Close services in with systemd's sandbox options
    #[arg(long, env = "PM_HARDEN", value_parser = YesOrNo)]
    pub harden: bool,
    /// Show what would change as a diff, values included, and write nothing
    #[arg(long, conflicts_with_all = ["print", "verify"])]
    pub dry_run: bool,
    /// Print the files and write nothing
    #[arg(long, conflicts_with = "verify")]
    pub print: bool,
    /// Run the consumer's own checker over the files, where one is installed
    #[arg(long)]
    pub verify: bool,
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
        "\nOne machine: systemd, or what its init system is. Containers on one machine: compose, quadlet. \
         More than one machine: kubernetes, nomad.",
    );
    text
}
