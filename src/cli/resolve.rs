//! What was typed becomes what it means here: arguments, files and surroundings → [`App`] and [`Form`].
//! Pure: files are read by [`crate::app::load`] before.

use std::path::PathBuf;

use super::args::{ColorChoice, FileArgs, OutputArgs, StartArgs, Tool};
use super::sources::Sources;
use crate::app::formation::{self, FormationError, Wish};
use crate::app::load::Files;
use crate::app::procfile::Entry;
use crate::app::{App, Environment, ExitOn, Policy, ProcessType, Restart, Role, Source, Stdio};
use crate::config::settings::Pty;
use crate::error::Error;
use crate::output::render::SYSTEM;
use crate::output::{Form, Look};

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

/// Returns where the application's files are.
pub(crate) fn files(args: &FileArgs) -> Files {
    Files {
        procfile: args.procfile.clone(),
        root: args.root.clone(),
        env: args.env.clone(),
        set: args.set.clone(),
    }
}

/// Makes the application with one instance of each type, for a look at one of them.
pub(crate) fn one_of_each(
    root: PathBuf,
    entries: Vec<Entry>,
    environment: Environment,
    port: Option<u16>,
) -> Result<App, Error> {
    let base_port = base_port(port, &environment)?;
    let types = entries.into_iter().map(|entry| ProcessType {
        name: entry.name,
        command: entry.command,
        line: entry.line,
        count: 1,
        environment: Environment::default(),
        directory: None,
        quiet: false,
        stdio: Stdio::Pipes,
        policy: Policy::default(),
    });
    Ok(App { root, types: types.collect(), environment, base_port, exit_on: ExitOn::Failure })
}

/// Whose rules hold where no option says otherwise.
fn tool(args: &StartArgs, called_as: Tool) -> Tool {
    args.behave_as.unwrap_or(called_as)
}

/// Makes the application that `pm start` runs.
pub(crate) fn plan(
    args: &StartArgs,
    called_as: Tool,
    loaded: Loaded,
    cpus: u16,
    stdio: Stdio,
) -> Result<Plan, Error> {
    let rules = tool(args, called_as);
    let names: Vec<&str> = loaded.entries.iter().map(|entry| entry.name.as_str()).collect();
    let wish = wish(args)?;
    let mut notices = Vec::new();
    let release = names.iter().position(|name| *name == RELEASE).filter(|_| rules == Tool::Pm);
    let mut default = vec![1; names.len()];
    if let Some(at) = release {
        default[at] = u16::from(args.release);
    }
    let mut counts = wish.counts(&names, cpus, &default)?;
    if let Some(at) = release {
        let is_named = wish.formation.iter().chain(&wish.named).any(|part| part.name == RELEASE);
        counts[at] = u16::from(args.release || is_named && counts[at] > 0);
        if !args.release && !is_named && wish.named.is_empty() {
            notices.push(
                "`release` is not started; `--release`, or naming it, runs it first".to_owned(),
            );
        }
        if counts.iter().all(|count| *count == 0) {
            return Err(FormationError::Nothing.into());
        }
    }
    for name in &args.output.quiet {
        formation::position(&names, name)?;
    }
    let policy = policy(args, rules);
    let base_port = base_port(args.port, &loaded.environment)?;
    let types = loaded.entries.into_iter().zip(counts).map(|(entry, count)| ProcessType {
        quiet: args.output.quiet.contains(&entry.name),
        stdio,
        policy: Policy {
            role: if entry.name == RELEASE && rules == Tool::Pm {
                Role::Release
            } else {
                Role::Service
            },
            ..policy.clone()
        },
        name: entry.name,
        command: entry.command,
        line: entry.line,
        count,
        environment: Environment::default(),
        directory: None,
    });
    let exit_on = args.exit_on.unwrap_or(match rules {
        Tool::Foreman => ExitOn::First,
        Tool::Pm => ExitOn::Failure,
    });
    let app = App {
        root: loaded.root,
        types: types.collect(),
        environment: loaded.environment,
        base_port,
        exit_on,
    };
    check_ports(&app)?;
    Ok(Plan { app, notices })
}

fn wish(args: &StartArgs) -> Result<Wish, FormationError> {
    let mut named = Vec::new();
    for text in &args.types {
        named.extend(formation::parse(text)?);
    }
    Ok(Wish {
        formation: formation::parse(args.formation.as_deref().unwrap_or_default())?,
        named,
        except: args.except.clone(),
    })
}

fn policy(args: &StartArgs, rules: Tool) -> Policy {
    let default = Policy::default();
    Policy {
        restart: args.restart.unwrap_or(match rules {
            Tool::Foreman => Restart::Never,
            Tool::Pm => default.restart,
        }),
        max_restarts: args.max_restarts.unwrap_or(default.max_restarts),
        grace: args.timeout.unwrap_or(default.grace),
        ..default
    }
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
    text.trim().parse().map_err(|_| Error::PortValue {
        value: text.clone().into_owned(),
        origin: match &value.source {
            Source::EnvFile { path, line } => format!("at {}:{line}", path.display()),
            Source::Set => "of `--set`".to_owned(),
            Source::Caller | Source::Pm(_) => "of the environment".to_owned(),
        },
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

/// Returns how the log looks.
pub(crate) fn form(args: &OutputArgs, app: &App, sources: &Sources) -> Result<Form, Error> {
    if args.json {
        return Ok(Form::Json);
    }
    let format = args.timestamp_format.as_deref().unwrap_or("%H:%M:%S");
    if let Err(error) = jiff::fmt::strtime::format(
        format,
        &jiff::Timestamp::UNIX_EPOCH.to_zoned_datetime(jiff::tz::TimeZone::UTC),
    ) {
        return Err(Error::TimestampFormat {
            format: format.to_owned(),
            reason: error.to_string(),
        });
    }
    let longest = app.instances().map(|id| app.name_of(id).len()).max().unwrap_or(0);
    Ok(Form::Text(Look {
        color: color(args.color, sources),
        timestamp: (!args.no_timestamp).then(|| format.to_owned()),
        prefix: !args.no_prefix,
        width: longest.max(SYSTEM.len()),
    }))
}

/// Decides on terminals for the instances: as pm's own stdout is, where nothing else is said.
pub(crate) fn stdio(choice: Option<Pty>, sources: &Sources) -> Stdio {
    match choice.unwrap_or(Pty::Auto) {
        Pty::Always => Stdio::Terminal,
        Pty::Auto if sources.stdout_is_terminal => Stdio::Terminal,
        Pty::Auto | Pty::Never => Stdio::Pipes,
    }
}

/// Decides on colour: the option, then NO_COLOR (no-color.org), then FORCE_COLOR (force-color.org) and
/// CLICOLOR_FORCE, then CLICOLOR=0 and TERM=dumb, then whether stdout is a terminal.
pub(super) fn color(choice: Option<ColorChoice>, sources: &Sources) -> bool {
    let set = |name: &str| sources.var(name).is_some();
    let is = |name: &str, text: &str| sources.var(name).is_some_and(|value| value == text);
    match choice.unwrap_or(ColorChoice::Auto) {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if set("NO_COLOR") => false,
        ColorChoice::Auto if set("FORCE_COLOR") => {
            !is("FORCE_COLOR", "0") && !is("FORCE_COLOR", "false")
        }
        ColorChoice::Auto if set("CLICOLOR_FORCE") && !is("CLICOLOR_FORCE", "0") => true,
        ColorChoice::Auto if is("CLICOLOR", "0") || is("TERM", "dumb") => false,
        ColorChoice::Auto => sources.stdout_is_terminal,
    }
}
