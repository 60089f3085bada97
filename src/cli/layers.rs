//! The two strongest layers of settings: the command line and PM_* variables.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::flags;
use super::refusal::SaidOption;
use super::sources::Sources;
use crate::config::spec::{Flag, Spec, Takes};
use crate::config::value::Words;
use crate::config::{Layer, Origin, per_type};
use crate::error::Error;

/// The two layers of one command line.
#[derive(Debug, Default)]
pub(crate) struct CliLayers {
    pub(super) flags: Layer,
    pub(super) variables: Layer,
    /// The process types that each flag names, to be checked when the Procfile is known.
    pub(super) named: Vec<(SaidOption, Vec<String>)>,
    /// The pm.toml that was named.
    pub(super) config: Option<PathBuf>,
}

impl CliLayers {
    /// Takes what was said of each setting that the subcommand has; `matches` are the subcommand's.
    ///
    /// # Errors
    /// A value cannot be used.
    pub(crate) fn read(matches: &ArgMatches, sources: &Sources) -> Result<Self, Error> {
        let mut layers = Self { config: path(matches, "config"), ..Self::default() };
        for (spec, flag) in flags::all() {
            // A command that does not have it.
            if !matches.ids().any(|id| id == flag.long) {
                continue;
            }
            match flag.is_per_type {
                true => layers.per_type(spec, flag, matches, sources)?,
                false => layers.value(spec, flag, matches)?,
            }
        }
        Ok(layers)
    }

    fn layer(&mut self, origin: Origin) -> &mut Layer {
        match origin {
            Origin::Variable => &mut self.variables,
            Origin::Flag | Origin::PmToml | Origin::Foreman => &mut self.flags,
        }
    }

    fn value(
        &mut self,
        spec: &'static Spec,
        flag: Flag,
        matches: &ArgMatches,
    ) -> Result<(), Error> {
        let origin = match matches.value_source(flag.long) {
            Some(ValueSource::CommandLine) => Origin::Flag,
            Some(ValueSource::EnvVariable) => Origin::Variable,
            // clap's enum may grow; the rest is what nobody said.
            Some(_) | None => return Ok(()),
        };
        let words: Vec<&OsStr> = match spec.takes {
            // A variable may say the contrary: `PM_NO_PREFIX=0`.
            Takes::Nothing if matches.get_flag(flag.long) != flag.is_negative => {
                vec![OsStr::new("on")]
            }
            Takes::Nothing => vec![OsStr::new("off")],
            Takes::One | Takes::Each | Takes::List => {
                matches.get_raw(flag.long).into_iter().flatten().collect()
            }
        };
        let words = Words { words: &words, origin };
        self.layer(origin)
            .set(spec, words)
            .map_err(|invalid| SaidOption { spec, flag, origin }.refusal(invalid))
    }

    /// Takes `TYPE=VALUE,..`, of the flag and of its variable: what the flag leaves open, that may say. Of what is not
    /// split at commas, each line of the variable is one.
    fn per_type(
        &mut self,
        spec: &'static Spec,
        flag: Flag,
        matches: &ArgMatches,
        sources: &Sources,
    ) -> Result<(), Error> {
        let typed: Vec<&str> = match matches.value_source(flag.long) {
            Some(ValueSource::CommandLine) => {
                let values = matches.get_many::<String>(flag.long).into_iter().flatten();
                values.map(String::as_str).collect()
            }
            // Whatever else it is, it was not typed.
            Some(_) | None => Vec::new(),
        };
        let variable = sources.var(flag.variable).unwrap_or_default().to_string_lossy();
        let lines: Vec<&str> = variable.lines().collect();
        for (texts, origin) in [(typed, Origin::Flag), (lines, Origin::Variable)] {
            let names = per_type::set(self.layer(origin), spec, &texts, origin);
            let option = SaidOption { spec, flag, origin };
            let names = names.map_err(|error| option.per_type_refusal(&error))?;
            self.named.push((option, names));
        }
        Ok(())
    }

    /// Refuses flags for process types that the Procfile does not have.
    pub(super) fn check_names(&self, known: &[&str]) -> Result<(), Error> {
        for (option, names) in &self.named {
            for name in names {
                per_type::check(name, known).map_err(|error| option.per_type_refusal(&error))?;
            }
        }
        Ok(())
    }
}

/// Returns the path that an argument names, typed or in its variable.
pub(super) fn path(matches: &ArgMatches, id: &str) -> Option<PathBuf> {
    matches.try_get_one::<PathBuf>(id).ok()?.cloned()
}
