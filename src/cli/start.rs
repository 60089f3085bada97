//! `pm start`

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::args::{StartArgs, Tool};
use super::client::start::{self, StartTarget};
use super::client::{until, up};
use super::json::AnswerForm;
use super::json::change::SessionChange;
use super::layers::CliLayers;
use super::ports::{self, IfTaken};
use super::refusal;
use super::resolve::{self, Resolved, log_style};
use super::settings::Settings;
use super::sources::Sources;
use super::{client, daemon, diagnostics, keep, session_logs, terminal_use};
use crate::app::{App, Stdio, Warning, formation};
use crate::config::value::Switch;
use crate::error::Error;
use crate::os;
use crate::os::lifetime::ProcessEnd;
use crate::output::LogFormat;
use crate::session::own_terminal::OwnTerminal;
use crate::session::requests::{Control, LogOutputs, Reread, Rereading, SessionOwner, StartLocks};
use crate::state::ports::PortsLock;

/// Runs the application until it has ended, and returns the exit code.
pub(crate) fn start(
    args: &StartArgs,
    called_as: Tool,
    matches: &ArgMatches,
    (form, sources): (AnswerForm, &Sources),
) -> Result<i32, Error> {
    check_options(args, matches)?;
    let named_instances = if args.is_up { up::named_instances } else { start::named_instances };
    let brought = |types| brought(StartArgs { types, ..args.clone() }, called_as, matches, sources);
    if let Some(change) = named_instances(args, &brought, matches, sources)? {
        return answer(change, args, matches, (form, sources));
    }
    let owner = args.owner.map(owner).transpose()?;
    let mut said = Vec::new();
    let say = |warnings: &[Warning]| {
        diagnostics::warnings(warnings);
        said.extend(warnings.iter().map(diagnostics::warning_in_one_line));
    };
    let mut reading = StartReading::begin(args, called_as, (matches, sources), say)?;
    let procfile = reading.settings.files.procfile(&sources.cwd);
    let folder = client::find::folder(sources);
    let start_lock = match reading.beside_others(&procfile, &folder)? {
        StartTarget::NewSession(start_lock, _) => start_lock,
        StartTarget::Existing(change) => return answer(change, args, matches, (form, sources)),
    };
    let ports_lock = reading.choose_ports(&folder)?;
    let StartReading { args, settings, resolved: Resolved { app, .. }, notices, .. } = reading;
    let log_format = match args.json {
        true => LogFormat::Json,
        false => log_style::text(&settings.session, &app, sources),
    };
    let logs = session_logs::logs(&args, &settings.session, &app.root, sources)?;
    if args.daemon && !args.daemonised {
        let held = daemon::HeldForLaunch { start_lock, ports_lock, owner };
        return form.answer(daemon::start(&args, (&app.root, folder), held, sources)?);
    }
    let reread = reread(args.clone(), called_as, (matches.clone(), sources.clone()), said);
    let locks = StartLocks { root: start_lock, ports: ports_lock };
    let session = NewSession { args, settings, app, notices, procfile, folder, locks, owner };
    session.run((log_format, logs), reread, sources)
}

/// Returns the types that a start brings since others depend on them; none where the files say nothing of these.
fn brought(
    args: StartArgs,
    called_as: Tool,
    matches: &ArgMatches,
    sources: &Sources,
) -> Vec<String> {
    let Ok((_, resolved, _)) = read(&args, called_as, matches, sources, |_| {}) else {
        return Vec::new();
    };
    let names = resolved.brought.iter().map(|at| &resolved.app.types[usize::from(*at)].name);
    names.cloned().collect()
}

/// Refuses options that need `--daemon`. Where a variable names the log, that is for the sessions which have one.
fn check_options(args: &StartArgs, matches: &ArgMatches) -> Result<(), Error> {
    let is_log_typed = matches.value_source("log") == Some(ValueSource::CommandLine);
    let (option, instead) = match args {
        StartArgs { daemon: true, .. } => return Ok(()),
        StartArgs { wait: Some(_), .. } => ("--wait", "use `pm wait` in another terminal"),
        _ if is_log_typed => ("--log", "redirect the output: `pm start >pm.log`"),
        _ => return Ok(()),
    };
    Err(Error::Usage {
        reason: format!("`{option}` is for a session in the background"),
        hint: format!("add `--daemon`, or {instead}"),
    })
}

/// Says what has become of a session that runs already; where it is to be waited for, that is done first.
fn answer(
    change: SessionChange,
    args: &StartArgs,
    matches: &ArgMatches,
    (form, sources): (AnswerForm, &Sources),
) -> Result<i32, Error> {
    if !args.is_up {
        until::after_start(args, matches, sources)?;
    }
    if let Some(pid) = args.owner {
        diagnostics::warning(
            &format!("the session runs already, and does not end with process {pid}"),
            "`--with` is for a session that the command itself starts",
        );
    }
    form.answer(change)
}

/// What a start has read. It reads again where the other sessions change what it is to start.
struct StartReading<'a> {
    args: StartArgs,
    called_as: Tool,
    matches: &'a ArgMatches,
    sources: &'a Sources,
    settings: Settings,
    resolved: Resolved,
    /// What is to be said before anything starts.
    notices: Vec<String>,
}

impl<'a> StartReading<'a> {
    fn begin(
        args: &StartArgs,
        called_as: Tool,
        (matches, sources): (&'a ArgMatches, &'a Sources),
        say: impl FnOnce(&[Warning]),
    ) -> Result<Self, Error> {
        let (settings, resolved, notices) = read(args, called_as, matches, sources, say)?;
        Ok(Self { args: args.clone(), called_as, matches, sources, settings, resolved, notices })
    }

    /// Reads with the arguments as they are now. What was ignored has been said.
    fn again(&mut self) -> Result<(), Error> {
        (self.settings, self.resolved, self.notices) =
            read(&self.args, self.called_as, self.matches, self.sources, |_| {})?;
        Ok(())
    }

    /// Finds out whether a session of its own begins, and leaves out of it what runs elsewhere.
    fn beside_others(&mut self, procfile: &Path, folder: &Path) -> Result<StartTarget, Error> {
        // Who launched this one has looked.
        if self.args.daemonised {
            return Ok(StartTarget::NewSession(None, Vec::new()));
        }
        let look = if self.args.is_up { up::beside_others } else { start::beside_others };
        let target = look(&self.args, &self.resolved, procfile, folder, self.sources)?;
        if let StartTarget::NewSession(_, elsewhere) = &target
            && !elsewhere.is_empty()
        {
            self.args.elsewhere.clone_from(elsewhere);
            self.again()?;
        }
        Ok(target)
    }

    /// Chooses the ports, where pm does; the lock keeps them from others until the session has begun.
    fn choose_ports(&mut self, folder: &Path) -> Result<Option<PortsLock>, Error> {
        // Who is started in the background need not say again what was said here.
        if self.args.daemonised {
            return Ok(None);
        }
        let chosen = ports::choose(&self.resolved, if_taken(&self.settings), folder, self.sources)?;
        if chosen.base.is_some() {
            self.args.base = chosen.base;
            self.again()?;
        }
        Ok(chosen.lock)
    }
}

/// A session that begins in this process.
struct NewSession {
    args: StartArgs,
    settings: Settings,
    app: App,
    notices: Vec<String>,
    procfile: PathBuf,
    folder: PathBuf,
    locks: StartLocks,
    owner: Option<SessionOwner>,
}

impl NewSession {
    /// Runs it until it has ended, and returns the exit code.
    fn run(
        self,
        (log_format, logs): (LogFormat, LogOutputs),
        reread: Reread,
        sources: &Sources,
    ) -> Result<i32, Error> {
        let Self { args, settings, app, mut notices, procfile, folder, locks, owner } = self;
        // A program has it at the beginning of the stream, and in the error where there is none.
        notices.splice(..0, diagnostics::kept_lines());
        let zone = os::zone::local(sources.var("TZ").is_some());
        // Until everything else is over. A dumb terminal has nothing to be given back, and would show how.
        let is_dumb = sources.has_dumb_terminal();
        let terminal = terminal_use::of(&settings.session, &log_format, sources);
        let _terminal = if is_dumb { None } else { OwnTerminal::of(&app, terminal.keys) };
        let launched = args.daemonised;
        let is_seen = launched || sources.stdout_is_terminal;
        let keep = keep::plan(&settings, &app, is_seen, sources).unwrap_or_else(|error| {
            notices.push(format!("the output is not kept: {error}"));
            None
        });
        let control = Control {
            folder,
            procfile,
            by: started_by(&args, sources),
            locks,
            launched,
            reread,
            trace: sources.var("PM_TRACE").map(|file| sources.cwd.join(file)),
            notify: sources.var("NOTIFY_SOCKET").map(OsStr::to_owned),
            logs,
            // Without one, nothing is kept either, and that says so.
            state: sources.state_folder().ok(),
            keep,
            owner,
            terminal,
        };
        crate::session::run::run(Arc::new(app), log_format, zone, notices, control)
    }
}

/// Says who starts a session, for `pm ps`.
fn started_by(args: &StartArgs, sources: &Sources) -> String {
    match (args.daemonised, sources.stdout_is_terminal) {
        (true, _) => "daemon".to_owned(),
        (false, true) => "terminal".to_owned(),
        (false, false) => {
            let parent = nix::unistd::getppid().as_raw().cast_unsigned();
            os::processes::own_name(parent)
        }
    }
}

/// Takes the process that the session is to live as long as.
fn owner(pid: i32) -> Result<SessionOwner, Error> {
    match ProcessEnd::of(pid) {
        Ok(end) => Ok(SessionOwner { pid, end }),
        Err(source) => Err(Error::NoOwner { pid, source }),
    }
}

fn if_taken(settings: &Settings) -> IfTaken {
    match settings.session.strict_ports.as_ref().map(|strict| strict.value) {
        Some(Switch::On) => IfTaken::Refuse,
        Some(Switch::Off) | None => IfTaken::Warn,
    }
}

/// Returns what reads the files again, as this start does. What was `said` of them is not said again, until
/// it was different in between.
fn reread(
    args: StartArgs,
    called_as: Tool,
    (matches, sources): (ArgMatches, Sources),
    mut said: Vec<String>,
) -> Reread {
    Box::new(move || {
        let mut warnings = Vec::new();
        let say = |found: &[Warning]| {
            warnings = found.iter().map(diagnostics::warning_in_one_line).collect::<Vec<_>>();
        };
        // Where an error follows it is all that is said.
        let (_, resolved, notices) = read(&args, called_as, &matches, &sources, say)
            .map_err(|error| refusal::with_causes(&error))?;
        let new = warnings.iter().filter(|text| !said.contains(text)).cloned().collect();
        said = warnings;
        Ok(Rereading { app: resolved.app, warnings: new, notices })
    })
}

/// Reads the files, and makes of them what is to run; with what is to be said before it starts. `say` gets what
/// was ignored, also where an error follows.
fn read(
    args: &StartArgs,
    called_as: Tool,
    matches: &ArgMatches,
    sources: &Sources,
    say: impl FnOnce(&[Warning]),
) -> Result<(Settings, Resolved, Vec<String>), Error> {
    let mut settings = Settings::read(CliLayers::read(matches, sources)?, sources)?;
    let (procfile, environment) = settings.read_files(sources, say)?;
    let root = settings.files.root(&sources.cwd)?;
    for text in &args.types {
        settings.named.extend(formation::parse(text)?);
    }
    settings.rules = args.session.behave_as.unwrap_or(called_as);
    settings.auto = match sources.stdout_is_terminal && !args.daemon {
        true => Stdio::Terminal,
        false => Stdio::Pipes,
    };
    settings.without_dependencies = args.session.no_deps;
    settings.elsewhere.clone_from(&args.elsewhere);
    settings.base = args.base;
    settings.facts = Some(ports::facts(&root, Some(std::process::id())));
    let resolved = resolve::app(&settings, root, procfile.entries, environment)?;
    resolve::check_ports(&resolved.app)?;
    let notices =
        procfile.notice.into_iter().chain(resolve::release_notice(&settings, &resolved.app));
    let notices = notices.chain(resolved.notices()).collect();
    Ok((settings, resolved, notices))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use clap::FromArgMatches;

    use super::super::args::{Cli, Command};
    use super::*;

    /// Returns what reads the files of a folder again, of which nothing was said yet.
    fn rereading(folder: &Path) -> Reread {
        let matches =
            super::super::command(&sources(folder)).try_get_matches_from(["pm", "start"]).unwrap();
        let Command::Start(args) = Cli::from_arg_matches(&matches).unwrap().command else {
            panic!("`pm start` is that command")
        };
        let matches = matches.subcommand().unwrap().1.clone();
        reread(args, Tool::Pm, (matches, sources(folder)), Vec::new())
    }

    fn sources(folder: &Path) -> Sources {
        Sources {
            env: Vec::new(),
            cwd: folder.to_owned(),
            stdout_is_terminal: false,
            stderr_is_terminal: false,
        }
    }

    #[test]
    fn what_is_passed_over_is_said_once_and_again_where_an_error_stood_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name, text| fs::write(folder.path().join(name), text).unwrap();
        write("Procfile", "web: true\n");
        write(".env", "A=1\n");
        let mut reread = rereading(folder.path());
        let mut said = || reread().map(|read| read.warnings.len()).ok();
        assert_eq!(said(), Some(0));
        write(".env", "not a line\n");
        write("Procfile", "# nothing\n");
        assert_eq!(said(), None);
        write("Procfile", "web: true\n");
        assert_eq!(said(), Some(1));
        assert_eq!(said(), Some(0));
    }
}
