//! Turns the errors of other modules, which do not know [`Error`], into errors of a command.

use std::error::Error as Source;

use crate::app::formation::FormationError;
use crate::app::ports;
use crate::config::per_type::PerTypeError;
use crate::config::spec::Flag;
use crate::config::value::Invalid;
use crate::config::{ConfigError, Origin};
use crate::error::Error;
use crate::export::ExportError;

impl From<FormationError> for Error {
    fn from(error: FormationError) -> Self {
        let (reason, hint) = (error.to_string(), Some(error.hint()));
        match error {
            FormationError::Unknown { .. } => Self::UnknownName { reason, hint },
            FormationError::Count { .. }
            | FormationError::NoName { .. }
            | FormationError::OnlyRelease
            | FormationError::Nothing => Self::Refused { reason, hint },
        }
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

/// Returns why a flag, or its variable, cannot have a value.
pub(super) fn of_flag(flag: Flag, origin: Origin, invalid: Invalid) -> Error {
    let reason = invalid.to_string();
    match invalid {
        Invalid::Port(text) => {
            let option = if origin == Origin::Variable { flag.variable } else { "`-p`" };
            Error::Usage {
                reason: format!("`{text}` of {option} is not a port number"),
                hint: format!("{}: `-p 3000`", ports::HINT),
            }
        }
        Invalid::Formation(error) => error.into(),
        Invalid::Assignment(_) => {
            Error::Refused { reason, hint: Some("write `--set KEY=VALUE`".to_owned()) }
        }
        Invalid::Other(_) => Error::Refused { reason, hint: None },
    }
}

/// Returns why a flag such as `--memory web=512M` cannot be used.
pub(super) fn of_per_type(flag: &str, error: &PerTypeError) -> Error {
    let hint = match error {
        PerTypeError::Unknown { nearest: Some(nearest), .. } => {
            format!("did you mean `{nearest}`?")
        }
        _ => {
            let value = match flag {
                "once" => "TYPE,TYPE",
                "ready" | "depends-on" => "web=VALUE",
                _ => "web=VALUE,all=VALUE",
            };
            format!("write `--{flag} {value}`; `pm start --help` lists the values")
        }
    };
    Error::Refused { reason: format!("cannot use `--{flag}`: {error}"), hint: Some(hint) }
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
