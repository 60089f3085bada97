//! A value that an option can have: how it is read from each layer, shown and described.

mod amount;
mod kinds;
mod lists;
mod probes;
mod proxy;
mod share;
mod time_format;
mod watch;

use std::ffi::OsStr;
use std::fmt;

use clap::builder::ValueParser;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde_json::Value as Json;

use super::layers::{Origin, Setting};
use super::spec::Takes;
use crate::app::formation::FormationError;
use crate::app::ports;
pub use amount::Amount;
pub use kinds::{Color, Keys, Port, Pty, Switch};
pub(crate) use kinds::{seconds, whole};
pub use lists::Variables;
pub use probes::{Dependencies, LiveProbe, Time};
pub use proxy::ProxyChoice;
pub use share::SharedHost;
pub use time_format::TimeFormat;
pub use watch::WatchedFiles;

/// Why a text cannot be the value of an option; a lowercase fragment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// No port.
    #[error("`{0}` is not a port number")]
    Port(String),
    /// No formation.
    #[error(transparent)]
    Formation(#[from] FormationError),
    /// No variable with its value.
    #[error("`{0}` is not KEY=VALUE")]
    Assignment(String),
    /// No amount of disk space.
    #[error("`{0}` is not an amount of disk space")]
    DiskSpace(String),
    /// No format of a time.
    #[error("`{text}` is not a valid time format: {reason}")]
    TimeFormat {
        /// What was typed.
        text: String,
        /// Why not.
        reason: String,
    },
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl Invalid {
    /// Returns what to do about it, wherever it was said.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Port(_) => Some(ports::HINT),
            Self::DiskSpace(_) => {
                Some("write a number with K, M, G or T, such as `64M`; a bare number is MiB")
            }
            Self::TimeFormat { .. } => {
                Some("write it as in strftime(3): `%H:%M:%S`; a percent sign is `%%`")
            }
            Self::Formation(_) | Self::Assignment(_) | Self::Other(_) => None,
        }
    }
}

/// What stands between the reason and the hint in an error of serde, which has room for a text alone.
pub(super) const HINT: &str = "\nhint: ";

/// Makes serde's error of it.
fn refusal<E: de::Error>(invalid: &Invalid) -> E {
    match invalid.hint() {
        Some(hint) => E::custom(format!("{invalid}{HINT}{hint}")),
        None => E::custom(invalid),
    }
}

/// Reads the value of one option from a layer.
pub trait Read {
    /// Why it cannot be read.
    type Error;
    /// Reads it.
    ///
    /// # Errors
    /// It is no value of this kind.
    fn read<T: Value>(self) -> Result<Setting<T>, Self::Error>;
}

/// The words of a flag or of its variable.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a> {
    /// At least one; clap has split lists.
    pub words: &'a [&'a OsStr],
    /// Which of the two.
    pub origin: Origin,
}

impl Read for Words<'_> {
    type Error = Invalid;

    fn read<T: Value>(self) -> Result<Setting<T>, Invalid> {
        T::from_words(self.words).map(|value| Setting { value, origin: self.origin })
    }
}

/// A kind of value.
pub trait Value: Sized {
    /// How many values its flag takes.
    const TAKES: Takes = Takes::One;

    /// Reads it as it is typed, and as a single value of a file stands there.
    ///
    /// # Errors
    /// The text is no such value.
    fn parse(text: &str) -> Result<Self, Invalid>;

    /// Returns it as it is written.
    fn show(&self) -> String;

    /// Describes what can be written in pm.toml, in JSON schema.
    fn schema() -> Json;

    /// Lets clap read one value of its flag.
    fn parser() -> ValueParser {
        ValueParser::string()
    }

    /// Reads all values of its flag, of which there is at least one; clap has read each before.
    ///
    /// # Errors
    /// One of them is no such value.
    fn from_words(words: &[&OsStr]) -> Result<Self, Invalid> {
        Self::parse(&words.last().copied().unwrap_or_default().to_string_lossy())
    }

    /// Reads it from pm.toml.
    ///
    /// # Errors
    /// It is no such value.
    fn from_toml<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Scalar::deserialize(from)?.to_string();
        Self::parse(&text).map_err(|invalid| refusal(&invalid))
    }
}

/// A single value as a file has it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number}"),
            Self::Bool(value) => write!(f, "{value}"),
        }
    }
}

struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a single value")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar::Integer(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Scalar, E> {
        Ok(i64::try_from(value).map_or_else(|_| Scalar::Text(value.to_string()), Scalar::Integer))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Scalar, E> {
        Ok(Scalar::Float(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(value.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ScalarVisitor)
    }
}
