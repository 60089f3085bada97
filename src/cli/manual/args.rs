//! Arguments of `pm man`.

use std::path::PathBuf;

use clap::Args;

/// `pm man`
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write pm.1, pm-start.1, ... and pm.toml.5 here
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
}
