//! The kinds of values, but for lists.

use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use clap::builder::{EnumValueParser, ValueParser};
use serde::de::{Deserialize, Deserializer};
use serde_json::{Value as Json, json};

use super::{Invalid, Takes, Value, refusal};
use crate::app::formation::Count;
use crate::app::{
    CpuLimit, ExitOn, Gc, MemoryAction, Nice, OnDependencyRestart, Reach, Restart, Signal, Size,
    Update, ports,
};

/// Something that is shown or done, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// Yes
    On,
    /// No
    Off,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On
    Always,
    /// On if pm writes to a terminal; NO_COLOR, FORCE_COLOR and CLICOLOR_FORCE override this
    Auto,
    /// Off
    Never,
}

/// When an instance gets a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Pty {
    /// If pm writes to a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// When pm takes single keys of its terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Keys {
    /// If stdin and stdout are one terminal; not where TERM is `dumb` or CI is set
    Auto,
    /// Never
    Never,
}

/// The port of the first instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// This one.
    Number(u16),
    /// One that pm chooses and keeps for the root.
    Auto,
}

/// How [`Port::Auto`] is written.
const AUTO: &str = "auto";

/// Returns the words of an enum.
fn words<T: ValueEnum>() -> Vec<String> {
    T::value_variants().iter().map(word).collect()
}

fn word<T: ValueEnum>(value: &T) -> String {
    value.to_possible_value().map_or_else(String::new, |possible| possible.get_name().to_owned())
}

fn word_of<T: ValueEnum>(text: &str) -> Result<T, Invalid> {
    T::from_str(text, false).map_err(|_| {
        let words: Vec<_> = words::<T>().iter().map(|word| format!("`{word}`")).collect();
        Invalid::Other(format!("`{text}` is not one of {}", words.join(", ")))
    })
}

/// Values that are one of a few words.
macro_rules! words {
    ($($name:ty),+) => {$(
        impl Value for $name {
            fn parse(text: &str) -> Result<Self, Invalid> {
                word_of(text)
            }

            fn show(&self) -> String {
                word(self)
            }

            fn schema() -> Json {
                json!({ "type": "string", "enum": words::<Self>() })
            }

            fn parser() -> ValueParser {
                EnumValueParser::<Self>::new().into()
            }

            fn from_toml<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                word_of(&String::deserialize(from)?).map_err(|invalid| refusal(&invalid))
            }
        }
    )+};
}

words!(Color, ExitOn, Gc, Keys, MemoryAction, OnDependencyRestart, Pty, Reach, Restart, Update);

/// Values with a parser of their own, which are shown by `Display`.
macro_rules! parsed {
    ($($name:ty = $schema:tt,)+) => {$(
        impl Value for $name {
            fn parse(text: &str) -> Result<Self, Invalid> {
                Self::parse(text).map_err(other)
            }

            fn show(&self) -> String {
                self.to_string()
            }

            fn schema() -> Json {
                json!($schema)
            }
        }
    )+};
}

parsed! {
    Size = {
        "type": ["string", "number"],
        "exclusiveMinimum": 0,
        "pattern": "^\\s*[0-9]+(\\.[0-9]+)?\\s*([bB]|[kKmMgGtT]([iI]?[bB])?)?\\s*$"
    },
    CpuLimit = { "type": ["string", "number"], "exclusiveMinimum": 0 },
    Nice = { "type": "integer", "minimum": -20, "maximum": 19 },
}

/// Whole numbers, which pm.toml has as such.
macro_rules! numbers {
    ($($name:ty = $what:literal, $format:literal;)+) => {$(
        impl Value for $name {
            fn parse(text: &str) -> Result<Self, Invalid> {
                text.parse().map_err(|_| Invalid::Other(format!(concat!("`{}` is not ", $what), text)))
            }

            fn show(&self) -> String {
                self.to_string()
            }

            fn schema() -> Json {
                json!({ "type": "integer", "format": $format, "minimum": 0 })
            }

            fn parser() -> ValueParser {
                ValueParser::new(whole::<Self>)
            }

            fn from_toml<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                Self::deserialize(from)
            }
        }
    )+};
}

numbers! {
    u32 = "a number of restarts", "uint32";
    u64 = "a number of files", "uint64";
}

impl Value for Switch {
    const TAKES: Takes = Takes::Nothing;

    fn parse(text: &str) -> Result<Self, Invalid> {
        match text {
            "on" | "true" | "yes" | "1" => Ok(Self::On),
            "off" | "false" | "no" | "0" => Ok(Self::Off),
            _ => Err(Invalid::Other(format!("`{text}` is neither true nor false"))),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::On => "on".to_owned(),
            Self::Off => "off".to_owned(),
        }
    }

    fn schema() -> Json {
        json!({ "type": "boolean" })
    }

    fn from_toml<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(if bool::deserialize(from)? { Self::On } else { Self::Off })
    }
}

impl Value for String {
    fn parse(text: &str) -> Result<Self, Invalid> {
        Ok(text.to_owned())
    }

    fn show(&self) -> String {
        self.clone()
    }

    fn schema() -> Json {
        json!({ "type": "string" })
    }

    fn from_toml<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::deserialize(from)
    }
}

impl Value for PathBuf {
    fn parse(text: &str) -> Result<Self, Invalid> {
        Ok(Self::from(text))
    }

    fn show(&self) -> String {
        self.display().to_string()
    }

    fn schema() -> Json {
        String::schema()
    }

    fn parser() -> ValueParser {
        ValueParser::path_buf()
    }

    fn from_words(words: &[&OsStr]) -> Result<Self, Invalid> {
        Ok(words.last().map(Self::from).unwrap_or_default())
    }

    fn from_toml<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::deserialize(from)
    }
}

impl Value for Port {
    fn parse(text: &str) -> Result<Self, Invalid> {
        if text.trim() == AUTO {
            return Ok(Self::Auto);
        }
        ports::parse(text).map(Self::Number).ok_or_else(|| Invalid::Port(text.to_owned()))
    }

    fn show(&self) -> String {
        match self {
            Self::Number(port) => port.to_string(),
            Self::Auto => AUTO.to_owned(),
        }
    }

    fn schema() -> Json {
        json!({ "anyOf": [{ "type": "integer", "minimum": 1, "maximum": u16::MAX }, { "const": AUTO }] })
    }
}

impl Value for Duration {
    fn parse(text: &str) -> Result<Self, Invalid> {
        let seconds = text.trim().parse::<f64>().ok();
        let duration = seconds.and_then(|seconds| Self::try_from_secs_f64(seconds).ok());
        duration.ok_or_else(|| Invalid::Other(format!("`{text}` is not a number of seconds")))
    }

    fn show(&self) -> String {
        self.as_secs_f64().to_string()
    }

    fn schema() -> Json {
        json!({ "type": "number", "minimum": 0 })
    }

    fn parser() -> ValueParser {
        ValueParser::new(seconds)
    }
}

/// Reads a number of seconds, whole or with a fraction, for clap, which names the text itself.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| "not a number of seconds from 0".to_owned())
}

/// Reads a whole number, for clap, which names the text itself.
pub(crate) fn whole<T: FromStr>(text: &str) -> Result<T, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let reason = if is_number { "too large a number" } else { "not a whole number from 0" };
    text.parse().map_err(|_| reason.to_owned())
}

fn other(error: impl fmt::Display) -> Invalid {
    Invalid::Other(error.to_string())
}

impl Value for Count {
    fn parse(text: &str) -> Result<Self, Invalid> {
        Self::parse(text).map_err(other)
    }

    fn show(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Auto => "auto".to_owned(),
        }
    }

    fn schema() -> Json {
        json!({ "anyOf": [{ "type": "integer", "minimum": 0, "maximum": u16::MAX }, { "const": "auto" }] })
    }
}

impl Value for Signal {
    fn parse(text: &str) -> Result<Self, Invalid> {
        Self::parse(text).ok_or_else(|| Invalid::Other(format!("there is no signal `{text}`")))
    }

    fn show(&self) -> String {
        self.to_string()
    }

    fn schema() -> Json {
        json!({ "type": ["string", "integer"] })
    }
}
