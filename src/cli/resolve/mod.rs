//! Turns settings, files and surroundings into an [`App`]. Pure: [`super::load`] has read the files.

mod dependencies;
pub(crate) mod log_style;
mod process;

use std::path::PathBuf;

use super::args::Tool;
use super::settings::Settings;
use crate::app::formation::{self, FormationError, Wish};
use crate::app::ports;
use crate::app::procfile::ProcfileEntry;
use crate::app::{App, Environment, ExitOn, Role, Source, Stdio};
use crate::config::TypeSettings;
use crate::config::value::{Port, Switch};
use crate::error::Error;
use crate::resources::cpus;
use process::process_type;

/// Heroku's name for the command that runs once before a version starts.
const RELEASE: &str = "release";
/// foreman's base port.
const BASE_PORT: u16 = 5000;

/// Makes the application with one instance of one type, for a look at it. `at` is its position.
pub(crate) fn one_of(
    settings: &Settings,
    root: PathBuf,
    entries: Vec<ProcfileEntry>,
    environment: Environment,
    at: usize,
) -> Result<App, Error> {
    let mut counts = vec![0; entries.len()];
    if let Some(count) = counts.get_mut(at) {
        *count = 1;
    }
    with_counts(settings, root, entries, environment, &counts)
}

/// What `pm start` runs.
#[derive(Debug)]
pub(crate) struct Resolved {
    /// The application.
    pub(crate) app: App,
    /// Positions of the types that run only because others depend on them.
    pub(crate) brought: Vec<u16>,
}

impl Resolved {
    /// Says which types run because others depend on them.
    pub(crate) fn brought_notice(&self) -> Option<String> {
        dependencies::brought_notice(&self.app, &self.brought)
    }

    /// Says that, and what counts as ready since it cannot be asked.
    pub(crate) fn notices(&self) -> Vec<String> {
        let unasked = dependencies::unasked_notices(&self.app);
        self.brought_notice().into_iter().chain(unasked).collect()
    }
}

/// Makes the application that `pm start` runs.
pub(crate) fn app(
    settings: &Settings,
    root: PathBuf,
    entries: Vec<ProcfileEntry>,
    environment: Environment,
) -> Result<Resolved, Error> {
    let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    let wish = wish(settings);
    let release = names.iter().position(|name| is_release(settings, name));
    let mut default = default_counts(settings, &names);
    if let Some(at) = release {
        default[at] = u16::from(runs_release(settings));
    }
    let counts = wish.counts(&names, cpus::available, &default);
    let mut counts = counts.map_err(|error| match error {
        FormationError::Nothing
            if names == [RELEASE] && default == [0] && wish.except.is_empty() =>
        {
            FormationError::OnlyRelease
        }
        _ => error,
    })?;
    if let Some(at) = release {
        let is_excepted = wish.except.iter().any(|name| name == RELEASE);
        let is_wanted = runs_release(settings) || names_release(&wish) && counts[at] > 0;
        counts[at] = u16::from(!is_excepted && is_wanted);
        if counts.iter().all(|count| *count == 0) {
            return Err(FormationError::Nothing.into());
        }
    }
    for name in settings.session.quiet.iter().flat_map(|quiet| &quiet.value) {
        formation::position(&names, name)?;
    }
    let mut brought = Vec::new();
    if !settings.without_dependencies {
        let graph = dependencies::graph(settings, &names).map_err(first)?;
        let companions = wish.companions(&names, cpus::available, &default)?;
        let is_elsewhere = |at: usize| settings.elsewhere.iter().any(|name| name == names[at]);
        let is_excluded = |at: usize| companions[at] == 0 || is_elsewhere(at);
        brought = dependencies::brought(&counts, &graph, is_excluded);
        for at in brought.iter().map(|at| usize::from(*at)) {
            counts[at] = companions[at];
        }
    }
    let app = with_counts(settings, root, entries, environment, &counts)?;
    Ok(Resolved { app, brought })
}

/// Returns everything that is wrong with `depends-on`.
pub(crate) fn dependency_errors(settings: &Settings, names: &[&str]) -> Vec<Error> {
    dependencies::graph(settings, names).err().unwrap_or_default()
}

fn first(errors: Vec<Error>) -> Error {
    let unknown = Error::Refused { reason: "`depends-on` cannot be used".to_owned(), hint: None };
    errors.into_iter().next().unwrap_or(unknown)
}

/// Says that `release` is there and does not run, where nobody spoke of it.
pub(crate) fn release_notice(settings: &Settings, app: &App) -> Option<String> {
    let wish = wish(settings);
    let is_there = app.types.iter().any(|own| is_release(settings, &own.name));
    let is_spoken_of = runs_release(settings) || names_release(&wish) || !wish.named.is_empty();
    (is_there && !is_spoken_of).then(|| {
        "`release` is not started; use `--release`, or name it, to run it first".to_owned()
    })
}

fn wish(settings: &Settings) -> Wish {
    let except = settings.session.except.as_ref();
    Wish {
        formation: settings.layers.formation(),
        named: settings.named.clone(),
        except: except.map(|except| except.value.clone()).unwrap_or_default(),
    }
}

fn runs_release(settings: &Settings) -> bool {
    settings.session.release.as_ref().is_some_and(|release| release.value == Switch::On)
}

fn names_release(wish: &Wish) -> bool {
    wish.formation.iter().chain(&wish.named).any(|part| part.name == RELEASE)
}

/// Returns what a type is for.
fn role(settings: &Settings, name: &str, own: &TypeSettings) -> Role {
    let has_needs = own.depends_on.as_ref().is_some_and(|needs| !needs.value.0.is_empty());
    match own.once.as_ref().map(|once| once.value) {
        // It runs before the others, but behind those that it depends on.
        _ if is_release(settings, name) && has_needs => Role::Once,
        _ if is_release(settings, name) => Role::Release,
        Some(Switch::On) => Role::Once,
        Some(Switch::Off) | None => Role::Service,
    }
}

/// `release` is nothing special to foreman.
fn is_release(settings: &Settings, name: &str) -> bool {
    match settings.rules {
        Tool::Pm => name == RELEASE,
        Tool::Foreman => false,
    }
}

/// Returns how many instances of each run where nothing is asked: the type's `concurrency`, else 1.
fn default_counts(settings: &Settings, names: &[&str]) -> Vec<u16> {
    let count = |name: &&str| settings.layers.of_type(name).concurrency;
    let number = |name| count(name).map_or(1, |count| count.value.number(cpus::available));
    names.iter().map(number).collect()
}

fn with_counts(
    settings: &Settings,
    root: PathBuf,
    entries: Vec<ProcfileEntry>,
    environment: Environment,
    counts: &[u16],
) -> Result<App, Error> {
    let session = &settings.session;
    let base_port = base_port(session.port.as_ref().map(|port| port.value), &environment)?;
    let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    let mut graph = dependencies::graph(settings, &names).map_err(first)?;
    let release = names.iter().position(|name| is_release(settings, name));
    if let Some(at) = release.filter(|at| counts[*at] > 0) {
        dependencies::put_before_others(at, &mut graph);
    }
    let types = entries.into_iter().zip(counts);
    let types =
        types.map(|(entry, &count)| process_type(settings, entry, count, &root, &environment));
    let mut types = types.collect::<Result<Vec<_>, _>>()?;
    for (own, depends_on) in types.iter_mut().zip(graph) {
        own.policy.depends_on = depends_on;
    }
    let exit_on = session.exit_on.as_ref().map_or(
        match (settings.rules, settings.auto) {
            (Tool::Foreman, _) => ExitOn::First,
            // Who sees a failure there may repair it and restart that one.
            (Tool::Pm, Stdio::Terminal) => ExitOn::All,
            (Tool::Pm, Stdio::Pipes) => ExitOn::Failure,
        },
        |exit_on| exit_on.value,
    );
    Ok(App { root, types, environment, base_port, exit_on })
}

/// Returns `-p`, else PORT of the env files, else PORT of the caller, else 5000.
fn base_port(option: Option<Port>, environment: &Environment) -> Result<u16, Error> {
    if let Some(Port(port)) = option {
        return Ok(port);
    }
    let Some(value) = environment.get("PORT").filter(|value| !value.text.is_empty()) else {
        return Ok(BASE_PORT);
    };
    let text = value.text.to_string_lossy();
    ports::parse(&text).ok_or_else(|| {
        let origin = match &value.source {
            Source::EnvFile { path, line } => format!("at {}:{line}", path.display()),
            Source::Set => "of `--set`".to_owned(),
            Source::Config(place) => format!("of {place}"),
            Source::Caller | Source::Pm(_) | Source::Appended(_) => "of the environment".to_owned(),
        };
        Error::Refused {
            reason: format!("PORT `{text}` {origin} is not a port number"),
            hint: Some(format!("{}; PORT is the base of all ports", ports::HINT)),
        }
    })
}

/// Makes sure that every instance has a port, before anything starts.
pub(crate) fn check_ports(app: &App) -> Result<(), Error> {
    match app.instances().find(|id| app.port_of(*id).is_none()) {
        None => Ok(()),
        Some(id) => {
            let offset = crate::app::ports::PORTS_PER_TYPE * u32::from(id.process_type)
                + u32::from(id.number)
                - 1;
            Err(Error::PortRange {
                instance: app.name_of(id),
                port: u32::from(app.base_port) + offset,
            })
        }
    }
}
