//! The environment of an instance: an ordered map that remembers where each value came from.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;

/// Where a value came from, for `pm env`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The environment that pm itself was started with.
    Caller,
    /// A line of an env file.
    EnvFile {
        /// The file as it was named.
        path: Arc<PathBuf>,
        /// The line, from 1.
        line: usize,
    },
    /// `--set KEY=VALUE`
    Set,
    /// A config file, as a phrase: `pm.toml [process.web]`.
    Config(String),
    /// pm's own rule, as a phrase: `PORT`, the instance's name, a memory budget.
    Pm(&'static str),
    /// The same, put behind what was there: the value is in part the user's own.
    Appended(&'static str),
}

/// A value and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvValue {
    /// The bytes of the value.
    pub text: OsString,
    /// Where it came from.
    pub source: Source,
}

/// Variables by name. Later layers win: caller < env files in order < `--set` < type < PORT and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    vars: BTreeMap<OsString, EnvValue>,
}

impl Environment {
    /// Sets a variable, over what it was.
    pub fn set(&mut self, key: impl Into<OsString>, text: impl Into<OsString>, source: Source) {
        self.vars.insert(key.into(), EnvValue { text: text.into(), source });
    }

    /// Sets a variable that pm decides.
    pub(crate) fn set_by_pm(&mut self, key: &str, text: &str) {
        self.set(key, text, Source::Pm("instance"));
    }

    /// Lays `other` over this.
    pub fn extend(&mut self, other: &Self) {
        self.vars.extend(other.vars.iter().map(|(key, value)| (key.clone(), value.clone())));
    }

    /// Returns the value of a variable.
    pub fn get(&self, key: impl AsRef<OsStr>) -> Option<&EnvValue> {
        self.vars.get(key.as_ref())
    }

    /// Returns every variable, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&OsString, &EnvValue)> {
        self.vars.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_layer_wins_and_says_where_it_came_from() {
        let mut all = Environment::default();
        all.set("A", "caller", Source::Caller);
        all.set("B", "caller", Source::Caller);
        let mut over = Environment::default();
        over.set("A", "set", Source::Set);
        all.extend(&over);
        assert_eq!(
            all.get("A").map(|v| (v.text.clone(), v.source.clone())),
            Some(("set".into(), Source::Set))
        );
        assert_eq!(all.get("B").map(|v| v.source.clone()), Some(Source::Caller));
    }
}
