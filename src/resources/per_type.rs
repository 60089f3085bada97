//! A value for each process type, as flags give it: `web=512M,worker=1G,all=256M`, or bare `512M`.

use std::collections::BTreeMap;

use crate::app::nearest::nearest;

/// Values by process type, and one for the types that are not named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerType<T> {
    all: Option<T>,
    named: BTreeMap<String, T>,
}

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
    },
}

impl<T> Default for PerType<T> {
    fn default() -> Self {
        Self { all: None, named: BTreeMap::new() }
    }
}

impl<T> PerType<T> {
    /// Splits at commas and reads each value with `read`; a part without `=` is for all types. The
    /// later of two parts of one name wins.
    pub fn parse<E: ToString>(
        text: &str,
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Self, PerTypeError> {
        let mut parsed = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or(("all", part));
            let (name, value) = (name.trim(), value.trim());
            if name.is_empty() || value.is_empty() {
                return Err(PerTypeError::Part { part: part.to_owned() });
            }
            let value = read(value).map_err(|e| PerTypeError::Value {
                name: name.to_owned(),
                reason: e.to_string(),
            })?;
            parsed.set(name, value);
        }
        Ok(parsed)
    }

    /// Sets the value of a type, or with `all` that of the types that are not named.
    pub fn set(&mut self, name: &str, value: T) {
        if name == "all" {
            self.all = Some(value);
        } else {
            self.named.insert(name.to_owned(), value);
        }
    }

    /// Returns the value of a type: its own, else that of all.
    pub fn of(&self, name: &str) -> Option<&T> {
        self.named.get(name).or(self.all.as_ref())
    }

    /// Returns the value for the types that are not named.
    pub fn all(&self) -> Option<&T> {
        self.all.as_ref()
    }

    /// Returns the named values, by name.
    pub fn named(&self) -> impl Iterator<Item = (&str, &T)> {
        self.named.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Refuses a name that is not one of `known`.
    pub fn check(&self, known: &[&str]) -> Result<(), PerTypeError> {
        match self.named.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => Err(PerTypeError::Unknown {
                name: name.clone(),
                nearest: nearest(name, known.iter().copied()).map(str::to_owned),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Size;

    fn mib(text: &str, name: &str) -> Result<Option<u64>, String> {
        let parsed = PerType::parse(text, Size::parse).map_err(|e| e.to_string())?;
        Ok(parsed.of(name).map(|size| size.mib()))
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

    #[test]
    fn a_type_that_the_procfile_lacks_is_refused_with_the_nearest() {
        let parsed = PerType::parse("wokrer=1G", Size::parse).unwrap();
        let unknown =
            PerTypeError::Unknown { name: "wokrer".into(), nearest: Some("worker".into()) };
        assert_eq!(parsed.check(&["web", "worker"]), Err(unknown));
    }
}
