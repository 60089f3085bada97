//! What was typed, and what PM_* variables say: the two strongest layers of settings.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::args::{FileArgs, OutputArgs, ResourceArgs, SessionArgs};
use super::export::args::ExportArgs;
use super::load::Set;
use super::refusal;
use super::sources::Sources;
use crate::app::formation::{self, Count};
use crate::app::ports;
use crate::app::{CpuLimit, Nice, Size};
use crate::config::settings::{Session, Setting, Switch};
use crate::config::{Origin, Settings, TypeSettings, choice};
use crate::error::Error;
use crate::resources::PerType;

/// The two layers of one command line.
#[derive(Debug)]
pub(crate) struct Given<'a> {
    pub(crate) matches: &'a ArgMatches,
    pub(crate) sources: &'a Sources,
    pub(crate) flags: Settings,
    pub(crate) variables: Settings,
    /// The process types that each option names, to be checked when the Procfile is known.
    pub(crate) named: Vec<(&'static str, PerType<()>)>,
    /// The pm.toml that was named.
    pub(crate) config: Option<PathBuf>,
}

impl<'a> Given<'a> {
    /// Begins with nothing given. `matches` are those of the subcommand.
    pub(crate) fn new(matches: &'a ArgMatches, sources: &'a Sources) -> Self {
        Self {
            matches,
            sources,
            flags: Settings::default(),
            variables: Settings::default(),
            named: Vec::new(),
            config: None,
        }
    }

    /// Takes the pm.toml that was named.
    pub(crate) fn config(mut self, file: Option<&PathBuf>) -> Self {
        self.config = file.cloned();
        self
    }

    /// Takes the options on files.
    pub(crate) fn files(mut self, args: &FileArgs) -> Result<Self, Error> {
        self.session("procfile", args.procfile.clone(), |session| &mut session.procfile);
        self.session("root", args.root.clone(), |session| &mut session.root);
        // `-e ''` is no file at all, as in foreman.
        let env = args.env.iter().filter(|file| !file.as_os_str().is_empty()).cloned().collect();
        let env: Option<Vec<PathBuf>> = (!args.env.is_empty()).then_some(env);
        self.session("env", env, |session| &mut session.env);
        let mut set = BTreeMap::new();
        for text in &args.set {
            let Set { key, value, .. } = Set::parse(text)?;
            set.insert(key, value);
        }
        self.session("set", (!set.is_empty()).then_some(set), |session| &mut session.set);
        Ok(self)
    }

    /// Takes `-m` and `-p`.
    pub(crate) fn layout(
        mut self,
        formation: Option<&String>,
        port: Option<&String>,
    ) -> Result<Self, Error> {
        let formation = formation.map(|text| formation::parse(text)).transpose()?;
        let is_variable = self.layer("port").1 == Origin::Variable;
        let port = port.map(|text| {
            let option = if is_variable { "PM_PORT" } else { "`-p`" };
            ports::parse(text).ok_or_else(|| Error::Usage {
                reason: format!("`{text}` of {option} is not a port number"),
                hint: format!("{}: `-p 3000`", ports::HINT),
            })
        });
        let port = port.transpose()?;
        self.session("formation", formation, |session| &mut session.formation);
        self.session("port", port, |session| &mut session.port);
        Ok(self)
    }

    /// Takes every option of a session.
    pub(crate) fn all(self, args: &SessionArgs) -> Result<Self, Error> {
        let given = self.files(&args.files)?.layout(args.formation.as_ref(), args.port.as_ref())?;
        let mut given = given.resources(&args.resources)?.output(&args.output);
        given.session("except", some(&args.except), |session| &mut session.except);
        given.session("timeout", args.timeout, |session| &mut session.timeout);
        given.session("exit_on", args.exit_on, |session| &mut session.exit_on);
        given.switch("release", args.release, Switch::On, |session| &mut session.release);
        given.all_types("restart", args.restart, |own| &mut own.restart);
        given.all_types("max_restarts", args.max_restarts, |own| &mut own.max_restarts);
        given.all_types("pty", args.pty, |own| &mut own.pty);
        Ok(given)
    }

    /// Takes every option of `pm export` that a session has too.
    pub(crate) fn export(self, args: &ExportArgs) -> Result<Self, Error> {
        let given = self.config(args.config.config.as_ref()).files(&args.files)?;
        let given = given.layout(args.formation.as_ref(), args.port.as_ref())?;
        let mut given = given.resources(&args.resources)?;
        given.session("timeout", args.timeout, |session| &mut session.timeout);
        given.switch("release", args.release, Switch::On, |session| &mut session.release);
        given.all_types("restart", args.restart, |own| &mut own.restart);
        Ok(given)
    }

    fn output(mut self, args: &OutputArgs) -> Self {
        self.session("color", args.color, |session| &mut session.color);
        self.switch("no_timestamp", args.no_timestamp, Switch::Off, |s| &mut s.timestamp);
        self.switch("no_prefix", args.no_prefix, Switch::Off, |s| &mut s.prefix);
        self.session("timestamp_format", args.timestamp_format.clone(), |session| {
            &mut session.timestamp_format
        });
        self.session("quiet", some(&args.quiet), |session| &mut session.quiet);
        self
    }

    /// Takes the options on resources.
    pub(crate) fn resources(mut self, args: &ResourceArgs) -> Result<Self, Error> {
        self.per_type("--memory", &args.memory, Size::parse, |own| &mut own.memory)?;
        self.per_type("--memory-action", &args.memory_action, choice, |own| {
            &mut own.memory_action
        })?;
        self.per_type("--heap", &args.heap, Size::parse, |own| &mut own.heap)?;
        self.per_type("--gc", &args.gc, choice, |own| &mut own.gc)?;
        self.per_type("--concurrency", &args.concurrency, Count::parse, |own| {
            &mut own.concurrency
        })?;
        self.per_type("--nofile", &args.nofile, number_of_files, |own| &mut own.nofile)?;
        self.per_type("--nice", &args.nice, Nice::parse, |own| &mut own.nice)?;
        self.per_type("--cpus", &args.cpus, CpuLimit::parse, |own| &mut own.cpus)?;
        Ok(self)
    }

    fn layer(&mut self, id: &str) -> (&mut Settings, Origin) {
        match self.matches.value_source(id) {
            Some(ValueSource::EnvVariable) => (&mut self.variables, Origin::Variable),
            // clap's enum may grow; what is no variable was typed.
            Some(_) | None => (&mut self.flags, Origin::Flag),
        }
    }

    fn session<T>(
        &mut self,
        id: &str,
        value: Option<T>,
        slot: impl Fn(&mut Session) -> &mut Option<Setting<T>>,
    ) {
        let Some(value) = value else { return };
        let (layer, origin) = self.layer(id);
        *slot(&mut layer.session) = Some(Setting { value, origin });
    }

    /// A switch that was not touched says nothing; a variable may say the contrary: `PM_NO_PREFIX=0`.
    fn switch(
        &mut self,
        id: &str,
        is_set: bool,
        meaning: Switch,
        slot: impl Fn(&mut Session) -> &mut Option<Setting<Switch>>,
    ) {
        let value = match (is_set, meaning) {
            (true, meaning) => Some(meaning),
            (false, _) if self.matches.value_source(id) != Some(ValueSource::EnvVariable) => None,
            (false, Switch::On) => Some(Switch::Off),
            (false, Switch::Off) => Some(Switch::On),
        };
        self.session(id, value, slot);
    }

    fn all_types<T>(
        &mut self,
        id: &str,
        value: Option<T>,
        slot: impl Fn(&mut TypeSettings) -> &mut Option<Setting<T>>,
    ) {
        let Some(value) = value else { return };
        let (layer, origin) = self.layer(id);
        *slot(&mut layer.all) = Some(Setting { value, origin });
    }

    /// Takes `TYPE=VALUE,..`, of the flag and of its variable: what the flag leaves open, that may say.
    fn per_type<T: Clone, E: ToString>(
        &mut self,
        option: &'static str,
        given: &[String],
        read: impl Fn(&str) -> Result<T, E>,
        slot: impl Fn(&mut TypeSettings) -> &mut Option<Setting<T>>,
    ) -> Result<(), Error> {
        let id = option.trim_start_matches('-').replace('-', "_");
        let typed = match self.matches.value_source(&id) {
            Some(ValueSource::CommandLine) => given.join(","),
            // Whatever else it is, it was not typed.
            Some(_) | None => String::new(),
        };
        let variable = self.sources.var(&format!("PM_{}", id.to_ascii_uppercase()));
        let variable = variable.map(|text| text.to_string_lossy().into_owned()).unwrap_or_default();
        for (text, origin) in [(typed, Origin::Flag), (variable, Origin::Variable)] {
            let values =
                PerType::parse(&text, &read).map_err(|error| refusal::of_option(option, &error))?;
            let mut names = PerType::default();
            values.named().for_each(|(name, _)| names.set(name, ()));
            self.named.push((option, names));
            let layer = if origin == Origin::Flag { &mut self.flags } else { &mut self.variables };
            layer.put(&values, origin, &slot);
        }
        Ok(())
    }
}

fn some(list: &[String]) -> Option<Vec<String>> {
    (!list.is_empty()).then(|| list.to_vec())
}

fn number_of_files(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number of files"))
}
