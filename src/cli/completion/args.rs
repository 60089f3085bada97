//! Arguments of `pm completions`.

#![expect(missing_docs, reason = "a flattened group says what it is at its type")]

use clap::{Args, ValueEnum};

use crate::cli::json::JsonArgs;

/// `pm completions`
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: Shell,
    #[command(flatten)]
    pub json: JsonArgs,
}

/// A shell that can ask pm what could follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}
