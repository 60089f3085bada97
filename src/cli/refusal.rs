//! What other modules refuse, as errors of a command: they know nothing of [`Error`].

use std::error::Error as Source;

use crate::app::formation::FormationError;
use crate::config::ConfigError;
use crate::error::Error;
use crate::export::ExportError;
use crate::resources::per_type::PerTypeError;

impl From<FormationError> for Error {
    fn from(error: FormationError) -> Self {
        Self::Refused { reason: error.to_string(), hint: Some(error.hint()) }
    }
}

impl From<ConfigError> for Error {
    fn from(ConfigError { path, line, column, reason, hint }: ConfigError) -> Self {
        Self::ConfigLine { path, line, column, reason, hint }
    }
}

impl From<ExportError> for Error {
    fn from(error: ExportError) -> Self {
        Self::Refused { reason: with_causes(&error), hint: error.hint() }
    }
}

/// Returns why an option such as `--memory web=512M` cannot be used.
pub(super) fn of_option(option: &str, error: &PerTypeError) -> Error {
    let hint = match error {
        PerTypeError::Unknown { nearest: Some(nearest), .. } => {
            format!("did you mean `{nearest}`?")
        }
        _ => format!("write `{option} web=VALUE,all=VALUE`; `pm start --help` lists the values"),
    };
    Error::Refused { reason: format!("cannot use `{option}`: {error}"), hint: Some(hint) }
}

/// Returns what went wrong, with its causes.
pub(super) fn with_causes(error: &dyn Source) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(&format!(": {source}"));
        cause = source.source();
    }
    text
}
