//! Turns the errors of other modules, which do not know [`Error`], into errors of a command.

use std::error::Error as Source;

use crate::app::formation::FormationError;
use crate::app::ports;
use crate::config::per_type::PerTypeError;
use crate::config::spec::{Flag, Spec, Takes};
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
            | FormationError::Nothing
            | FormationError::AllExcluded { .. } => Self::Refused { reason, hint },
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

/// An option as it was said: the flag, or the variable that stands for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct SaidOption {
    pub(super) spec: &'static Spec,
    pub(super) flag: Flag,
    pub(super) origin: Origin,
}

impl SaidOption {
    /// Returns its name: `--memory`, `PM_MEMORY`.
    fn name(self) -> String {
        match self.origin {
            Origin::Variable => self.flag.variable.to_owned(),
            Origin::Flag | Origin::PmToml | Origin::Foreman => format!("--{}", self.flag.long),
        }
    }

    /// Returns how it is written: `--memory web=1G`, `--proxy=web`, `PM_MEMORY=web=1G`.
    fn with(self, value: &str) -> String {
        let is_equals_required = self.origin == Origin::Variable || self.flag.alone.is_some();
        let between = if is_equals_required { '=' } else { ' ' };
        format!("{}{between}{value}", self.name())
    }

    /// Returns why it cannot have a value.
    pub(super) fn refusal(self, invalid: Invalid) -> Error {
        let hint = invalid.hint().map(str::to_owned);
        match invalid {
            Invalid::Port(text) => {
                let option =
                    if self.origin == Origin::Variable { self.flag.variable } else { "`-p`" };
                Error::Usage {
                    reason: format!("`{text}` of {option} is not a port number"),
                    hint: format!("{}: `-p 3000`", ports::HINT),
                }
            }
            // As of what is typed without a flag.
            Invalid::Formation(error) => error.into(),
            Invalid::Assignment(_)
            | Invalid::DiskSpace(_)
            | Invalid::TimeFormat { .. }
            | Invalid::Other(_) => Error::Usage {
                reason: format!("cannot use `{}`: {invalid}", self.name()),
                hint: hint.unwrap_or_else(|| {
                    format!("write `{}`; see `pm start --help`", self.with(self.flag.value))
                }),
            },
        }
    }

    /// Returns why `TYPE=VALUE` cannot be used.
    pub(super) fn per_type_refusal(self, error: &PerTypeError) -> Error {
        let reason = format!("cannot use `{}`: {error}", self.name());
        let value = match (self.spec.takes, self.flag.alone) {
            (_, Some(_)) => "web=PORT",
            (Takes::Nothing, None) => "TYPE,TYPE",
            (Takes::Each | Takes::List, None) => "web=VALUE",
            (Takes::One, None) => "web=VALUE,all=VALUE",
        };
        match error {
            PerTypeError::Unknown { nearest, known, .. } => {
                let hint = match nearest {
                    Some(nearest) => format!("did you mean `{nearest}`?"),
                    None => format!("the Procfile has: {}", known.join(", ")),
                };
                Error::UnknownName { reason, hint: Some(hint) }
            }
            PerTypeError::Part { .. } | PerTypeError::Value { .. } => Error::Usage {
                reason,
                hint: format!("write `{}`; `pm start --help` lists the values", self.with(value)),
            },
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::flags;

    fn said(long: &str, origin: Origin) -> SaidOption {
        let (spec, flag) = flags::all().find(|(_, flag)| flag.long == long).unwrap();
        SaidOption { spec, flag, origin }
    }

    #[test]
    fn a_hint_says_how_the_option_or_its_variable_is_written() {
        let error = PerTypeError::Part { part: "x".to_owned() };
        for (long, origin, expected) in [
            ("memory", Origin::Flag, "`--memory web=VALUE,all=VALUE`"),
            ("memory", Origin::Variable, "`PM_MEMORY=web=VALUE,all=VALUE`"),
            ("proxy", Origin::Flag, "`--proxy=web=PORT`"),
            ("proxy", Origin::Variable, "`PM_PROXY=web=PORT`"),
            ("watch", Origin::Flag, "`--watch web=VALUE`"),
            ("ready", Origin::Flag, "`--ready web=VALUE`"),
            ("once", Origin::Flag, "`--once TYPE,TYPE`"),
        ] {
            let refusal = said(long, origin).per_type_refusal(&error);
            let hint = refusal.hint().unwrap();
            assert!(hint.starts_with(&format!("write {expected}; ")), "{long}: {hint}");
            assert_eq!(refusal.exit_code(), 2, "{long}");
            let name = if origin == Origin::Flag { "`--" } else { "`PM_" };
            assert!(refusal.to_string().starts_with(&format!("cannot use {name}")), "{refusal}");
        }
    }

    #[test]
    fn a_value_that_is_none_is_a_usage_error_that_says_what_to_write() {
        for (long, origin, invalid, reason, hint) in [
            (
                "keep",
                Origin::Flag,
                Invalid::DiskSpace("lots".to_owned()),
                "cannot use `--keep`: `lots` is not an amount of disk space",
                "write a number with K, M, G or T, such as `64M`; a bare number is MiB",
            ),
            (
                "set",
                Origin::Variable,
                Invalid::Assignment("FOO".to_owned()),
                "cannot use `PM_SET`: `FOO` is not KEY=VALUE",
                "write `PM_SET=KEY=VALUE`; see `pm start --help`",
            ),
        ] {
            let refusal = said(long, origin).refusal(invalid);
            assert_eq!((refusal.to_string().as_str(), refusal.exit_code()), (reason, 2));
            assert_eq!(refusal.hint().as_deref(), Some(hint));
        }
    }
}
