//! A value for each process type, as flags give it: `web=512M,worker=1G,all=256M`, or bare `512M`.

use std::collections::BTreeMap;
use std::ffi::OsStr;

use super::layers::{Layer, Origin};
use super::spec::{Spec, Takes};
use super::value::Words;
use crate::app::nearest::nearest;

/// Why a text gives no value for each type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PerTypeError {
    /// No name before the `=`, or nothing behind it.
    #[error("`{part}` is not TYPE=VALUE")]
    Part {
        /// What was typed.
        part: String,
    },
    /// The value of a type cannot be read.
    #[error("{reason} (for `{name}`)")]
    Value {
        /// The process type, or `all`.
        name: String,
        /// Why not: a lowercase fragment.
        reason: String,
    },
    /// No such process type in the Procfile.
    #[error("no process type `{name}` in the Procfile")]
    Unknown {
        /// What was typed.
        name: String,
        /// The nearest that there is.
        nearest: Option<String>,
        /// All that there are.
        known: Vec<String>,
    },
}

/// Splits a part into the name of a type and its value. One without `=` is the value of `all` types; of a switch it
/// is the type.
fn pair(part: &str, takes: Takes) -> Result<(&str, &str), PerTypeError> {
    let pair = match (part.split_once('='), takes) {
        (Some((name, value)), _) => (name.trim(), value.trim()),
        (None, Takes::Nothing) => (part, "on"),
        (None, Takes::One) => ("all", part),
        (None, Takes::Each | Takes::List) => ("", part),
    };
    match pair {
        ("", _) | (_, "") => Err(PerTypeError::Part { part: part.to_owned() }),
        pair => Ok(pair),
    }
}

/// Returns what a text stands for where the flag may stand alone: its variable says that as yes, and the contrary as no.
fn whole<'a>(text: &'a str, alone: Option<&'a str>) -> &'a str {
    match (text.trim().to_ascii_lowercase().as_str(), alone) {
        ("1" | "true" | "yes" | "on" | "y" | "t", Some(alone)) => alone,
        ("0" | "false" | "no" | "off" | "n" | "f", Some(_)) => "all=off",
        (_, _) => text,
    }
}

/// Refuses a name that is not one of `known`, nor `all`.
///
/// # Errors
/// With the nearest that there is.
pub fn check(name: &str, known: &[&str]) -> Result<(), PerTypeError> {
    if name == "all" || known.contains(&name) {
        return Ok(());
    }
    let nearest = nearest(name, known.iter().copied()).map(str::to_owned);
    let known = known.iter().map(|&known| known.to_owned()).collect();
    Err(PerTypeError::Unknown { name: name.to_owned(), nearest, known })
}

/// Puts what the flag or the variable of `spec` says into its layer, and returns the types that it names. Each of
/// `texts` is split at commas, but where a type may have several values. The later of two values of one type wins, or
/// comes to the others.
///
/// # Errors
/// A part is not `TYPE=VALUE`, or its value cannot be used.
pub fn set(
    layer: &mut Layer,
    spec: &Spec,
    texts: &[&str],
    origin: Origin,
) -> Result<Vec<String>, PerTypeError> {
    let is_split = !matches!(spec.takes, Takes::Each);
    let alone = spec.flag.and_then(|flag| flag.alone);
    let texts = texts.iter().map(|text| whole(text, alone));
    let parts = texts.flat_map(|text| match is_split {
        true => text.split(',').collect(),
        false => vec![text],
    });
    let mut values: BTreeMap<&str, Vec<&OsStr>> = BTreeMap::new();
    for part in parts.map(str::trim).filter(|part| !part.is_empty()) {
        let (name, value) = pair(part, spec.takes)?;
        let words = values.entry(name).or_default();
        words.push(OsStr::new(value));
        let words = Words { words, origin };
        layer.of_type(name).set(spec, words).map_err(|invalid| PerTypeError::Value {
            name: name.to_owned(),
            reason: invalid.to_string(),
        })?;
    }
    Ok(values.into_keys().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Layers, TypeSettings};

    fn mib(text: &str, name: &str) -> Result<Option<u64>, String> {
        let mut layer = Layer::default();
        let spec = TypeSettings::TABLE.iter().find(|spec| spec.key == "memory").unwrap();
        set(&mut layer, spec, &[text], Origin::Variable).map_err(|error| error.to_string())?;
        let memory = Layers::new([layer]).of_type(name).memory;
        assert!(memory.as_ref().is_none_or(|memory| memory.origin == Origin::Variable));
        Ok(memory.map(|memory| memory.value.mib()))
    }

    #[test]
    fn a_type_has_its_own_value_or_that_of_all() {
        let table = [
            ("web=512M,worker=1G,all=256M", "web", Some(512)),
            ("web=512M,worker=1G,all=256M", "worker", Some(1024)),
            ("web=512M,worker=1G,all=256M", "clock", Some(256)),
            ("512M", "web", Some(512)),
            ("512M, web=1G", "web", Some(1024)),
            ("web=512M", "worker", None),
            ("web=1G,web=2G", "web", Some(2048)),
            (" , ", "web", None),
        ];
        for (text, name, expected) in table {
            assert_eq!(mib(text, name), Ok(expected), "{text} {name}");
        }
    }

    #[test]
    fn nonsense_names_the_type() {
        assert_eq!(
            mib("web=lots", "web"),
            Err("`lots` is not an amount of memory (for `web`)".into())
        );
        assert_eq!(mib("=1G", "web"), Err("`=1G` is not TYPE=VALUE".into()));
        assert_eq!(mib("web=", "web"), Err("`web=` is not TYPE=VALUE".into()));
    }

    /// Reads what a flag was given, and returns what `web` has of it.
    fn of_web(key: &str, texts: &[&str]) -> Result<Option<String>, String> {
        let mut layer = Layer::default();
        let spec = TypeSettings::TABLE.iter().find(|spec| spec.key == key).unwrap();
        set(&mut layer, spec, texts, Origin::Flag).map_err(|error| error.to_string())?;
        let lines = Layers::new([layer]).of_type("web").lines();
        Ok(lines.first().map(|line| line.value.clone()))
    }

    #[test]
    fn what_a_type_may_have_several_of_is_taken_whole_and_all_of_it_counts() {
        for (key, texts, expected) in [
            ("ready", &["web=log:a,b=c"][..], "log:a,b=c"),
            (
                "ready",
                &["web=port", "api=notify", "web=http:/up=200,401"],
                "port, http:/up=200,401",
            ),
            ("depends-on", &["web=db, redis", "web=api:started"], "db,redis,api:started"),
            ("once", &["api,web"], "on"),
            ("once", &["web=false"], "off"),
            ("live", &["web=port,api=notify"], "port"),
            ("ready-timeout", &["web=2s,api=3", "web=500ms"], "0.5"),
        ] {
            assert_eq!(of_web(key, texts), Ok(Some(expected.to_owned())), "{key} {texts:?}");
        }
        for (text, expected) in [
            ("web", "on"),
            ("web=8080", "8080"),
            ("all=auto", "auto"),
            ("1", "auto"),
            ("false", "off"),
        ] {
            assert_eq!(of_web("proxy", &[text]), Ok(Some(expected.to_owned())), "{text}");
        }
        for (key, text) in [("ready", "port"), ("depends-on", "db"), ("ready", "web=")] {
            assert_eq!(of_web(key, &[text]), Err(format!("`{text}` is not TYPE=VALUE")));
        }
    }

    #[test]
    fn a_type_that_the_procfile_lacks_is_refused_with_the_nearest() {
        let unknown = PerTypeError::Unknown {
            name: "wokrer".into(),
            nearest: Some("worker".into()),
            known: vec!["web".into(), "worker".into()],
        };
        assert_eq!(check("wokrer", &["web", "worker"]), Err(unknown));
        assert_eq!(check("all", &["web"]), Ok(()));
    }
}
