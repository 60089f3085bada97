//! Values of config files: what a number or a word means for each kind of setting, said once for
//! the reader and for the JSON schema.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use clap::ValueEnum;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::app::Signal;
use crate::app::formation::{self, Count, Part};
use crate::app::ports;
use crate::app::{CpuLimit, Nice, Size};

/// A single value as the file has it.
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
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

/// A kind of setting that is read from a single value.
pub(super) trait FromScalar: Sized {
    /// Reads it, or says why not as a lowercase fragment.
    fn from_scalar(scalar: &Scalar) -> Result<Self, String>;
    /// Describes what can be written.
    fn schema() -> Schema;
}

/// A setting of a kind that pm.toml reads by [`FromScalar`].
#[derive(Clone, Debug)]
pub(super) struct Value<T>(pub(super) T);

impl<'de, T: FromScalar> Deserialize<'de> for Value<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let scalar = Scalar::deserialize(deserializer)?;
        T::from_scalar(&scalar).map(Self).map_err(de::Error::custom)
    }
}

impl<T: FromScalar> JsonSchema for Value<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        std::any::type_name::<T>().into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        T::schema()
    }
}

/// Names and values of variables.
#[derive(Clone, Debug, Default)]
pub(super) struct Table(pub(super) BTreeMap<String, Value<String>>);

/// Why something else is no [`Table`]; `env` was once a list of files.
pub(super) const NO_TABLE: &str = "`env` is a table of variables: `env = { NAME = \"value\" }`";

struct TableVisitor;

impl<'de> Visitor<'de> for TableVisitor {
    type Value = Table;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of variables")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Table, A::Error> {
        let mut variables = BTreeMap::new();
        while let Some((name, value)) = access.next_entry()? {
            variables.insert(name, value);
        }
        Ok(Table(variables))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Table, A::Error> {
        Err(de::Error::custom(NO_TABLE))
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Table, E> {
        Err(de::Error::custom(NO_TABLE))
    }
}

impl<'de> Deserialize<'de> for Table {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TableVisitor)
    }
}

impl JsonSchema for Table {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Table".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        BTreeMap::<String, Value<String>>::json_schema(generator)
    }
}

/// A setting that is one of a few words.
#[derive(Clone, Debug)]
pub(super) struct Choice<T>(pub(super) T);

impl<T: ValueEnum> Choice<T> {
    fn words() -> Vec<String> {
        let possible = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        possible.map(|value| value.get_name().to_owned()).collect()
    }
}

impl<'de, T: ValueEnum> Deserialize<'de> for Choice<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        choice(&text).map(Self).map_err(de::Error::custom)
    }
}

/// Reads one of the words of `T`, or says which there are.
pub(crate) fn choice<T: ValueEnum>(text: &str) -> Result<T, String> {
    T::from_str(text, false).map_err(|_| {
        let words: Vec<_> = Choice::<T>::words().iter().map(|word| format!("`{word}`")).collect();
        format!("`{text}` is not one of {}", words.join(", "))
    })
}

impl<T: ValueEnum> JsonSchema for Choice<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        std::any::type_name::<T>().into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": Self::words() })
    }
}

/// Returns the word of a choice, as it is written.
pub(super) fn word<T: ValueEnum>(value: T) -> String {
    value.to_possible_value().map_or_else(String::new, |possible| possible.get_name().to_owned())
}

impl FromScalar for String {
    fn from_scalar(scalar: &Scalar) -> Result<Self, String> {
        let text = scalar.to_string();
        if text.contains('\0') { Err("a value cannot hold a NUL".to_owned()) } else { Ok(text) }
    }

    fn schema() -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

impl FromScalar for Size {
    fn from_scalar(scalar: &Scalar) -> Result<Self, String> {
        Self::parse(&scalar.to_string()).map_err(|error| error.to_string())
    }

    fn schema() -> Schema {
        json_schema!({
            "type": ["string", "number"],
            "exclusiveMinimum": 0,
            "pattern": "^\\s*[0-9]+(\\.[0-9]+)?\\s*([bB]|[kKmMgGtT]([iI]?[bB])?)?\\s*$"
        })
    }
}

impl FromScalar for Duration {
    fn from_scalar(scalar: &Scalar) -> Result<Self, String> {
        let text = scalar.to_string();
        let seconds = text.trim().parse::<f64>().ok();
        let duration = seconds.and_then(|seconds| Self::try_from_secs_f64(seconds).ok());
        duration.ok_or_else(|| format!("`{text}` is not a number of seconds"))
    }

    fn schema() -> Schema {
        json_schema!({ "type": "number", "minimum": 0 })
    }
}

impl FromScalar for Signal {
    fn from_scalar(scalar: &Scalar) -> Result<Self, String> {
        let text = scalar.to_string();
        Self::parse(&text).ok_or_else(|| format!("there is no signal `{text}`"))
    }

    fn schema() -> Schema {
        json_schema!({ "type": ["string", "integer"] })
    }
}

impl FromScalar for Count {
    fn from_scalar(scalar: &Scalar) -> Result<Self, String> {
        Self::parse(&scalar.to_string()).map_err(|error| error.to_string())
    }

    fn schema() -> Schema {
        json_schema!({ "anyOf": [{ "type": "integer", "minimum": 0, "maximum": u16::MAX }, { "const": "auto" }] })
    }
}

impl FromScalar for Vec<Part> {
    fn from_scalar(scalar: &Scalar) -> Result<Self, String> {
        formation::parse(&scalar.to_string()).map_err(|error| error.to_string())
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string" })
    }
}

impl FromScalar for CpuLimit {
    fn from_scalar(scalar: &Scalar) -> Result<Self, String> {
        Self::parse(&scalar.to_string()).map_err(|error| error.to_string())
    }

    fn schema() -> Schema {
        json_schema!({ "type": ["string", "number"], "exclusiveMinimum": 0 })
    }
}

/// The port of the first instance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Port(pub(super) u16);

/// How the reason for a number that is no port ends.
pub(super) const NO_PORT: &str = "is not a port number";

impl FromScalar for Port {
    fn from_scalar(scalar: &Scalar) -> Result<Self, String> {
        let text = scalar.to_string();
        ports::parse(&text).map(Self).ok_or_else(|| format!("`{text}` {NO_PORT}"))
    }

    fn schema() -> Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": u16::MAX })
    }
}

impl FromScalar for Nice {
    fn from_scalar(scalar: &Scalar) -> Result<Self, String> {
        Self::parse(&scalar.to_string()).map_err(|error| error.to_string())
    }

    fn schema() -> Schema {
        json_schema!({ "type": "integer", "minimum": -20, "maximum": 19 })
    }
}
