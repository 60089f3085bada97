//! The kinds of values that say which files are watched.

use std::ffi::OsStr;
use std::fmt;

use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde_json::{Value as Json, json};

use super::{Invalid, Takes, Value};
use crate::app::file_watch::WatchAction;

/// Globs, of which none is every file; `None`: no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedFiles(pub Option<Vec<String>>);

/// Each time that the flag is given it adds globs.
impl Value for WatchedFiles {
    const TAKES: Takes = Takes::Each;

    fn parse(text: &str) -> Result<Self, Invalid> {
        let globs = || text.split(',').map(str::trim).filter(|glob| !glob.is_empty());
        Ok(match text {
            "true" | "on" => Self(Some(Vec::new())),
            "false" | "off" => Self(None),
            _ => Self(Some(globs().map(str::to_owned).collect())),
        })
    }

    fn show(&self) -> String {
        match &self.0 {
            None => "false".to_owned(),
            Some(globs) if globs.is_empty() => "true".to_owned(),
            Some(globs) => globs.join(","),
        }
    }

    fn schema() -> Json {
        let text = json!({ "type": "string" });
        json!({ "anyOf": [{ "type": "boolean" }, text, { "type": "array", "items": text }] })
    }

    fn from_words(words: &[&OsStr]) -> Result<Self, Invalid> {
        let mut all = Self(None);
        for word in words {
            match (Self::parse(&word.to_string_lossy())?.0, &mut all.0) {
                (Some(mut more), Some(globs)) if !more.is_empty() => globs.append(&mut more),
                (said, _) => all.0 = said,
            }
        }
        Ok(all)
    }

    fn from_toml<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(GlobsVisitor)
    }
}

struct GlobsVisitor;

impl<'de> Visitor<'de> for GlobsVisitor {
    type Value = WatchedFiles;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false, a glob or a list of globs")
    }

    fn visit_bool<E: de::Error>(self, is_on: bool) -> Result<WatchedFiles, E> {
        Ok(WatchedFiles(is_on.then(Vec::new)))
    }

    fn visit_str<E: de::Error>(self, glob: &str) -> Result<WatchedFiles, E> {
        Ok(WatchedFiles(Some(vec![glob.to_owned()])))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<WatchedFiles, A::Error> {
        let mut globs = Vec::new();
        while let Some(glob) = access.next_element::<String>()? {
            globs.push(glob);
        }
        // An empty list is no file at all, and not every file.
        Ok(WatchedFiles((!globs.is_empty()).then_some(globs)))
    }
}

impl Value for WatchAction {
    fn parse(text: &str) -> Result<Self, Invalid> {
        Self::parse(text).map_err(Invalid::Other)
    }

    fn show(&self) -> String {
        self.to_string()
    }

    fn schema() -> Json {
        String::schema()
    }
}
