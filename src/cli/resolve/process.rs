//! An entry of the Procfile and the settings of its type → [`ProcessType`]: policy, limits, and what its
//! runtime is told of memory.

use std::path::Path;
use std::time::Duration;

use super::front::front;
use super::role;
use crate::app::MemoryAction;
use crate::app::file_watch::{DEBOUNCE, FileWatch, WatchAction};
use crate::app::procfile::ProcfileEntry;
use crate::app::readiness::{LIVE_FAILURES, LIVE_INTERVAL, Liveness, READY_TIMEOUT, Readiness};
use crate::app::shell;
use crate::app::{Budget, Environment, Gc, Limits, Policy, ProcessType, Restart, Role, Stdio};
use crate::cli::args::Tool;
use crate::cli::settings::Settings;
use crate::config::TypeSettings;
use crate::config::value::{Pty, Switch};
use crate::error::Error;
use crate::resources::budget::{BudgetError, KnownEnv};
use crate::resources::runtime::{self, Tuning, V8_SIZE_FLAGS};
use crate::resources::{command, share};
use crate::watch::Patterns;

/// Makes the process type; `environment` is what every type gets. What its runtime cannot be told is an error
/// only where it runs: V8's flags may have no place in the command of a type that does not. The others may be
/// scaled up later.
///
/// # Errors
/// The budget cannot be divided, or V8's flags have no place.
pub(super) fn process_type(
    settings: &Settings,
    entry: ProcfileEntry,
    count: u16,
    root: &Path,
    environment: &Environment,
) -> Result<ProcessType, Error> {
    let own = settings.layers.of_type(&entry.name);
    let quiet = settings.session.quiet.as_ref();
    let is_quiet = quiet.is_some_and(|quiet| quiet.value.contains(&entry.name));
    let env_source = settings.source_of_env(&entry.name);
    let policy = policy(&own, role(settings, &entry.name, &own), settings.rules);
    let limits = Limits {
        open_files: own.nofile.as_ref().map(|setting| setting.value),
        nice: own.nice.as_ref().map(|setting| setting.value),
        cpus: own.cpus.as_ref().map(|setting| setting.value),
    };
    let policy = Policy { watch: file_watch(settings, &entry.name, &own)?, ..policy };
    let front = front(settings, &entry.name, &policy)?;
    let mut process_type = ProcessType {
        directory: own.directory.as_ref().map(|folder| root.join(&folder.value)),
        name: entry.name,
        command: entry.command,
        line: entry.line,
        count,
        environment: Environment::default(),
        quiet: is_quiet,
        limits,
        stdio: match own.pty.as_ref().map(|pty| pty.value) {
            Some(Pty::Always) => Stdio::Terminal,
            Some(Pty::Auto) | None => settings.auto,
            Some(Pty::Never) => Stdio::Pipes,
        },
        front,
        share_port: own.share_port.as_ref().and_then(|host| host.value.0.clone()),
        policy,
    };
    for (key, text) in own.env.iter().flat_map(|env| &env.value) {
        process_type.environment.set(key, text, env_source.clone());
    }
    known_pid(&process_type)?;
    let tuned = tune(&mut process_type, &own, environment);
    if count > 0 {
        tuned?;
    }
    Ok(process_type)
}

fn policy(own: &TypeSettings, role: Role, rules: Tool) -> Policy {
    let default = Policy::default();
    let restart = match (rules, role) {
        (Tool::Foreman, _) | (_, Role::Once) => Restart::Never,
        (Tool::Pm, Role::Service | Role::Release) => default.restart,
    };
    let restart = match own.restart.as_ref().map_or(restart, |restart| restart.value) {
        // Exit 0 is what it is for.
        Restart::Always if role == Role::Once => Restart::OnFailure,
        restart => restart,
    };
    let action = own.memory_action.as_ref().map_or(MemoryAction::Restart, |action| action.value);
    Policy {
        restart,
        max_restarts: own.max_restarts.as_ref().map_or(default.max_restarts, |most| most.value),
        stop_signal: own.stop_signal.as_ref().map_or(default.stop_signal, |signal| signal.value),
        stop_signal_to: own.stop_signal_to.as_ref().map_or(default.stop_signal_to, |to| to.value),
        grace: own.stop_timeout.as_ref().map_or(default.grace, |timeout| timeout.value),
        role,
        budget: own.memory.as_ref().map(|memory| Budget { size: memory.value, action }),
        ready: readiness(own),
        ready_timeout: ready_timeout(own),
        live: liveness(own),
        depends_on: Vec::new(),
        on_dependency_restart: own
            .on_dependency_restart
            .as_ref()
            .map_or(default.on_dependency_restart, |what| what.value),
        watch: None,
        drain: own.drain.as_ref().map_or(default.drain, |time| time.value),
        update: own.update.as_ref().map_or(default.update, |update| update.value),
    }
}

/// Returns what makes an instance ready; an empty list is nothing.
pub(super) fn readiness(own: &TypeSettings) -> Option<Readiness> {
    let probes = own.ready.as_ref().map(|ready| ready.value.clone()).unwrap_or_default();
    let timeout = ready_timeout(own);
    (!probes.is_empty()).then_some(Readiness { probes, timeout })
}

/// Returns how long a run may take to be ready.
fn ready_timeout(own: &TypeSettings) -> Duration {
    own.ready_timeout.as_ref().map_or(READY_TIMEOUT, |time| time.value.0)
}

fn liveness(own: &TypeSettings) -> Option<Liveness> {
    let probe = own.live.as_ref()?.value.0.clone();
    Some(Liveness {
        probe,
        interval: own.live_interval.as_ref().map_or(LIVE_INTERVAL, |time| time.value.0),
        failures: own.live_failures.as_ref().map_or(LIVE_FAILURES, |most| most.value.get()),
    })
}

/// Returns which files are watched.
///
/// # Errors
/// A glob that is none.
fn file_watch(
    settings: &Settings,
    name: &str,
    own: &TypeSettings,
) -> Result<Option<FileWatch>, Error> {
    let is_off =
        settings.session.watch_files.as_ref().is_some_and(|watch| watch.value == Switch::Off);
    let Some(said) = own.watch.as_ref().filter(|_| !is_off) else { return Ok(None) };
    let Some(globs) = &said.value.0 else { return Ok(None) };
    let place = |at| settings.place_of_entry(name, "watch", said.origin, at);
    for (at, glob) in globs.iter().enumerate() {
        if let Err(reason) = Patterns::parse(&[glob]) {
            let hint =
                "globs are as in .gitignore, from the folder of the process type: `src/**/*.py`";
            return Err(place(at).error(reason, Some(hint.to_owned())));
        }
    }
    Ok(Some(FileWatch {
        globs: globs.clone(),
        debounce: own.watch_debounce.as_ref().map_or(DEBOUNCE, |time| time.value.0),
        action: own.watch_action.as_ref().map_or(WatchAction::Restart, |action| action.value),
        poll: own.watch_poll.as_ref().map(|time| time.value.0),
        places: (0..globs.len()).map(|at| place(at).to_string()).collect(),
    }))
}

/// Makes sure that the program of a type with a shared socket gets the process id that LISTEN_PID says.
///
/// # Errors
/// A shell stays before it.
fn known_pid(own: &ProcessType) -> Result<(), Error> {
    if own.share_port.is_none() || shell::keeps_pid(&own.command) {
        return Ok(());
    }
    let name = &own.name;
    let reason = format!(
        "`share-port` of `{name}` needs the process id of its program, for LISTEN_PID: a shell stays before it"
    );
    let hint = match shell::with_last_exec(&own.command) {
        Some(command) => format!("write `exec` before the program: `{command}`"),
        None => {
            "let the command end with `exec` and the program, as in `cd web && exec node server.js`"
                .to_owned()
        }
    };
    Err(Error::Refused { reason, hint: Some(hint) })
}

/// Tells the runtime of its budget, its heap and its collector.
fn tune(
    process_type: &mut ProcessType,
    own: &TypeSettings,
    environment: &Environment,
) -> Result<(), Error> {
    let mut all = environment.clone();
    all.extend(&process_type.environment);
    let said = |key: &str| all.get(key).map(|value| value.text.to_string_lossy().into_owned());
    let (web_memory, web_concurrency) = (said("WEB_MEMORY"), said("WEB_CONCURRENCY"));
    let said =
        KnownEnv { web_memory: web_memory.as_deref(), web_concurrency: web_concurrency.as_deref() };
    let share = own.memory.as_ref().map(|memory| share(memory.value, said)).transpose();
    let share = share.map_err(|error| {
        let BudgetError::WebMemory(size) = &error;
        let name = &process_type.name;
        let reason = format!("cannot divide the memory budget of `{name}` among workers: {error}");
        Error::Refused { reason, hint: Some(size.hint().to_owned()) }
    })?;
    let heap = own.heap.as_ref().map(|heap| heap.value);
    let tuning = Tuning {
        heap: heap.or(share.and_then(|share| share.heap)),
        gc: own.gc.as_ref().map(|gc| gc.value),
    };
    let of_budget = share.map(|share| runtime::budget_variables(&all, share)).unwrap_or_default();
    let of_runtime = runtime::variables(&all, &process_type.command, tuning);
    for variable in of_budget.into_iter().chain(of_runtime) {
        process_type.environment.set(variable.key, variable.text, variable.source);
    }
    if tuning.gc == Some(Gc::Size) && !command::is_other_runtime(&process_type.command) {
        process_type.command = command::with_v8_flags(&process_type.command, &V8_SIZE_FLAGS)
            .map_err(|error| {
                let name = &process_type.name;
                let reason = format!("cannot add V8's flags to the command of `{name}`: {error}");
                Error::Refused { reason, hint: Some(error.hint().to_owned()) }
            })?;
    }
    Ok(())
}
