//! pm.toml: `[defaults]` for the session and every process type, `[process.NAME]` for one of them.

use std::path::Path;

use serde::de::IntoDeserializer;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::layers::{Layer, Origin, Setting};
use super::spec::{Spec, Tables};
use super::table::{SessionSettings, TypeSettings};
use super::value::{HINT, Read, Value, Variables};
use super::{ConfigError, line_and_column};
use crate::app::nearest::nearest;
use crate::app::text::printable;

/// A pm.toml that has been read.
#[derive(Debug, Default)]
pub struct PmToml {
    /// What it says.
    pub layer: Layer,
    /// The place of each `[process.NAME]`.
    places: Vec<(String, (usize, usize))>,
    /// The places of the entries of [`PLACED`].
    entries: Vec<EntryPlaces>,
}

/// The table of what holds for all types.
const DEFAULTS: &str = "defaults";
/// Keys whose entries are named by their places in messages.
const PLACED: [&str; 2] = ["depends-on", "watch"];

/// Line and column of each entry of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
struct EntryPlaces {
    /// The process type, or [`DEFAULTS`].
    name: String,
    key: &'static str,
    places: Vec<(usize, usize)>,
}

/// The options of `[defaults]`: those of the session, and those of process types that fit every type.
pub(super) fn of_defaults() -> impl Iterator<Item = &'static Spec> {
    let all = SessionSettings::TABLE.iter().chain(TypeSettings::TABLE);
    all.filter(|spec| spec.tables == Tables::Defaults)
}

/// The options of `[process.NAME]`.
pub(super) fn of_process() -> impl Iterator<Item = &'static Spec> {
    TypeSettings::TABLE.iter()
}

impl PmToml {
    /// Returns line and column of an entry of `depends-on` or `watch` that holds for a process type, by its position.
    pub fn place_of_entry(&self, name: &str, key: &str, at: usize) -> Option<(usize, usize)> {
        let of = |name: &str| {
            self.entries.iter().find(|entries| entries.name == name && entries.key == key)
        };
        let entries = of(name).or_else(|| of(DEFAULTS))?;
        entries.places.get(at).copied()
    }

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

/// Reads the text of a pm.toml; `path` is for messages.
pub fn parse(text: &str, path: &Path) -> Result<PmToml, ConfigError> {
    // A byte order mark is no TOML, but Windows editors write it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = TomlText { text, path };
    let file = DeTable::parse(text).map_err(|error| source.refused(&error, 0))?;
    let mut read = PmToml::default();
    for (key, value) in file.into_inner() {
        match key.get_ref().as_ref() {
            DEFAULTS => {
                read.entries.extend(source.places_of_entries(DEFAULTS, &value));
                source.defaults(value, &mut read.layer)?;
            }
            "process" => {
                for (name, value) in source.table(value)? {
                    let place = line_and_column(text, name.span().start);
                    let name = name.into_inner().into_owned();
                    read.entries.extend(source.places_of_entries(&name, &value));
                    source.process(
                        value,
                        read.layer.types.entry(name.clone()).or_default(),
                        place,
                    )?;
                    read.places.push((name, place));
                }
            }
            _ => return Err(source.unknown(&key, &[DEFAULTS, "process"])),
        }
    }
    Ok(read)
}

/// The value of a key.
struct TomlValue<'a>(Spanned<DeValue<'a>>);

impl Read for TomlValue<'_> {
    type Error = toml::de::Error;

    fn read<T: Value>(self) -> Result<Setting<T>, Self::Error> {
        T::from_toml(self.0.into_deserializer())
            .map(|value| Setting { value, origin: Origin::PmToml })
    }
}

/// The text that is read, for messages.
#[derive(Clone, Copy)]
struct TomlText<'a> {
    text: &'a str,
    path: &'a Path,
}

impl<'a> TomlText<'a> {
    fn defaults(self, value: Spanned<DeValue<'a>>, layer: &mut Layer) -> Result<(), ConfigError> {
        self.options(value, of_defaults, |spec, value| layer.set(spec, value))?;
        self.names(layer.session.env.as_ref(), (1, 1))
    }

    fn process(
        self,
        value: Spanned<DeValue<'a>>,
        own: &mut TypeSettings,
        place: (usize, usize),
    ) -> Result<(), ConfigError> {
        self.options(value, of_process, |spec, value| own.set(spec, value))?;
        self.names(own.env.as_ref(), place)
    }

    /// Returns the places of what a table has of [`PLACED`].
    fn places_of_entries(self, name: &str, table: &Spanned<DeValue<'a>>) -> Vec<EntryPlaces> {
        let table = table.get_ref().as_table();
        let places = |key: &'static str| {
            let value = table?.get(key)?;
            let starts: Vec<_> = match value.get_ref() {
                DeValue::Array(list) => list.iter().map(|entry| entry.span().start).collect(),
                _ => vec![value.span().start],
            };
            let places = starts.into_iter().map(|at| line_and_column(self.text, at)).collect();
            Some(EntryPlaces { name: name.to_owned(), key, places })
        };
        PLACED.into_iter().filter_map(places).collect()
    }

    /// Reads a table of options.
    fn options<I: Iterator<Item = &'static Spec>>(
        self,
        value: Spanned<DeValue<'a>>,
        known: fn() -> I,
        mut set: impl FnMut(&Spec, TomlValue<'a>) -> Result<(), toml::de::Error>,
    ) -> Result<(), ConfigError> {
        let mut seen = Vec::new();
        for (key, value) in self.table(value)? {
            let name = key.get_ref().as_ref();
            let Some(spec) = known().find(|spec| spec.key == name || spec.old_key == Some(name))
            else {
                return Err(self.unknown(&key, &known().map(|spec| spec.key).collect::<Vec<_>>()));
            };
            if seen.contains(&spec.key) {
                return Err(self.error(key.span().start, format!("duplicate field `{}`", spec.key)));
            }
            seen.push(spec.key);
            let at = value.span().start;
            set(spec, TomlValue(value)).map_err(|error| self.refused(&error, at))?;
        }
        Ok(())
    }

    fn table(self, value: Spanned<DeValue<'a>>) -> Result<DeTable<'a>, ConfigError> {
        let start = value.span().start;
        match value.into_inner() {
            DeValue::Table(table) => Ok(table),
            other => {
                Err(self
                    .error(start, format!("invalid type: {}, expected a table", other.type_str())))
            }
        }
    }

    /// Refuses a name that no environment can hold; `place` is that of its table.
    fn names(
        self,
        variables: Option<&Setting<Variables>>,
        (line, column): (usize, usize),
    ) -> Result<(), ConfigError> {
        let mut names = variables.into_iter().flat_map(|variables| variables.value.keys());
        let Some(name) = names.find(|name| name.is_empty() || name.contains(['=', '\0'])) else {
            return Ok(());
        };
        let reason = format!("`{}` is not a valid name of a variable", printable(name));
        Err(ConfigError { line, column, reason, ..self.error(0, String::new()) })
    }

    fn error(self, at: usize, reason: String) -> ConfigError {
        let (line, column) = line_and_column(self.text, at);
        ConfigError { path: self.path.to_owned(), line, column, reason, hint: None }
    }

    /// Turns an error of the TOML reader into one with a place, which is `at` where it has none.
    fn refused(self, error: &toml::de::Error, at: usize) -> ConfigError {
        let (reason, hint) = match error.message().split_once(HINT) {
            Some((reason, hint)) => (reason, Some(hint.to_owned())),
            None => (error.message(), None),
        };
        let reason = reason.lines().next().unwrap_or("not TOML").to_owned();
        ConfigError { hint, ..self.error(error.span().map_or(at, |span| span.start), reason) }
    }

    fn unknown(self, key: &Spanned<std::borrow::Cow<'_, str>>, known: &[&str]) -> ConfigError {
        let hint = match nearest(key.get_ref(), known.iter().copied()) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("the keys here are: {}", known.join(", ")),
        };
        let name = printable(key.get_ref());
        let error = self.error(key.span().start, format!("unknown key `{name}`"));
        ConfigError { hint: Some(hint), ..error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Layer, String> {
        parse(text, Path::new("pm.toml")).map(|file| file.layer).map_err(|error| {
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
        let table: [(&str, &[&str]); 20] = [
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
            (
                "[process.web]\nready = \"port\"\nlive = \"http:/up\"",
                &["web.ready=port", "web.live=http:/up"],
            ),
            (
                "[process.web]\nready = [\"log:a, b\", \"http:/up=200,401\"]\nready-timeout = \"1.5s\"",
                &["web.ready=log:a, b, http:/up=200,401", "web.ready-timeout=1.5"],
            ),
            (
                "[process.web]\ndepends-on = [\"db\", \"api:started\"]\nonce = true",
                &["web.depends-on=db,api:started", "web.once=on"],
            ),
            (
                "[process.web]\ndepends-on = \"db.1\"\nlive-interval = 2\nlive-failures = 5",
                &["web.depends-on=db.1", "web.live-interval=2", "web.live-failures=5"],
            ),
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

    /// Each text is refused with this error, its place and its hint.
    fn assert_refused(table: &[(&str, &str)]) {
        for (text, expected) in table {
            assert_eq!(read(text).map(|_| ()), Err((*expected).to_owned()), "{text}");
        }
    }

    #[test]
    fn a_key_that_is_unknown_or_twice_or_no_table_is_refused_with_its_place() {
        assert_refused(&[
            (
                "[process.web]\nmemroy = 512",
                "pm.toml:2:1: unknown key `memroy`\nhint: did you mean `memory`?",
            ),
            (
                "[process.web]\nzzz = true",
                "pm.toml:2:1: unknown key `zzz`\nhint: the keys here are: concurrency, memory, memory-action, heap, gc, \
                 restart, max-restarts, stop-signal, stop-signal-to, stop-timeout, pty, nofile, nice, cpus, ready, \
                 ready-timeout, depends-on, once, live, live-interval, live-failures, on-dependency-restart, watch, \
                 watch-debounce, watch-action, watch-poll, proxy, proxy-bind, proxy-wait, drain, update, \
                 share-port, env, directory",
            ),
            (
                "[\"default\\n\"]",
                "pm.toml:1:2: unknown key `default\\n`\nhint: did you mean `defaults`?",
            ),
            (
                "[default]\nport = 1",
                "pm.toml:1:2: unknown key `default`\nhint: did you mean `defaults`?",
            ),
            ("[defaults]\nenv = {}\nset = {}", "pm.toml:3:1: duplicate field `env`"),
            ("[process]\nweb = 1", "pm.toml:2:7: invalid type: integer, expected a table"),
        ]);
    }

    #[test]
    fn a_value_that_does_not_fit_is_refused_with_its_place() {
        assert_refused(&[
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
                "pm.toml:2:13: count `x` of `web` is neither a whole number from 0 to 65535 nor `auto`",
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
        ]);
    }

    #[test]
    fn what_probes_and_fronts_cannot_be_is_refused_with_its_place() {
        assert_refused(&[
            (
                "[process.web]\nready = [\n  \"port\",\n  \"prot\",\n]",
                "pm.toml:2:9: `prot` is not one of port, port:N, http:/path, http://host:port/path, log:REGEX, \
                 cmd:COMMAND, notify, delay:TIME",
            ),
            (
                "[process.web]\nready = 5",
                "pm.toml:2:9: invalid type: integer `5`, expected a text or a list of them",
            ),
            (
                "[process.web]\nready = \"port:0\"",
                "pm.toml:2:9: `port:0` does not end in a port number",
            ),
            (
                "[process.web]\nready-timeout = 0",
                "pm.toml:2:17: `0` is not a time over 0, such as `60` or `\"2s\"`",
            ),
            (
                "[process.web]\nlive = \"log:up\"",
                "pm.toml:2:8: `log:up` cannot be checked repeatedly: `live` is one of http:, cmd:, port, notify",
            ),
            (
                "[process.web]\nlive = \"web\"",
                "pm.toml:2:8: `web` is not a check: `live` is one of http:, cmd:, port, notify",
            ),
            ("[process.web]\nlive-failures = 0", "pm.toml:2:17: `0` is not a number from 1"),
            (
                "[process.web]\nonce = \"yes\"",
                "pm.toml:2:8: invalid type: string \"yes\", expected a boolean",
            ),
            (
                "[process.web]\nproxy = \"web\"",
                "pm.toml:2:9: invalid type: string \"web\", expected true, false or a port",
            ),
            (
                "[process.web]\nproxy = 99999",
                "pm.toml:2:9: `99999` is not a port number\nhint: a port is a number from 1 to 65535",
            ),
            (
                "[process.web]\nproxy-bind = \"lan\"",
                "pm.toml:2:14: `lan` is not an IP address, such as `0.0.0.0` or `::1`",
            ),
            ("[process.web]\ndrain = \"x\"", "pm.toml:2:9: `x` is not a number of seconds"),
            (
                "[process.web]\nupdate = \"roll\"",
                "pm.toml:2:10: `roll` is not one of `stop-start`, `rolling`",
            ),
        ]);
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
}
