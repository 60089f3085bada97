//! The settings that hold: what was said over pm.toml over .foreman, and where the files are by them.

use std::fmt;
use std::path::{Path, PathBuf};

use super::args::Tool;
use super::layers::CliLayers;
use super::load::{self, Files, SetVariable};
use super::sources::Sources;
use crate::app::formation::Part;
use crate::app::loaded::LoadedProcfile;
use crate::app::siblings::SessionFacts;
use crate::app::{Environment, Source, Stdio, Warning};
use crate::config::pm_toml::PmToml;
use crate::config::{Layers, Origin, SessionSettings, Setting};
use crate::error::Error;

/// All layers, resolved.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) layers: Layers,
    pub(crate) session: SessionSettings,
    /// Where the application's files are.
    pub(crate) files: Files,
    /// What was ignored in .foreman.
    pub(crate) warnings: Vec<Warning>,
    /// The arguments of `pm start`.
    pub(crate) named: Vec<Part>,
    /// Whose rules hold where no setting says otherwise.
    pub(crate) rules: Tool,
    /// What an instance has for input and output where `--pty` says `auto`, or nothing: a terminal where pm's
    /// own output is one.
    pub(crate) auto: Stdio,
    /// What is asked for alone runs, without what it depends on (`--no-deps`).
    pub(crate) without_dependencies: bool,
    /// Types that another session of this Procfile runs: nothing that depends on one brings it.
    pub(crate) elsewhere: Vec<String>,
    /// The base of all ports where nobody has said it: what pm has chosen, or a running session has.
    pub(crate) base: Option<u16>,
    /// What instances are told of the session. `None`: nothing, in files for another machine.
    pub(crate) facts: Option<SessionFacts>,
    cli: CliLayers,
    pm_toml: (PathBuf, PmToml),
}

/// Where something was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a file.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
    },
    /// By an option or its variable.
    Option(&'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Option(name) => write!(f, "`{name}`"),
        }
    }
}

impl Place {
    /// Returns the error that what is said there is wrong.
    pub(crate) fn error(self, reason: String, hint: Option<String>) -> Error {
        match self {
            Self::File { path, line, column } => {
                Error::ConfigLine { path, line, column, reason, hint }
            }
            Self::Option(name) => {
                Error::Refused { reason: format!("cannot use `{name}`: {reason}"), hint }
            }
        }
    }
}

impl Settings {
    /// Reads pm.toml and .foreman, and lays what was said over them. pm.toml stands in the root, which
    /// it cannot change; what it says of files is from there.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub(crate) fn read(mut cli: CliLayers, sources: &Sources) -> Result<Self, Error> {
        let cwd = &sources.cwd;
        let foreman = load::config::foreman(cwd)?;
        let flags = std::mem::take(&mut cli.flags);
        let variables = std::mem::take(&mut cli.variables);
        let outer = [flags, variables, foreman.layer];
        let session = Layers::new(outer.clone()).session();
        let files = Files {
            procfile: session.procfile.map(|procfile| procfile.value),
            root: session.root.map(|root| root.value),
            ..Files::default()
        };
        let root = files.root_as_typed();
        let (path, mut pm_toml) = load::config::pm_toml(cli.config.as_deref(), &root, cwd)?;
        let [flags, variables, foreman_layer] = outer;
        let layers =
            Layers::new([flags, variables, std::mem::take(&mut pm_toml.layer), foreman_layer]);
        let session = layers.session();
        let files = files_of(&session, &layers, files, &path);
        Ok(Self {
            layers,
            session,
            files,
            warnings: foreman.warnings,
            named: Vec::new(),
            rules: Tool::Pm,
            auto: Stdio::Pipes,
            without_dependencies: false,
            elsewhere: Vec::new(),
            base: None,
            facts: None,
            cli,
            pm_toml: (path, pm_toml),
        })
    }

    /// Reads the Procfile, which must have entries, and the env files. `say` gets what was ignored, also where
    /// an error follows.
    ///
    /// # Errors
    /// A file cannot be used, or an option is for a process type that the Procfile does not have.
    pub(crate) fn read_files(
        &self,
        sources: &Sources,
        say: impl FnOnce(&[Warning]),
    ) -> Result<(LoadedProcfile, Environment), Error> {
        let procfile = load::procfile(&self.files, &sources.cwd)?;
        let loaded = load::environment(&self.files, &sources.cwd, sources.environment())?;
        let warnings = self.warnings.iter().cloned().chain(procfile.warnings());
        say(&warnings.chain(loaded.warnings()).collect::<Vec<_>>());
        load::require_entries(&procfile)?;
        self.check_names(&procfile.names())?;
        Ok((procfile, loaded.environment))
    }

    /// Refuses options for process types that the Procfile does not have.
    pub(crate) fn check_names(&self, known: &[&str]) -> Result<(), Error> {
        self.cli.check_names(known)?;
        let (path, pm_toml) = &self.pm_toml;
        Ok(pm_toml.check_names(known, path)?)
    }

    /// Returns where an entry of `depends-on` or `watch` was said, by its position.
    pub(crate) fn place_of_entry(&self, name: &str, key: &str, origin: Origin, at: usize) -> Place {
        let (path, pm_toml) = &self.pm_toml;
        let (flag, variable) = match key {
            "watch" => ("--watch", "PM_WATCH"),
            _ => ("--depends-on", "PM_DEPENDS_ON"),
        };
        match (origin, pm_toml.place_of_entry(name, key, at)) {
            (Origin::PmToml | Origin::Foreman, Some((line, column))) => {
                Place::File { path: path.clone(), line, column }
            }
            (Origin::Variable, _) => Place::Option(variable),
            (Origin::Flag | Origin::PmToml | Origin::Foreman, _) => Place::Option(flag),
        }
    }

    /// Returns where the variables of a process type come from, for `pm env`. Only pm.toml can have any.
    pub(crate) fn source_of_env(&self, name: &str) -> Source {
        Source::Config(format!("{} [process.{name}.env]", self.pm_toml.0.display()))
    }
}

/// Adds to `outer`, whose root is known, what the resolved settings say.
fn files_of(session: &SessionSettings, layers: &Layers, outer: Files, pm_toml: &Path) -> Files {
    let root = outer.root_as_typed();
    let from_root = |origin: Origin, path: &PathBuf| match origin {
        Origin::PmToml => root.join(path),
        Origin::Flag | Origin::Variable | Origin::Foreman => path.clone(),
    };
    let procfile = session.procfile.as_ref();
    let env = session.env_files.as_ref();
    let env = env.map(|env| env.value.iter().map(|path| from_root(env.origin, path)).collect());
    let set = layers.env().flat_map(|set| {
        set.value.iter().map(|(key, value)| SetVariable {
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
