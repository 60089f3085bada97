//! The kinds of values that are lists.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;

use clap::builder::ValueParser;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Value as Json, json};

use super::{Invalid, Scalar, Takes, Value};
use crate::app::formation::{self, Part};

/// Names and values of environment variables.
pub type Variables = BTreeMap<String, String>;

impl Value for Vec<String> {
    const TAKES: Takes = Takes::List;

    fn parse(text: &str) -> Result<Self, Invalid> {
        Ok(vec![text.to_owned()])
    }

    fn show(&self) -> String {
        self.join(",")
    }

    fn schema() -> Json {
        json!({ "type": "array", "items": { "type": "string" } })
    }

    fn from_words(words: &[&OsStr]) -> Result<Self, Invalid> {
        Ok(words.iter().map(|word| word.to_string_lossy().into_owned()).collect())
    }

    fn from_toml<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::deserialize(from)
    }
}

/// An empty list is no file at all.
impl Value for Vec<PathBuf> {
    const TAKES: Takes = Takes::List;

    /// Reads `a,b`. Foreman splits at commas alone (cli.rb, `load_environment!`) and would look for ` .env`;
    /// spaces around a name are dropped here.
    fn parse(text: &str) -> Result<Self, Invalid> {
        let files = text.split(',').map(str::trim).filter(|file| !file.is_empty());
        Ok(files.map(PathBuf::from).collect())
    }

    fn show(&self) -> String {
        self.iter().map(Value::show).collect::<Vec<_>>().join(",")
    }

    fn schema() -> Json {
        Vec::<String>::schema()
    }

    fn parser() -> ValueParser {
        ValueParser::path_buf()
    }

    fn from_words(words: &[&OsStr]) -> Result<Self, Invalid> {
        Ok(words.iter().filter(|word| !word.is_empty()).map(PathBuf::from).collect())
    }

    fn from_toml<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::deserialize(from)
    }
}

impl Value for Variables {
    const TAKES: Takes = Takes::Each;

    fn parse(text: &str) -> Result<Self, Invalid> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                Ok(Self::from([(name.to_owned(), value.to_owned())]))
            }
            Some(_) | None => Err(Invalid::Assignment(text.to_owned())),
        }
    }

    /// Names only: values may be secrets.
    fn show(&self) -> String {
        self.keys().cloned().collect::<Vec<_>>().join(",")
    }

    fn schema() -> Json {
        json!({ "type": "object", "additionalProperties": { "type": ["string", "number", "boolean"] } })
    }

    fn from_words(words: &[&OsStr]) -> Result<Self, Invalid> {
        let mut all = Self::new();
        for word in words {
            all.append(&mut Self::parse(&word.to_string_lossy())?);
        }
        Ok(all)
    }

    fn from_toml<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(VariablesVisitor)
    }
}

/// Why something else is no table; `env` was once a list of files.
const NO_TABLE: &str = "`env` is a table of variables: `env = { NAME = \"value\" }`\
                        \nhint: env files are `env-files`, in [defaults]: `env-files = [\".env\"]`";

struct VariablesVisitor;

impl<'de> Visitor<'de> for VariablesVisitor {
    type Value = Variables;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of variables")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Variables, A::Error> {
        let mut variables = Variables::new();
        while let Some(name) = access.next_key()? {
            variables.insert(name, access.next_value::<VariableText>()?.0);
        }
        Ok(variables)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Variables, A::Error> {
        Err(de::Error::custom(NO_TABLE))
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Variables, E> {
        Err(de::Error::custom(NO_TABLE))
    }
}

/// The value of a variable.
struct VariableText(String);

impl<'de> Deserialize<'de> for VariableText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Scalar::deserialize(from)?.to_string();
        if text.contains('\0') {
            return Err(de::Error::custom("a value cannot hold a NUL"));
        }
        Ok(Self(text))
    }
}

impl Value for Vec<Part> {
    fn parse(text: &str) -> Result<Self, Invalid> {
        Ok(formation::parse(text)?)
    }

    fn show(&self) -> String {
        let shown = self.iter().map(|part| match &part.count {
            Some(count) => format!("{}={}", part.name, count.show()),
            None => part.name.clone(),
        });
        shown.collect::<Vec<_>>().join(",")
    }

    fn schema() -> Json {
        String::schema()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_set_at_the_first_equals_sign_and_needs_a_name() {
        let read = |words: &[&str]| {
            let words: Vec<_> = words.iter().map(OsStr::new).collect();
            Variables::from_words(&words).map_err(|invalid| invalid.to_string())
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let both = Variables::from([pair("D", "x=y"), pair("E", "")]);
        assert_eq!(read(&["D=1", "D=x=y", "E="]), Ok(both));
        for text in ["=x", "x", ""] {
            assert_eq!(read(&[text]), Err(format!("`{text}` is not KEY=VALUE")));
        }
    }
}
