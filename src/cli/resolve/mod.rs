//! Turns settings, files and surroundings into an [`App`]. Pure: [`super::load`] has read the files.

mod dependencies;
mod front;
pub(crate) mod log_style;
mod process;

use std::path::PathBuf;

use super::args::Tool;
use super::settings::Settings;
use crate::app::environment::EnvValue;
use crate::app::formation::{self, FormationError, Wish};
use crate::app::lint::BaseOrigin;
use crate::app::ports::{self, BASE_PORT};
use crate::app::procfile::ProcfileEntry;
use crate::app::{App, Environment, ExitOn, InstanceId, PortSlot, Role, Source, Stdio, siblings};
use crate::config::value::{Port, Switch};
use crate::config::{Origin, TypeSettings};
use crate::error::Error;
use crate::resources::cpus;
use process::process_type;

/// Heroku's name for the command that runs once before a version starts.
const RELEASE: &str = "release";

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
    /// Who chooses the base of its ports.
    pub(crate) base: BaseWish,
    /// Which types could have one address for all their instances.
    front_notices: Vec<String>,
}

impl Resolved {
    /// Says which types run because others depend on them.
    pub(crate) fn brought_notice(&self) -> Option<String> {
        dependencies::brought_notice(&self.app, &self.brought)
    }

    /// Says that, what counts as ready since it cannot be asked, and which instances are waited for that are not there.
    pub(crate) fn notices(&self) -> Vec<String> {
        let unasked = dependencies::unasked_notices(&self.app);
        let absent = dependencies::absent_notices(&self.app);
        let all = self.brought_notice().into_iter().chain(unasked).chain(absent);
        all.chain(self.front_notices.iter().cloned()).collect()
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
    let base = base_wish(settings, &environment);
    let app = with_counts(settings, root, entries, environment, &counts)?;
    front::check_found(settings, &app)?;
    let front_notices = front::notices(settings, &app);
    Ok(Resolved { app, brought, base, front_notices })
}

/// Says which instances are depended on that are not there.
pub(crate) fn absent_instances(app: &App) -> Vec<String> {
    dependencies::absent_notices(app)
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
    mut environment: Environment,
    counts: &[u16],
) -> Result<App, Error> {
    let session = &settings.session;
    let base_port = base_port(settings, &environment)?;
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
    if let Some(facts) = &settings.facts {
        facts.add_to(&mut environment, root.as_os_str());
    }
    let app = App { root, types, environment, base_port, exit_on };
    match siblings::unknown_reference(&app) {
        None => Ok(app),
        Some(unknown) => Err(Error::Refused {
            reason: format!(
                "`{}` in {} refers to `${{{}}}`, which no process type has",
                unknown.key, unknown.place, unknown.name
            ),
            hint: Some(format!("there is {}", unknown.known.join(", "))),
        }),
    }
}

/// Who chooses the base of all ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BaseWish {
    /// Somebody has said it: by an option, or as PORT.
    Set(Option<Origin>),
    /// pm, and keeps it for the root.
    Auto,
    /// Nobody has said anything: foreman's, unless another session has it.
    Unset,
}

impl BaseWish {
    /// Returns who has said the base, for what to do where its ports are taken.
    pub(crate) fn origin(self) -> BaseOrigin {
        match self {
            Self::Set(Some(Origin::PmToml)) => BaseOrigin::Project,
            Self::Set(_) | Self::Unset => BaseOrigin::Person,
            Self::Auto => BaseOrigin::Chosen,
        }
    }
}

/// Returns who chooses the base.
pub(crate) fn base_wish(settings: &Settings, environment: &Environment) -> BaseWish {
    match &settings.session.port {
        Some(setting) => match setting.value {
            Port::Number(_) => BaseWish::Set(Some(setting.origin)),
            Port::Auto => BaseWish::Auto,
        },
        None if base_of(environment).is_some() => BaseWish::Set(None),
        None => BaseWish::Unset,
    }
}

/// Returns PORT of the env files, else of the caller.
fn base_of(environment: &Environment) -> Option<&EnvValue> {
    environment.get("PORT").filter(|value| !value.text.is_empty())
}

/// Returns `-p`, else PORT of the env files, else PORT of the caller, else what was chosen, else 5000.
fn base_port(settings: &Settings, environment: &Environment) -> Result<u16, Error> {
    let chosen = settings.base.unwrap_or(BASE_PORT);
    let value = match (settings.session.port.as_ref().map(|port| port.value), base_of(environment))
    {
        (Some(Port::Number(port)), _) => return Ok(port),
        (Some(Port::Auto), _) | (None, None) => return Ok(chosen),
        (None, Some(value)) => value,
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

/// Makes sure that fronts and what is behind them have ports of their own.
pub(crate) fn check_fronts(app: &App) -> Result<(), Error> {
    front::check_counts(app)?;
    front::check_ports(app)
}

/// Makes sure that every instance has a port, before anything starts.
pub(crate) fn check_ports(app: &App) -> Result<(), Error> {
    front::check_counts(app)?;
    let has_no_port =
        |id: &InstanceId| PortSlot::BOTH.iter().any(|slot| app.port_in(*id, *slot).is_none());
    match app.instances().find(has_no_port) {
        None => front::check_ports(app),
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
