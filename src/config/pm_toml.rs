//! pm.toml: `[defaults]` for the session and every process type, `[process.NAME]` for one of them.
//! The doc comment of each key is its description in the JSON schema (`pm schema`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Deserialize;
use toml::Spanned;

use super::settings::{
    Color, Origin, Pty, Session, Setting, Settings, Switch, TypeSettings, Variables,
};
use super::value::{Choice, NO_PORT, NO_TABLE, Port, Table, Value};
use super::{ConfigError, line_and_column};
use crate::app::formation::{Count, Part};
use crate::app::nearest::nearest;
use crate::app::ports;
use crate::app::text::printable;
use crate::app::{CpuLimit, MemoryAction, Nice, Size};
use crate::app::{ExitOn, Reach, Restart, Signal};
use crate::resources::Gc;

/// Settings of a Procfile application for pm. Flags and PM_* variables win over them.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(title = "pm.toml")]
struct File {
    /// Options of the session, and of every process type that has none of its own.
    #[serde(default)]
    defaults: Defaults,
    /// Options of one process type of the Procfile.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Process>")]
    process: BTreeMap<Spanned<String>, Process>,
}

/// Options of the session, and of every process type that has none of its own.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Defaults {
    /// The Procfile, from the root.
    procfile: Option<PathBuf>,
    /// Env files to read instead of .env; the later wins.
    env_files: Option<Vec<PathBuf>>,
    /// Variables of every process type, over the env files and the environment.
    #[serde(alias = "set")]
    env: Option<Table>,
    /// How many of each: `all=1,web=2`; types that are not listed run 0 times unless `all=N`.
    formation: Option<Value<Vec<Part>>>,
    /// Port of the first type's first instance.
    port: Option<Value<Port>>,
    /// Seconds between the stop signal and SIGKILL.
    timeout: Option<Value<Duration>>,
    /// When to colour.
    color: Option<Choice<Color>>,
    /// Whether the time stands before each line.
    timestamp: Option<bool>,
    /// Form of the time, as in strftime(3).
    timestamp_format: Option<String>,
    /// Whether time and name stand before each line.
    prefix: Option<bool>,
    /// Types that run without their output being printed.
    quiet: Option<Vec<String>>,
    /// Types that do not run.
    except: Option<Vec<String>>,
    /// Which end of an instance ends the session.
    exit_on: Option<Choice<ExitOn>>,
    /// Whether the one-shot type `release` runs first.
    release: Option<bool>,
    /// The memory budget of one instance: `512M`, `1.5G`; a bare number is MiB.
    memory: Option<Value<Size>>,
    /// What happens to an instance that stays over its budget.
    memory_action: Option<Choice<MemoryAction>>,
    /// The heap of one worker, where it is not worked out from `memory`.
    heap: Option<Value<Size>>,
    /// What garbage collection is to save: memory (`size`) or time (`speed`).
    gc: Option<Choice<Gc>>,
    /// Which ends of an instance are restarted.
    restart: Option<Choice<Restart>>,
    /// Restarts in a row, after which an instance has failed for good.
    max_restarts: Option<u32>,
    /// The signal that asks an instance to end.
    stop_signal: Option<Value<Signal>>,
    /// Whom it goes to first; what is left of the group gets it when these have ended.
    stop_signal_to: Option<Choice<Reach>>,
    /// When an instance gets a terminal.
    pty: Option<Choice<Pty>>,
    /// Most open files of one process.
    nofile: Option<u64>,
    /// Niceness, from -20 to 19.
    nice: Option<Value<Nice>>,
    /// CPUs of one instance: a number such as `1.5`, or a range such as `0-3`.
    cpus: Option<Value<CpuLimit>>,
}

/// Options of one process type.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Process {
    /// How many instances, or `auto` for the number of CPUs that pm may use.
    concurrency: Option<Value<Count>>,
    /// The memory budget of one instance: `512M`, `1.5G`; a bare number is MiB.
    memory: Option<Value<Size>>,
    /// What happens to an instance that stays over its budget.
    memory_action: Option<Choice<MemoryAction>>,
    /// The heap of one worker, where it is not worked out from `memory`.
    heap: Option<Value<Size>>,
    /// What garbage collection is to save: memory (`size`) or time (`speed`).
    gc: Option<Choice<Gc>>,
    /// Which ends of an instance are restarted.
    restart: Option<Choice<Restart>>,
    /// Restarts in a row, after which an instance has failed for good.
    max_restarts: Option<u32>,
    /// The signal that asks an instance to end.
    stop_signal: Option<Value<Signal>>,
    /// Whom it goes to first; what is left of the group gets it when these have ended.
    stop_signal_to: Option<Choice<Reach>>,
    /// Seconds between the stop signal and SIGKILL.
    stop_timeout: Option<Value<Duration>>,
    /// When an instance gets a terminal.
    pty: Option<Choice<Pty>>,
    /// Most open files of one process.
    nofile: Option<u64>,
    /// Niceness, from -20 to 19.
    nice: Option<Value<Nice>>,
    /// CPUs of one instance: a number such as `1.5`, or a range such as `0-3`.
    cpus: Option<Value<CpuLimit>>,
    /// Variables of this type alone.
    env: Option<Table>,
    /// The folder that its command runs in, from the root.
    directory: Option<PathBuf>,
}

/// A pm.toml that has been read.
#[derive(Debug, Default)]
pub struct PmToml {
    /// What it says.
    pub settings: Settings,
    /// The place of each `[process.NAME]`.
    places: Vec<(String, (usize, usize))>,
}

/// Reads the text of a pm.toml; `path` is for messages.
pub fn parse(text: &str, path: &Path) -> Result<PmToml, ConfigError> {
    // A byte order mark is no TOML, but Windows editors write it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let file: File = toml::from_str(text).map_err(|error| config_error(&error, text, path))?;
    let places = file
        .process
        .keys()
        .map(|name| (name.get_ref().clone(), line_and_column(text, name.span().start)));
    let places = places.collect();
    if let Some((name, place)) = variable_with_equals(&file) {
        let (line, column) = place.map_or((1, 1), |at| line_and_column(text, at));
        let reason = format!("`{}` is not a valid name of a variable", printable(&name));
        return Err(ConfigError { path: path.to_owned(), line, column, reason, hint: None });
    }
    Ok(PmToml { settings: file.settings(), places })
}

/// Returns a name that no environment can hold, and where its table begins.
fn variable_with_equals(file: &File) -> Option<(String, Option<usize>)> {
    let wrong = |vars: &Option<Table>| {
        let names = vars.as_ref()?.0.keys();
        names.into_iter().find(|name| name.is_empty() || name.contains(['=', '\0'])).cloned()
    };
    let of_types = file
        .process
        .iter()
        .filter_map(|(name, own)| Some((wrong(&own.env)?, Some(name.span().start))));
    wrong(&file.defaults.env).map(|name| (name, None)).into_iter().chain(of_types).next()
}

impl PmToml {
    /// Refuses a `[process.NAME]` whose name is not one of `known`, the types of the Procfile.
    pub fn check_names(&self, known: &[&str], path: &Path) -> Result<(), ConfigError> {
        let Some((name, (line, column))) =
            self.places.iter().find(|(name, _)| !known.contains(&name.as_str()))
        else {
            return Ok(());
        };
        let hint = match nearest(name, known.iter().copied()) {
            Some(nearest) => format!("did you mean `[process.{nearest}]`?"),
            None => format!("the Procfile has: {}", known.join(", ")),
        };
        Err(ConfigError {
            path: path.to_owned(),
            line: *line,
            column: *column,
            reason: format!("no process type `{}` in the Procfile", printable(name)),
            hint: Some(hint),
        })
    }
}

/// Turns an error of the TOML reader into one with a place, and an unknown key into one with a hint.
fn config_error(error: &toml::de::Error, text: &str, path: &Path) -> ConfigError {
    let (line, column) = line_and_column(text, error.span().map_or(0, |span| span.start));
    let message = error.message().lines().next().unwrap_or("not TOML");
    let (reason, hint) = match unknown_key(message) {
        None if message.ends_with(NO_PORT) => (message.to_owned(), Some(ports::HINT.to_owned())),
        None if message == NO_TABLE => {
            let hint =
                "env files are `env-files`, in [defaults]: `env-files = [\".env\"]`".to_owned();
            (message.to_owned(), Some(hint))
        }
        None => (message.to_owned(), None),
        Some((key, known)) => {
            let hint = match nearest(key, known.iter().copied()) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("the keys here are: {}", known.join(", ")),
            };
            (format!("unknown key `{key}`"), Some(hint))
        }
    };
    ConfigError { path: path.to_owned(), line, column, reason, hint }
}

/// Takes serde's ``unknown field `a`, expected one of `b`, `c` `` apart (`serde::de::Error::unknown_field`).
fn unknown_key(message: &str) -> Option<(&str, Vec<&str>)> {
    let rest = message.strip_prefix("unknown field `")?;
    let (key, known) = rest.split_once("`, expected ")?;
    Some((key, known.split('`').skip(1).step_by(2).collect()))
}

/// Returns the JSON schema of pm.toml, from the structs that read it, with a newline at its end. Draft 7:
/// the newest that the TOML plugins of editors know.
pub fn schema() -> String {
    let schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<File>();
    let mut schema = schema.to_value();
    drop_null(&mut schema);
    // A value of strings, numbers and maps always has a text.
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

/// Takes `null` out of what an optional key may be: TOML has no such value.
fn drop_null(schema: &mut serde_json::Value) {
    match schema {
        serde_json::Value::Array(items) => items.iter_mut().for_each(drop_null),
        serde_json::Value::Object(object) => {
            for (key, value) in object.iter_mut() {
                if let ("type" | "enum" | "anyOf", serde_json::Value::Array(items)) =
                    (key.as_str(), &mut *value)
                {
                    items
                        .retain(|item| !item.is_null() && item != "null" && item["type"] != "null");
                    if let ("type", [only]) = (key.as_str(), items.as_slice()) {
                        *value = only.clone();
                    }
                }
                drop_null(value);
            }
        }
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => {}
    }
}

fn from_file<T>(value: T) -> Setting<T> {
    Setting { value, origin: Origin::PmToml }
}

fn plain<T>(value: Option<Value<T>>) -> Option<Setting<T>> {
    value.map(|Value(value)| from_file(value))
}

fn choice<T>(value: Option<Choice<T>>) -> Option<Setting<T>> {
    value.map(|Choice(value)| from_file(value))
}

fn switch(value: Option<bool>) -> Option<Setting<Switch>> {
    value.map(|is_on| from_file(if is_on { Switch::On } else { Switch::Off }))
}

fn variables(value: Option<Table>) -> Option<Setting<Variables>> {
    value.map(|Table(vars)| {
        from_file(vars.into_iter().map(|(name, Value(text))| (name, text)).collect())
    })
}

impl File {
    fn settings(self) -> Settings {
        let types = self.process.into_iter().map(|(name, own)| (name.into_inner(), own.settings()));
        let types = types.collect();
        let (session, all) = self.defaults.settings();
        Settings { session, all, types }
    }
}

impl Defaults {
    fn settings(self) -> (Session, TypeSettings) {
        let session = Session {
            procfile: self.procfile.map(from_file),
            root: None,
            env: self.env_files.map(from_file),
            set: variables(self.env),
            formation: plain(self.formation),
            port: self.port.map(|Value(Port(port))| from_file(port)),
            timeout: plain(self.timeout),
            color: choice(self.color),
            timestamp: switch(self.timestamp),
            timestamp_format: self.timestamp_format.map(from_file),
            prefix: switch(self.prefix),
            quiet: self.quiet.map(from_file),
            except: self.except.map(from_file),
            exit_on: choice(self.exit_on),
            release: switch(self.release),
        };
        let all = TypeSettings {
            concurrency: None,
            memory: plain(self.memory),
            memory_action: choice(self.memory_action),
            heap: plain(self.heap),
            gc: choice(self.gc),
            restart: choice(self.restart),
            max_restarts: self.max_restarts.map(from_file),
            stop_signal: plain(self.stop_signal),
            stop_signal_to: choice(self.stop_signal_to),
            stop_timeout: None,
            pty: choice(self.pty),
            nofile: self.nofile.map(from_file),
            nice: plain(self.nice),
            cpus: plain(self.cpus),
            env: None,
            directory: None,
        };
        (session, all)
    }
}

impl Process {
    fn settings(self) -> TypeSettings {
        TypeSettings {
            concurrency: plain(self.concurrency),
            memory: plain(self.memory),
            memory_action: choice(self.memory_action),
            heap: plain(self.heap),
            gc: choice(self.gc),
            restart: choice(self.restart),
            max_restarts: self.max_restarts.map(from_file),
            stop_signal: plain(self.stop_signal),
            stop_signal_to: choice(self.stop_signal_to),
            stop_timeout: plain(self.stop_timeout),
            pty: choice(self.pty),
            nofile: self.nofile.map(from_file),
            nice: plain(self.nice),
            cpus: plain(self.cpus),
            env: variables(self.env),
            directory: self.directory.map(from_file),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        parse(text, Path::new("pm.toml")).map(|file| file.settings).map_err(|error| {
            match &error.hint {
                Some(hint) => format!("{error}\nhint: {hint}"),
                None => error.to_string(),
            }
        })
    }

    fn shown(text: &str) -> Result<Vec<String>, String> {
        let settings = read(text)?;
        let mut lines = Vec::new();
        for (name, found) in [("", settings.session.lines()), ("all.", settings.all.lines())] {
            lines.extend(found.iter().map(|line| format!("{name}{}={}", line.key, line.value)));
        }
        for (name, own) in &settings.types {
            lines.extend(
                own.lines().iter().map(|line| format!("{name}.{}={}", line.key, line.value)),
            );
        }
        Ok(lines)
    }

    #[test]
    fn values_are_read_in_every_spelling() {
        let table: [(&str, &[&str]); 16] = [
            ("", &[]),
            ("\u{feff}[defaults]\nport = 3000", &["port=3000"]),
            (
                "[process.web]\nmemory = 512\nheap = \"1.5G\"",
                &["web.memory=512 MiB", "web.heap=1536 MiB"],
            ),
            ("[process.web]\nconcurrency = 2", &["web.concurrency=2"]),
            ("[process.web]\nconcurrency = \"auto\"", &["web.concurrency=auto"]),
            (
                "[process.web]\nstop-timeout = 1.5\nstop-signal = \"int\"",
                &["web.stop-signal=SIGINT", "web.stop-timeout=1.5"],
            ),
            ("[process.web]\nstop-signal = 3", &["web.stop-signal=SIGQUIT"]),
            (
                "[defaults]\nstop-signal-to = \"group\"\n[process.web]\nstop-signal-to = \"program\"",
                &["all.stop-signal-to=group", "web.stop-signal-to=program"],
            ),
            ("[process.\"a-b\"]\ncpus = 1.5", &["a-b.cpus=1.5"]),
            ("[process.web]\ncpus = \"0-3\"\nnice = -5", &["web.nice=-5", "web.cpus=0-3"]),
            ("[process.web.env]\nA = 1\nB = true\nC = \"x\"", &["web.env=A,B,C"]),
            ("[defaults]\nenv-files = []\ntimestamp = false", &["env-files=", "timestamp=off"]),
            ("[defaults]\nenv-files = [\".env\"]\nenv = { A = 1 }", &["env-files=.env", "env=A"]),
            ("[defaults]\nset = { A = 1, B = true }", &["env=A,B"]),
            ("[defaults]\nformation = \"all=1,web=auto\"", &["formation=all=1,web=auto"]),
            (
                "[defaults]\nmemory = \"1G\"\n[process]\nweb = { gc = \"size\" }",
                &["all.memory=1024 MiB", "web.gc=size"],
            ),
        ];
        for (text, expected) in table {
            assert_eq!(
                shown(text),
                Ok(expected.iter().map(|&line| line.to_owned()).collect()),
                "{text}"
            );
        }
    }

    #[test]
    fn mistakes_are_refused_with_their_place() {
        let table = [
            (
                "[process.web]\nmemroy = 512",
                "pm.toml:2:1: unknown key `memroy`\nhint: did you mean `memory`?",
            ),
            (
                "[process.web]\nwatch = true",
                "pm.toml:2:1: unknown key `watch`\nhint: the keys here are: concurrency, memory, memory-action, heap, gc, \
                 restart, max-restarts, stop-signal, stop-signal-to, stop-timeout, pty, nofile, nice, cpus, env, directory",
            ),
            (
                "[default]\nport = 1",
                "pm.toml:1:2: unknown key `default`\nhint: did you mean `defaults`?",
            ),
            ("[process.web]\n  gc = \"fast\"", "pm.toml:2:8: `fast` is not one of `size`, `speed`"),
            ("[process.web]\nmemory = \"lots\"", "pm.toml:2:10: `lots` is not an amount of memory"),
            ("[process.web]\nmemory = -1", "pm.toml:2:10: `-1` is not an amount of memory"),
            (
                "[process.web]\nmemory = [1]",
                "pm.toml:2:10: invalid type: sequence, expected a single value",
            ),
            (
                "[process.web]\nconcurrency = -1",
                "pm.toml:2:15: `-1` is neither a number of instances nor `auto`",
            ),
            ("[process.web]\nstop-signal = \"NOPE\"", "pm.toml:2:15: there is no signal `NOPE`"),
            (
                "[process.web]\nstop-signal-to = \"all\"",
                "pm.toml:2:18: `all` is not one of `program`, `group`",
            ),
            ("[process.web]\nstop-timeout = -1", "pm.toml:2:16: `-1` is not a number of seconds"),
            (
                "[defaults]\nformation = \"web=x\"",
                "pm.toml:2:13: count `x` of `web` is not a number",
            ),
            (
                "[defaults]\nenv = [\".env\", \"dev.env\"]",
                "pm.toml:2:7: `env` is a table of variables: `env = { NAME = \"value\" }`\n\
                 hint: env files are `env-files`, in [defaults]: `env-files = [\".env\"]`",
            ),
            (
                "[process.web]\nenv = \"dev.env\"",
                "pm.toml:2:7: `env` is a table of variables: `env = { NAME = \"value\" }`\n\
                 hint: env files are `env-files`, in [defaults]: `env-files = [\".env\"]`",
            ),
            (
                "[process.web]\nenv = { \"A=B\" = 1 }",
                "pm.toml:1:10: `A=B` is not a valid name of a variable",
            ),
            ("[process.web]\nenv = { A = \"\\u0000\" }", "pm.toml:2:13: a value cannot hold a NUL"),
            (
                "[defaults]\nport = 70000",
                "pm.toml:2:8: `70000` is not a port number\nhint: a port is a number from 1 to 65535",
            ),
            (
                "[defaults]\nport = 0",
                "pm.toml:2:8: `0` is not a port number\nhint: a port is a number from 1 to 65535",
            ),
            ("[process.web]\nnice = 20", "pm.toml:2:8: `20` is not a niceness from -20 to 19"),
        ];
        for (text, expected) in table {
            assert_eq!(read(text).map(|_| ()), Err(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn broken_toml_is_refused_with_its_place() {
        for (text, place) in [
            ("[defaults\nport = 1", "pm.toml:1:"),
            ("a = 1\nb = ", "pm.toml:2:"),
            ("[a]\n[a]", "pm.toml:2:"),
        ] {
            assert!(
                read(text).is_err_and(|error| error.starts_with(place)),
                "{text}: {:?}",
                read(text)
            );
        }
    }

    #[test]
    fn a_process_that_the_procfile_lacks_is_refused_with_the_nearest() {
        let path = Path::new("pm.toml");
        let file = parse("[process.web]\n[process.wokrer]\ngc = \"size\"", path).unwrap();
        let error = file.check_names(&["web", "worker"], path).unwrap_err();
        assert_eq!(error.to_string(), "pm.toml:2:10: no process type `wokrer` in the Procfile");
        assert_eq!(error.hint.as_deref(), Some("did you mean `[process.worker]`?"));
        assert_eq!(file.check_names(&["web", "wokrer"], path), Ok(()));
    }

    /// Returns the keys of `table` in the schema.
    fn keys_of(schema: &serde_json::Value, table: &str) -> Vec<String> {
        let properties = &schema["definitions"][table]["properties"];
        properties.as_object().map(|keys| keys.keys().cloned().collect()).unwrap_or_default()
    }

    #[test]
    fn the_example_has_every_key_and_says_what_it_is() {
        let text = include_str!("../../examples/pm.toml");
        let file = parse(text, Path::new("examples/pm.toml")).unwrap();
        let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
        let example: toml::Table = text.parse().unwrap();
        let (defaults, process) = (keys_of(&schema, "Defaults"), keys_of(&schema, "Process"));
        assert!(!defaults.is_empty() && !process.is_empty());
        for key in defaults {
            assert!(example["defaults"].get(&key).is_some(), "[defaults] {key}");
        }
        let types = example["process"].as_table().unwrap();
        for key in process {
            assert!(types.values().any(|own| own.get(&key).is_some()), "[process.x] {key}");
        }
        // Every key stands under a comment of its own.
        for (before, line) in text.lines().zip(text.lines().skip(1)) {
            let is_key = line.contains(" = ") && !line.starts_with('#');
            assert!(
                !is_key || before.starts_with('#') || before.starts_with("[process.web.env]"),
                "no comment: {line}"
            );
        }
        assert_eq!(file.settings.types.keys().collect::<Vec<_>>(), ["web", "worker"]);
    }

    #[test]
    fn the_schema_refuses_unknown_keys_and_lists_the_words() {
        let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
        assert_eq!(schema["additionalProperties"], serde_json::json!(false));
        let process = &schema["definitions"]["Process"];
        assert_eq!(process["additionalProperties"], serde_json::json!(false));
        assert_eq!(process["properties"]["gc"]["enum"], serde_json::json!(["size", "speed"]));
        assert_eq!(process["properties"]["gc"]["type"], "string");
        assert!(!schema.to_string().contains("null"), "{schema}");
        assert_eq!(
            process["properties"]["stop-timeout"]["description"],
            "Seconds between the stop signal and SIGKILL."
        );
    }
}
