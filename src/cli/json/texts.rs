//! The answers of commands whose answer is a text: pages, scripts.

use schemars::JsonSchema;
use serde::Serialize;

use super::CommandAnswer;

/// `pm completions`
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Completions")]
pub(crate) struct CompletionsAnswer {
    /// The script, for the shell that was named.
    script: String,
}

impl CompletionsAnswer {
    /// Returns the answer that is this script, which is UTF-8.
    pub(crate) fn of(script: &[u8]) -> Self {
        Self { script: String::from_utf8_lossy(script).into_owned() }
    }
}

impl CommandAnswer for CompletionsAnswer {
    type Object = Self;

    fn text(&self) -> Vec<u8> {
        self.script.clone().into_bytes()
    }

    fn object(self) -> Self {
        self
    }
}

/// `pm man`
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Manual")]
pub(crate) struct ManualAnswer {
    /// The roff source of pm(1); null where all pages were written to a folder.
    pub(crate) page: Option<String>,
    /// The files that were written, by their names.
    pub(crate) written: Vec<String>,
}

impl CommandAnswer for ManualAnswer {
    type Object = Self;

    fn text(&self) -> Vec<u8> {
        self.page.clone().unwrap_or_default().into_bytes()
    }

    fn object(self) -> Self {
        self
    }
}
