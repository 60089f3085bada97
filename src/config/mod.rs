//! The settings: [`table`] says each option once, and what pm.toml and .foreman say of them are layers under
//! the flags.
//! Nothing here reads a file, knows of the command line, or acts on a setting.

use std::path::PathBuf;

pub mod foreman;
pub mod layers;
pub mod per_type;
pub mod pm_toml;
pub mod schema;
pub mod spec;
pub mod table;
pub mod value;

pub use layers::{Layer, Layers, Origin, Setting, SettingLine};
pub use spec::Spec;
pub use table::{SessionSettings, TypeSettings};

/// A place in a config file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}:{column}: {reason}", path.display())]
pub struct ConfigError {
    /// The file as it was named.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong: a lowercase fragment.
    pub reason: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Returns line and column, both from 1, of a byte offset; past the end counts as the end.
pub(crate) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let end = (0..=offset.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    let before = &text[..end];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
