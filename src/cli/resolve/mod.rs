//! What was asked becomes what it means here: settings, files and surroundings → [`App`].
//! Pure: files are read by [`super::load`] before.

pub(crate) mod look;
mod process;

use std::path::PathBuf;

use super::args::Tool;
use super::settled::Settled;
use crate::app::formation::{self, FormationError, Part, Wish};
use crate::app::ports;
use crate::app::procfile::Entry;
use crate::app::{App, Environment, ExitOn, Role, Source, Stdio};
use crate::config::settings::Switch;
use crate::error::Error;
use process::{Parts, process_type};

/// Heroku's name for the command that runs once before a version starts.
const RELEASE: &str = "release";
/// foreman's base port.
const BASE_PORT: u16 = 5000;

/// The application, and what is to be told before it starts.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) app: App,
    pub(crate) notices: Vec<String>,
}

/// What the files hold.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) root: PathBuf,
    pub(crate) entries: Vec<Entry>,
    pub(crate) environment: Environment,
}

/// What is asked for beside the settings.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The arguments of `pm start`.
    pub(crate) named: Vec<Part>,
    /// Whose rules hold where no setting says otherwise.
    pub(crate) rules: Tool,
    /// Says what `auto` means.
    pub(crate) cpus: fn() -> u16,
    /// What an instance has for input and output where `--pty` says `auto`, or nothing: a terminal where pm's
    /// own output is one.
    pub(crate) auto: Stdio,
}

/// Makes the application with one instance of one type, for a look at it. `at` is its position.
pub(crate) fn one_of(settled: &Settled, loaded: Loaded, at: usize) -> Result<App, Error> {
    let mut counts = vec![0; loaded.entries.len()];
    if let Some(count) = counts.get_mut(at) {
        *count = 1;
    }
    app(settled, loaded, &counts, Tool::Pm, Stdio::Pipes)
}

/// Makes the application that `pm start` runs.
pub(crate) fn plan(settled: &Settled, loaded: Loaded, asked: Asked) -> Result<Plan, Error> {
    let names: Vec<&str> = loaded.entries.iter().map(|entry| entry.name.as_str()).collect();
    let session = &settled.session;
    let runs_release = session.release.as_ref().is_some_and(|release| release.value == Switch::On);
    let wish = Wish {
        formation: settled.layers.formation(),
        named: asked.named,
        except: session.except.as_ref().map(|except| except.value.clone()).unwrap_or_default(),
    };
    let mut notices = Vec::new();
    let release = names.iter().position(|name| *name == RELEASE);
    let release = release.filter(|_| asked.rules == Tool::Pm);
    let mut default = default_counts(settled, &names, asked.cpus);
    if let Some(at) = release {
        default[at] = u16::from(runs_release);
    }
    let counts = wish.counts(&names, asked.cpus, &default);
    let mut counts = counts.map_err(|error| match error {
        FormationError::Nothing
            if names == [RELEASE] && default == [0] && wish.except.is_empty() =>
        {
            FormationError::OnlyRelease
        }
        _ => error,
    })?;
    if let Some(at) = release {
        let is_named = wish.formation.iter().chain(&wish.named).any(|part| part.name == RELEASE);
        let is_excepted = wish.except.iter().any(|name| name == RELEASE);
        counts[at] = u16::from(!is_excepted && (runs_release || is_named && counts[at] > 0));
        if !runs_release && !is_named && wish.named.is_empty() {
            notices.push(
                "`release` is not started; use `--release`, or name it, to run it first".to_owned(),
            );
        }
        if counts.iter().all(|count| *count == 0) {
            return Err(FormationError::Nothing.into());
        }
    }
    for name in session.quiet.iter().flat_map(|quiet| &quiet.value) {
        formation::position(&names, name)?;
    }
    let app = app(settled, loaded, &counts, asked.rules, asked.auto)?;
    Ok(Plan { app, notices })
}

/// Returns how many instances of each run where nothing is asked: the type's `concurrency`, else 1.
fn default_counts(settled: &Settled, names: &[&str], cpus: fn() -> u16) -> Vec<u16> {
    let count = |name: &&str| settled.layers.of_type(name).concurrency;
    names.iter().map(|name| count(name).map_or(1, |count| count.value.number(cpus))).collect()
}

fn app(
    settled: &Settled,
    loaded: Loaded,
    counts: &[u16],
    rules: Tool,
    auto: Stdio,
) -> Result<App, Error> {
    let Loaded { root, entries, environment } = loaded;
    let session = &settled.session;
    let base_port = base_port(session.port.as_ref().map(|port| port.value), &environment)?;
    let types = entries.into_iter().zip(counts).map(|(entry, count)| {
        let own = settled.layers.of_type(&entry.name);
        let quiet = session.quiet.as_ref();
        process_type(Parts {
            count: *count,
            env_source: settled.source_of_env(&entry.name),
            own,
            environment: &environment,
            root: &root,
            role: if entry.name == RELEASE && rules == Tool::Pm {
                Role::Release
            } else {
                Role::Service
            },
            rules,
            auto,
            is_quiet: quiet.is_some_and(|quiet| quiet.value.contains(&entry.name)),
            entry,
        })
    });
    let types = types.collect::<Result<_, _>>()?;
    let exit_on = session.exit_on.as_ref().map_or(
        match (rules, auto) {
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
pub(crate) fn base_port(option: Option<u16>, environment: &Environment) -> Result<u16, Error> {
    if let Some(port) = option {
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
