//! .foreman: foreman's defaults in the current folder, in YAML. Read as foreman reads it (cli.rb,
//! `options`): a map of option names to values, of which it uses those it knows.

use std::fmt;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Spanned};

use super::ConfigError;
use super::layers::{Layer, Origin, Setting};
use super::value::{Color, Scalar, Switch, Value};
use crate::app::Warning;
use crate::app::nearest::nearest;
use crate::app::text::printable;

/// The options that count here, as foreman spells them.
const KNOWN: [&str; 9] = [
    "procfile",
    "root",
    "env",
    "formation",
    "concurrency",
    "port",
    "timeout",
    "color",
    "timestamp",
];

/// A .foreman that has been read.
#[derive(Debug, Default)]
pub struct Foreman {
    /// What it says.
    pub layer: Layer,
    /// What was ignored: keys that foreman does not know either.
    pub warnings: Vec<Warning>,
}

/// Reads the text of a .foreman; `path` is for messages. An empty file says nothing.
pub fn parse(text: &str, path: &Path) -> Result<Foreman, ConfigError> {
    let options = serde_saphyr::options! { duplicate_keys: DuplicateKeyPolicy::LastWins };
    let map: Option<Map> = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let place = error.location().map_or((1, 1), |at| (number(at.line()), number(at.column())));
        let shown = error.without_snippet().to_string();
        let reason = shown.lines().next().unwrap_or("not YAML");
        // The reader says the place in words too.
        let reason = reason.split_once(" at line ").map_or(reason, |(reason, _)| reason).to_owned();
        let hint = Some("write one option per line, as `port: 3000`".to_owned());
        ConfigError { path: path.to_owned(), line: place.0, column: place.1, reason, hint }
    })?;
    let mut read = Foreman::default();
    let Some(Map(entries)) = map else { return Ok(read) };
    let mut old_formation = None;
    for (key, value) in &entries {
        let entry = ForemanOption { key, value, path };
        let session = &mut read.layer.session;
        match key.as_str() {
            "procfile" => session.procfile = entry.value()?,
            "root" => session.root = entry.value()?,
            "env" => session.env_files = entry.value()?,
            "formation" => session.formation = entry.value()?,
            "concurrency" => old_formation = entry.value()?,
            "port" => session.port = entry.value()?,
            "timeout" => session.timeout = entry.value()?,
            "color" => session.color = entry.color()?,
            "timestamp" => session.timestamp = entry.switch()?,
            _ => read.warnings.push(entry.unknown()),
        }
    }
    // `concurrency` is what `formation` was called before foreman 0.58; the new name wins.
    let session = &mut read.layer.session;
    session.formation = session.formation.take().or(old_formation);
    Ok(read)
}

fn number(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// The value of an option. `None`: nothing, or a list or map, which no option takes.
#[derive(Debug)]
enum Node {
    Nothing,
    Scalar(Scalar),
    Other,
}

/// Options with their values, in the order of the file.
struct Map(Vec<(String, Spanned<Node>)>);

struct MapVisitor;

impl<'de> Visitor<'de> for MapVisitor {
    type Value = Map;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("options such as `port: 3000`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Map, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Map(entries))
    }
}

impl<'de> Deserialize<'de> for Map {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MapVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(Scalar::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(Scalar::Integer(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(
            i64::try_from(value).map_or_else(|_| Scalar::Text(value.to_string()), Scalar::Integer),
        ))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(Scalar::Float(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(Scalar::Text(value.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        while access.next_entry::<serde::de::IgnoredAny, serde::de::IgnoredAny>()?.is_some() {}
        Ok(Node::Other)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        while access.next_element::<serde::de::IgnoredAny>()?.is_some() {}
        Ok(Node::Other)
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

/// One option of the file.
struct ForemanOption<'a> {
    key: &'a str,
    value: &'a Spanned<Node>,
    path: &'a Path,
}

fn setting<T>(value: T) -> Setting<T> {
    Setting { value, origin: Origin::Foreman }
}

impl ForemanOption<'_> {
    fn error(&self, reason: &str) -> ConfigError {
        let at = self.value.referenced;
        let hint = None;
        ConfigError {
            path: self.path.to_owned(),
            line: number(at.line()),
            column: number(at.column()),
            reason: printable(reason),
            hint,
        }
    }

    /// Returns the value; `None` for nothing (`port:`, `port: ~`), which foreman takes as not said.
    fn scalar(&self) -> Result<Option<&Scalar>, ConfigError> {
        match &self.value.value {
            Node::Nothing => Ok(None),
            Node::Scalar(scalar) => Ok(Some(scalar)),
            Node::Other => Err(self.error(&format!("`{}` takes a single value", self.key))),
        }
    }

    fn value<T: Value>(&self) -> Result<Option<Setting<T>>, ConfigError> {
        let Some(scalar) = self.scalar()? else { return Ok(None) };
        T::parse(&scalar.to_string()).map(|value| Some(setting(value))).map_err(|invalid| {
            ConfigError {
                hint: invalid.hint().map(str::to_owned),
                ..self.error(&invalid.to_string())
            }
        })
    }

    fn switch(&self) -> Result<Option<Setting<Switch>>, ConfigError> {
        let Some(scalar) = self.scalar()? else { return Ok(None) };
        // To Ruby, everything but false and nil is true.
        let is_off = *scalar == Scalar::Bool(false);
        Ok(Some(setting(if is_off { Switch::Off } else { Switch::On })))
    }

    /// `color: true` colours a pipe too; `false` is foreman's default, a terminal alone.
    fn color(&self) -> Result<Option<Setting<Color>>, ConfigError> {
        let switch = self.switch()?;
        Ok(switch.map(|switch| {
            setting(if switch.value == Switch::On { Color::Always } else { Color::Auto })
        }))
    }

    fn unknown(&self) -> Warning {
        let hint = nearest(self.key, KNOWN).map(|nearest| format!("did you mean `{nearest}`?"));
        Warning {
            path: self.path.to_owned(),
            line: number(self.value.referenced.line()),
            message: format!("unknown option `{}` is ignored", printable(self.key)),
            hint,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::value::Port;

    fn shown(text: &str) -> Result<Vec<String>, String> {
        let read = parse(text, Path::new(".foreman")).map_err(|error| error.to_string())?;
        Ok(read
            .layer
            .session
            .lines()
            .iter()
            .map(|line| format!("{}={}", line.key, line.value))
            .collect())
    }

    #[test]
    fn options_are_read_as_foreman_reads_them() {
        let table: [(&str, &[&str]); 24] = [
            ("", &[]),
            ("\n# nothing\n", &[]),
            ("---\n", &[]),
            ("~", &[]),
            ("port: 3000", &["port=3000"]),
            ("port: '3000'\n", &["port=3000"]),
            ("\u{feff}port: 3000\r\n", &["port=3000"]),
            ("port: 1\nport: 2", &["port=2"]),
            ("port: ~", &[]),
            ("port:", &[]),
            ("procfile: Procfile.dev\nroot: app", &["procfile=Procfile.dev", "root=app"]),
            ("procfile: 123", &["procfile=123"]),
            ("env: .env.shared,.env ", &["env-files=.env.shared,.env"]),
            ("env: \"\"", &["env-files="]),
            ("env: ''", &["env-files="]),
            ("env:", &[]),
            ("formation: all=1,release=0", &["formation=all=1,release=0"]),
            ("concurrency: worker=0", &["formation=worker=0"]),
            ("concurrency: a=1, b=1", &["formation=a=1,b=1"]),
            ("concurrency: a=1\nformation: b=2", &["formation=b=2"]),
            ("timeout: 10", &["timeout=10"]),
            ("timeout: 1_0", &["timeout=10"]),
            ("timestamp: no\ncolor: yes", &["color=always", "timestamp=off"]),
            ("timestamp: true\ncolor: false", &["color=auto", "timestamp=on"]),
        ];
        for (text, expected) in table {
            assert_eq!(
                shown(text),
                Ok(expected.iter().map(|&line| line.to_owned()).collect()),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_value_that_cannot_be_used_is_refused_with_its_place() {
        let table = [
            ("root: .\nport: high", ".foreman:2:7: `high` is not a port number"),
            ("port: 70000", ".foreman:1:7: `70000` is not a port number"),
            ("port: 0", ".foreman:1:7: `0` is not a port number"),
            ("port: [1]", ".foreman:1:7: `port` takes a single value"),
            ("timeout: soon", ".foreman:1:10: `soon` is not a number of seconds"),
            (
                "formation: web=x",
                ".foreman:1:12: count `x` of `web` is neither a whole number from 0 to 65535 nor `auto`",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(shown(text), Err(expected.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn malformed_yaml_is_refused_with_its_line() {
        let table = [
            ("port: 1\nenv: \"open\n", ".foreman:2:"),
            ("port: 1\nenv: a: b", ".foreman:2:"),
            ("just words", ".foreman:1:"),
        ];
        for (text, place) in table {
            assert!(
                shown(text).is_err_and(|error| error.starts_with(place)),
                "{text:?}: {:?}",
                shown(text)
            );
        }
    }

    #[test]
    fn unknown_options_are_ignored_with_a_warning() {
        let read =
            parse("prot: 3000\nport: 1\nqueue-worker: rake x\n", Path::new(".foreman")).unwrap();
        let warnings: Vec<_> = read.warnings.iter().map(ToString::to_string).collect();
        let expected = [
            ".foreman:1: unknown option `prot` is ignored",
            ".foreman:3: unknown option `queue-worker` is ignored",
        ];
        assert_eq!(warnings, expected);
        assert_eq!(read.warnings[0].hint.as_deref(), Some("did you mean `port`?"));
        assert_eq!(read.layer.session.port.map(|port| port.value), Some(Port::Number(1)));
    }
}
