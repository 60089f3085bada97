//! The settings that hold: what was given over pm.toml over .foreman, and where the files are by them.

use std::path::{Path, PathBuf};

use super::given::Given;
use super::load::{self, Files, Set};
use super::refusal;
use crate::app::{Source, Warning};
use crate::config::pm_toml::PmToml;
use crate::config::settings::{self, Session};
use crate::config::{Layers, Origin, Setting};
use crate::error::Error;
use crate::resources::PerType;

/// All layers, merged.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) layers: Layers,
    pub(crate) session: Session,
    /// Where the application's files are.
    pub(crate) files: Files,
    /// What was passed over in .foreman.
    pub(crate) warnings: Vec<Warning>,
    named: Vec<(&'static str, PerType<()>)>,
    pm_toml: (PathBuf, PmToml),
}

impl Settled {
    /// Reads pm.toml and .foreman, and lays what was given over them. pm.toml stands in the root, which
    /// it cannot change; what it says of files is from there.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub(crate) fn read(given: Given<'_>) -> Result<Self, Error> {
        let cwd = &given.sources.cwd;
        let foreman = load::config::foreman(cwd)?;
        let outer = [given.flags, given.variables, foreman.settings];
        let session = settings::merge(outer.clone()).session();
        let files = Files {
            procfile: value(session.procfile),
            root: value(session.root),
            ..Files::default()
        };
        let root = files.root_as_typed();
        let (path, mut read) = load::config::pm_toml(given.config.as_deref(), &root, cwd)?;
        let [flags, variables, foreman_settings] = outer;
        let from_toml = std::mem::take(&mut read.settings);
        let layers = settings::merge([flags, variables, from_toml, foreman_settings]);
        let session = layers.session();
        let files = files_of(&session, &layers, files, &path);
        Ok(Self {
            layers,
            session,
            files,
            warnings: foreman.warnings,
            named: given.named,
            pm_toml: (path, read),
        })
    }

    /// Refuses options for process types that the Procfile does not have.
    pub(crate) fn check_names(&self, known: &[&str]) -> Result<(), Error> {
        for (option, names) in &self.named {
            names.check(known).map_err(|error| refusal::of_option(option, &error))?;
        }
        let (path, read) = &self.pm_toml;
        Ok(read.check_names(known, path)?)
    }

    /// Returns where the variables of a process type come from, for `pm env`. Only pm.toml can have any.
    pub(crate) fn source_of_env(&self, name: &str) -> Source {
        Source::Config(format!("{} [process.{name}.env]", self.pm_toml.0.display()))
    }
}

fn value<T>(setting: Option<Setting<T>>) -> Option<T> {
    setting.map(|setting| setting.value)
}

/// Adds to `outer`, whose root is known, what the merged settings say.
fn files_of(session: &Session, layers: &Layers, outer: Files, pm_toml: &Path) -> Files {
    let root = outer.root_as_typed();
    let from_root = |origin: Origin, path: &PathBuf| match origin {
        Origin::PmToml => root.join(path),
        Origin::Flag | Origin::Variable | Origin::Foreman => path.clone(),
    };
    let procfile = session.procfile.as_ref();
    let env = session
        .env
        .as_ref()
        .map(|env| env.value.iter().map(|path| from_root(env.origin, path)).collect());
    let set = layers.set().flat_map(|set| {
        set.value.iter().map(|(key, value)| Set {
            key: key.clone(),
            value: value.clone(),
            source: match set.origin {
                Origin::PmToml => Source::Config(format!("{} [defaults.env]", pm_toml.display())),
                Origin::Flag | Origin::Variable | Origin::Foreman => Source::Set,
            },
        })
    });
    Files {
        // A Procfile that pm.toml names in a folder below does not move the root there.
        root: match procfile {
            Some(Setting { origin: Origin::PmToml, .. }) => outer.root.or(Some(root.clone())),
            Some(_) | None => outer.root,
        },
        procfile: procfile.map(|setting| from_root(setting.origin, &setting.value)),
        env,
        set: set.collect(),
    }
}
