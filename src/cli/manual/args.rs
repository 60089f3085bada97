//! Arguments of `pm man`.

#![expect(missing_docs, reason = "a flattened group says what it is at its type")]

use std::path::PathBuf;

use clap::Args;

use crate::cli::json::JsonArgs;

/// `pm man`
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write pm.1, pm-start.1, ... and pm.toml.5 here
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
    #[command(flatten)]
    pub json: JsonArgs,
}
