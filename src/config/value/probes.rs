//! The kinds of values that say when an instance is ready, what it depends on and whether it is alive.

use std::ffi::OsStr;
use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde_json::{Value as Json, json};

use super::{Invalid, Takes, Value, refusal};
use crate::app::readiness::{self, Probe, ProbeError};

/// A probe that can be asked again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveProbe(pub Probe);

/// The entries of `depends-on`, as they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dependencies(pub Vec<String>);

/// Some time, in seconds or with a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub Duration);

fn probe(text: &str) -> Result<Probe, Invalid> {
    Probe::parse(text).map_err(|error| Invalid::Other(error.to_string()))
}

/// Each time that the flag is given it adds one: a probe may have commas in it.
impl Value for Vec<Probe> {
    const TAKES: Takes = Takes::Each;

    fn parse(text: &str) -> Result<Self, Invalid> {
        probe(text).map(|probe| vec![probe])
    }

    fn show(&self) -> String {
        self.iter().map(Probe::to_string).collect::<Vec<_>>().join(", ")
    }

    fn schema() -> Json {
        one_or_more()
    }

    fn from_words(words: &[&OsStr]) -> Result<Self, Invalid> {
        words.iter().map(|word| probe(&word.to_string_lossy())).collect()
    }

    fn from_toml<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        texts(from, probe)
    }
}

impl Value for LiveProbe {
    fn parse(text: &str) -> Result<Self, Invalid> {
        let wrong = match Probe::parse(text) {
            Ok(probe) if probe.may_be_repeated() => return Ok(Self(probe)),
            Ok(_) => "cannot be checked repeatedly",
            Err(ProbeError::Kind { .. }) => "is not a check",
            Err(error @ ProbeError::Form { .. }) => return Err(Invalid::Other(error.to_string())),
        };
        let reason = format!("`{text}` {wrong}: `live` is one of http:, cmd:, port, notify");
        Err(Invalid::Other(reason))
    }

    fn show(&self) -> String {
        self.0.to_string()
    }

    fn schema() -> Json {
        String::schema()
    }
}

impl Value for Dependencies {
    const TAKES: Takes = Takes::Each;

    fn parse(text: &str) -> Result<Self, Invalid> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        Ok(Self(entries.map(str::to_owned).collect()))
    }

    fn show(&self) -> String {
        self.0.join(",")
    }

    fn schema() -> Json {
        one_or_more()
    }

    fn from_words(words: &[&OsStr]) -> Result<Self, Invalid> {
        let mut all = Self::default();
        for word in words {
            all.0.append(&mut Self::parse(&word.to_string_lossy())?.0);
        }
        Ok(all)
    }

    fn from_toml<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        texts(from, |text| Ok(text.to_owned())).map(Self)
    }
}

impl Value for Time {
    fn parse(text: &str) -> Result<Self, Invalid> {
        let time = readiness::seconds(text).filter(|time| !time.is_zero());
        time.map(Self).ok_or_else(|| {
            Invalid::Other(format!("`{text}` is not a time over 0, such as `60` or `\"2s\"`"))
        })
    }

    fn show(&self) -> String {
        self.0.as_secs_f64().to_string()
    }

    fn schema() -> Json {
        json!({ "type": ["number", "string"], "exclusiveMinimum": 0 })
    }
}

impl Value for NonZeroU32 {
    fn parse(text: &str) -> Result<Self, Invalid> {
        text.parse().map_err(|_| Invalid::Other(format!("`{text}` is not a number from 1")))
    }

    fn show(&self) -> String {
        self.to_string()
    }

    fn schema() -> Json {
        json!({ "type": "integer", "minimum": 1 })
    }
}

fn one_or_more() -> Json {
    let text = json!({ "type": "string" });
    json!({ "anyOf": [text, { "type": "array", "items": text }] })
}

/// Reads a text or a list of them.
fn texts<'de, D: Deserializer<'de>, T>(
    from: D,
    read: fn(&str) -> Result<T, Invalid>,
) -> Result<Vec<T>, D::Error> {
    from.deserialize_any(TextsVisitor { read })
}

struct TextsVisitor<T> {
    read: fn(&str) -> Result<T, Invalid>,
}

impl<'de, T> Visitor<'de> for TextsVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of them")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<T>, E> {
        (self.read)(text).map(|one| vec![one]).map_err(|invalid| refusal(&invalid))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Vec<T>, A::Error> {
        let mut all = Vec::new();
        while let Some(text) = access.next_element::<String>()? {
            all.push((self.read)(&text).map_err(|invalid| refusal(&invalid))?);
        }
        Ok(all)
    }
}
