//! `pm env`

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::io;
use std::os::unix::ffi::OsStrExt;

use clap::ArgMatches;
use schemars::JsonSchema;
use serde::Serialize;

use super::args::EnvArgs;
use super::layers::CliLayers;
use super::settings::Settings;
use super::sources::Sources;
use super::{diagnostics, json::CommandAnswer, ports, resolve};
use crate::app::{self, formation::position};
use crate::app::{Environment, InstanceId, Source};
use crate::config::SettingLine;
use crate::error::Error;

/// What is said to who asks `pm env --config` for the settings.
pub(super) const CONFIG_HINT: &str =
    "`--config` names a pm.toml; `pm env --settings` shows each setting and where it comes from";

/// What `pm env` has to say.
#[derive(Debug)]
pub(crate) enum EnvAnswer {
    /// The environment of an instance.
    Variables {
        /// The process type.
        process_type: String,
        /// All that it gets.
        environment: Environment,
        /// What is shown of the values.
        masking: Masking,
        /// What is shown of the inherited variables.
        inherited: Inherited,
    },
    /// The settings: each with the process type that it is of, or with none for those of the session.
    Settings(Vec<(Option<String>, SettingLine)>),
}

/// Whether values that may be secret are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Masking {
    /// As `****`.
    Masked,
    /// As they are (`--show`).
    Shown,
}

/// What is shown of the variables that pm's own environment has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inherited {
    /// Their number.
    Counted,
    /// Each of them (`--all`).
    Listed,
}

/// The environment of an instance, or the settings.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Env")]
pub(crate) enum EnvObject {
    /// `pm env`
    Variables {
        /// The process type.
        #[serde(rename = "type")]
        process_type: String,
        /// In the order of the text.
        variables: Vec<VariableObject>,
        /// The number of variables that the instance inherits and that are not listed.
        inherited: usize,
    },
    /// `pm env --settings`
    Settings {
        /// In the order of the text.
        settings: Vec<SettingObject>,
    },
}

/// A variable of an instance.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct VariableObject {
    name: String,
    /// The value; null where it may be a secret. A value of an env file always may.
    value: Option<String>,
    /// Where it comes from: `.env:3`.
    source: String,
}

/// A setting.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SettingObject {
    /// The process type; null for a setting of the session.
    #[serde(rename = "type")]
    process_type: Option<String>,
    key: &'static str,
    value: String,
    /// Where it was said.
    origin: String,
}

impl CommandAnswer for EnvAnswer {
    type Object = EnvObject;

    fn text(&self) -> Vec<u8> {
        match self {
            Self::Variables { environment, masking, inherited, .. } => {
                listing(environment, *masking, *inherited)
            }
            Self::Settings(settings) => lines(settings).into_bytes(),
        }
    }

    fn object(self) -> EnvObject {
        match self {
            Self::Variables { process_type, environment, inherited, .. } => {
                let (variables, inherited) = chosen(&environment, inherited);
                let one =
                    |&(key, value): &(&OsString, &app::environment::EnvValue)| VariableObject {
                        name: key.to_string_lossy().into_owned(),
                        value: is_open(key, &value.source)
                            .then(|| value.text.to_string_lossy().into_owned()),
                        source: origin(&value.source),
                    };
                let variables = variables.iter().map(one).collect();
                EnvObject::Variables { process_type, variables, inherited }
            }
            Self::Settings(settings) => {
                let one = |(process_type, line): (Option<String>, SettingLine)| SettingObject {
                    process_type,
                    key: line.key,
                    value: line.value,
                    origin: line.origin.to_string(),
                };
                EnvObject::Settings { settings: settings.into_iter().map(one).collect() }
            }
        }
    }
}

/// Returns the environment that the first instance of a type would get, and where each value comes from; or the
/// settings.
pub(crate) fn env(
    args: &EnvArgs,
    matches: &ArgMatches,
    sources: &Sources,
) -> Result<EnvAnswer, Error> {
    if args.json.json && args.show {
        return Err(Error::Usage {
            reason: "`--json` shows no values of env files, so `--show` cannot be used with it"
                .to_owned(),
            hint: "`pm run env` prints the environment as a program gets it".to_owned(),
        });
    }
    let mut settings = Settings::read(CliLayers::read(matches, sources)?, sources)
        .map_err(|error| no_such_config(error, args))?;
    let (procfile, environment) =
        settings.read_files(sources, |found| diagnostics::warnings(found))?;
    let names = procfile.names();
    let at = args.process_type.as_deref().map(|name| position(&names, name)).transpose()?;
    if args.settings {
        let shown = at.map_or(names.clone(), |at| vec![names[at]]);
        return Ok(EnvAnswer::Settings(settings_of(&settings, &shown)));
    }
    let at = at.unwrap_or(0);
    let root = settings.files.root(&sources.cwd)?;
    ports::expect(&mut settings, &environment, (&root, procfile.entries.len()), sources);
    let app = resolve::one_of(&settings, root, procfile.entries, environment, at)?;
    resolve::check_ports(&app)?;
    let process_type = u16::try_from(at).unwrap_or(u16::MAX);
    let environment = app.environment_of(InstanceId { process_type, number: 1 });
    // A program that reads the values wants all of them.
    let inherited = match args.all || (args.show && !sources.stdout_is_terminal) {
        true => Inherited::Listed,
        false => Inherited::Counted,
    };
    let masking = if args.show { Masking::Shown } else { Masking::Masked };
    let process_type = app.types[at].name.clone();
    Ok(EnvAnswer::Variables { process_type, environment, masking, inherited })
}

/// Says how to see the settings, where a word behind `--config` names no file: it once showed them.
fn no_such_config(error: Error, args: &EnvArgs) -> Error {
    match (error, &args.config.config) {
        (Error::ConfigRead { path, source }, Some(config))
            if path == *config && source.kind() == io::ErrorKind::NotFound =>
        {
            Error::Refused {
                reason: format!("cannot read `{}`: {source}", path.display()),
                hint: Some(CONFIG_HINT.to_owned()),
            }
        }
        (error, _) => error,
    }
}

/// Returns the settings: those of the session, then those of each process type. What no layer says is not there.
fn settings_of(settings: &Settings, names: &[&str]) -> Vec<(Option<String>, SettingLine)> {
    let session = settings.session.lines().into_iter().map(|line| (None, line));
    let of_type = |name: &&str| {
        let lines = settings.layers.of_type(name).lines();
        let name = (*name).to_owned();
        lines.into_iter().map(move |line| (Some(name.clone()), line)).collect::<Vec<_>>()
    };
    session.chain(names.iter().flat_map(of_type)).collect()
}

/// Writes one setting a line, and behind a `#` the layer that it comes from.
fn lines(settings: &[(Option<String>, SettingLine)]) -> String {
    let mut out = String::new();
    for (process_type, line) in settings {
        let prefix = process_type.as_ref().map(|name| format!("{name}.")).unwrap_or_default();
        let SettingLine { key, value, origin } = line;
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{prefix}{key} = {value}  # {origin}");
    }
    out
}

/// Variables that say where a process runs and for whom, and are no secret; so are those that begin with
/// `LC_` or `XDG_`.
const PLAIN: [&str; 26] = [
    "_",
    "COLORTERM",
    "COLUMNS",
    "DISPLAY",
    "EDITOR",
    "HOME",
    "HOSTNAME",
    "LANG",
    "LANGUAGE",
    "LINES",
    "LOGNAME",
    "MAIL",
    "NO_COLOR",
    "OLDPWD",
    "PAGER",
    "PATH",
    "PWD",
    "SHELL",
    "SHLVL",
    "TERM",
    "TERM_PROGRAM",
    "TMPDIR",
    "TZ",
    "USER",
    "VISUAL",
    "WAYLAND_DISPLAY",
];

/// Returns whether the value is shown to whoever looks over a shoulder.
fn is_plain(key: &OsStr, source: &Source) -> bool {
    let name = key.to_string_lossy();
    matches!(source, Source::Pm(_))
        || PLAIN.contains(&&*name)
        || name.starts_with("LC_")
        || name.starts_with("XDG_")
}

/// Returns whether a program gets the value. Never one of an env file, by whatever name.
fn is_open(key: &OsStr, source: &Source) -> bool {
    !matches!(source, Source::EnvFile { .. }) && is_plain(key, source)
}

/// Returns where a kind of source stands in the list: the inherited last.
fn rank(source: &Source) -> u8 {
    match source {
        Source::EnvFile { .. } => 0,
        Source::Config(_) => 1,
        Source::Set => 2,
        Source::Pm(_) | Source::Appended(_) => 3,
        Source::Caller => 4,
    }
}

/// Writes one variable per line: its name and value, and behind a `#` where it comes from. What the application
/// sets is first, by source and name; what it inherits is counted, or follows.
fn listing(environment: &Environment, masking: Masking, inherited: Inherited) -> Vec<u8> {
    let mut out = Vec::new();
    let (variables, inherited) = chosen(environment, inherited);
    for (key, value) in variables {
        out.extend_from_slice(key.as_bytes());
        out.push(b'=');
        if masking == Masking::Shown || is_plain(key, &value.source) {
            // One line per variable, whatever is in the value.
            out.extend_from_slice(
                value.text.to_string_lossy().escape_debug().to_string().as_bytes(),
            );
        } else if !value.text.is_empty() {
            out.extend_from_slice(b"****");
        }
        out.extend_from_slice(format!("  # {}\n", origin(&value.source)).as_bytes());
    }
    if inherited > 0 {
        let said =
            format!("# and {inherited} inherited from the environment (`--all` shows them)\n");
        out.extend_from_slice(said.as_bytes());
    }
    out
}

/// Returns the variables that are listed, by source and name, and how many are not.
fn chosen(
    environment: &Environment,
    inherited: Inherited,
) -> (Vec<(&OsString, &app::environment::EnvValue)>, usize) {
    let mut variables: Vec<_> = environment.iter().collect();
    // It keeps the order of the names.
    variables.sort_by_key(|(_, value)| rank(&value.source));
    let count = variables.iter().filter(|(_, value)| value.source == Source::Caller).count();
    match inherited {
        Inherited::Listed => (variables, 0),
        Inherited::Counted => {
            variables.truncate(variables.len() - count);
            (variables, count)
        }
    }
}

/// Says where a value comes from.
fn origin(source: &Source) -> String {
    match source {
        Source::Caller => "environment".to_owned(),
        Source::EnvFile { path, line } => format!("{}:{line}", path.display()),
        Source::Set => "--set".to_owned(),
        Source::Config(place) => place.clone(),
        Source::Pm(rule) => format!("pm: {rule}"),
        Source::Appended(rule) => format!("pm: {rule}, after your own"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(environment: &Environment, masking: Masking, inherited: Inherited) -> String {
        String::from_utf8_lossy(&listing(environment, masking, inherited)).into_owned()
    }

    #[test]
    fn values_are_masked_unless_shown_and_each_says_where_it_comes_from() {
        let mut environment = Environment::default();
        let path = std::sync::Arc::new(".env".into());
        environment.set("KEY", "se\ncret", Source::EnvFile { path, line: 3 });
        environment.set("PORT", "5000", Source::Pm("instance"));
        environment.set("EMPTY", "", Source::Set);
        assert_eq!(
            text(&environment, Masking::Masked, Inherited::Counted),
            "KEY=****  # .env:3\nEMPTY=  # --set\nPORT=5000  # pm: instance\n"
        );
        assert_eq!(
            text(&environment, Masking::Shown, Inherited::Counted),
            "KEY=se\\ncret  # .env:3\nEMPTY=  # --set\nPORT=5000  # pm: instance\n"
        );
    }

    #[test]
    fn what_the_application_sets_is_first_and_what_it_inherits_is_counted() {
        let mut environment = Environment::default();
        let path = std::sync::Arc::new(".env".into());
        for (key, text) in [("A_TOKEN", "secret"), ("HOME", "/home/u"), ("LC_ALL", "C")] {
            environment.set(key, text, Source::Caller);
        }
        environment.set("Z", "z", Source::EnvFile { path, line: 1 });
        environment.set("NODE_OPTIONS", "x", Source::Appended("heap"));
        environment.set("B", "b", Source::Config("pm.toml [defaults.env]".to_owned()));
        environment.set("PORT", "5000", Source::Pm("instance"));
        environment.set("C", "c", Source::Set);
        let own = "Z=****  # .env:1\nB=****  # pm.toml [defaults.env]\nC=****  # --set\n\
                   NODE_OPTIONS=****  # pm: heap, after your own\nPORT=5000  # pm: instance\n";
        assert_eq!(
            text(&environment, Masking::Masked, Inherited::Counted),
            format!("{own}# and 3 inherited from the environment (`--all` shows them)\n")
        );
        assert_eq!(
            text(&environment, Masking::Masked, Inherited::Listed),
            format!(
                "{own}A_TOKEN=****  # environment\nHOME=/home/u  # environment\n\
                 LC_ALL=C  # environment\n"
            )
        );
    }
}
