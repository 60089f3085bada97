//! What every instance is told of the session that it belongs to, and of where the others are: `PM_PORT_WEB`,
//! `PM_URL_WEB`. pm.toml may write `${PM_PORT_WEB}` in the variables that it sets; an env file may not, whose values
//! are data.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::environment::{EnvValue, Environment, Source};
use super::process_type::{App, ProcessType};

/// Where these variables come from, for `pm env`. They are no reason to start an instance again.
const SOURCE: Source = Source::Pm("session");

/// What a reference begins with.
const OPEN: &[u8] = b"${PM_";

/// Returns whether a value is one of these.
pub(crate) fn is_of_session(source: &Source) -> bool {
    *source == SOURCE
}

/// What instances are told of the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SessionFacts {
    /// The name of the root, or its branch: what tells one checkout from another.
    pub(crate) name: String,
    /// The process id of the session, where there is one.
    pub(crate) session: Option<u32>,
}

impl SessionFacts {
    /// Adds PM_ROOT, PM_NAME and PM_SESSION.
    pub(crate) fn add_to(&self, environment: &mut Environment, root: &OsStr) {
        environment.set("PM_ROOT", root, SOURCE);
        environment.set("PM_NAME", &self.name, SOURCE);
        if let Some(session) = self.session {
            environment.set("PM_SESSION", session.to_string(), SOURCE);
        }
    }
}

/// Returns what a process type is called in a variable: in upper case, every other character a `_`.
pub(crate) fn key(name: &str) -> String {
    let one = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    name.chars().map(one).collect()
}

/// Returns the address of a port on this machine.
pub(crate) fn url(port: u16) -> String {
    format!("http://localhost:{port}")
}

/// Returns the ports and addresses of every process type: of its front, else of its first instance.
pub(super) fn ports_environment(app: &App) -> Environment {
    let mut environment = Environment::default();
    // Of two types with one key, the first has it.
    for (own, number) in ports(app).into_iter().rev() {
        let (name, port, key) = (&own.name, number.to_string(), key(&own.name));
        environment.set(format!("PM_PORT_{key}"), &port, SOURCE);
        environment.set(format!("PM_URL_{key}"), url(number), SOURCE);
        environment.set(format!("OVERMIND_PROCESS_{name}_PORT"), &port, SOURCE);
    }
    environment
}

/// Returns the port at which each type is reached, where it has one.
fn ports(app: &App) -> Vec<(&ProcessType, u16)> {
    let of_type = |(own, process_type)| Some((own, app.address_of(process_type)?));
    app.types.iter().zip(0..).filter_map(of_type).collect()
}

/// Adds to `to` what pm.toml sets with references, with the ports in their place: for all types, and over it for one.
pub(crate) fn resolve_references(app: &App, of_type: &Environment, to: &mut Environment) {
    resolve_references_at(app, of_type, to, |_| None);
}

/// As [`resolve_references`], where a type that `host` names is not on this machine, but on that host.
pub(crate) fn resolve_references_at(
    app: &App,
    of_type: &Environment,
    to: &mut Environment,
    host: impl Fn(&ProcessType) -> Option<String>,
) {
    let mut known = None;
    for (key, value) in referring(app, of_type) {
        let known = known.get_or_insert_with(|| variables(app, &host));
        let text = replace(&value.text, |name| known.get(name).cloned());
        to.set(key, text, value.source.clone());
    }
}

/// Returns what pm.toml sets for a type and may refer to others.
fn referring<'a>(
    app: &'a App,
    of_type: &'a Environment,
) -> impl Iterator<Item = (&'a OsString, &'a EnvValue)> {
    let of_all = app.environment.iter().filter(|(key, _)| of_type.get(key).is_none());
    of_all.chain(of_type.iter()).filter(|(_, value)| may_refer(&value.source, &value.text))
}

/// A reference of pm.toml to a process type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference<'a> {
    /// The variable that has it.
    pub(crate) key: String,
    /// The type that it refers to.
    pub(crate) to: &'a ProcessType,
    /// What it says.
    pub(crate) what: Referred,
}

/// What a reference says of a process type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Referred {
    /// Its address.
    Url,
    /// Its port, and beside it that it is on this machine: `localhost:${PM_PORT_API}`.
    PortHere,
    /// Its port.
    Port,
}

/// Returns the references in the variables of a type, each once.
pub(crate) fn references<'a>(app: &'a App, of_type: &Environment) -> Vec<Reference<'a>> {
    const THIS_MACHINE: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];
    let mut found: Vec<Reference<'a>> = Vec::new();
    for (key, value) in referring(app, of_type) {
        let text = value.text.to_string_lossy();
        let has_host = THIS_MACHINE.iter().any(|host| text.contains(host));
        replace(&value.text, |name| {
            let (what, of) = match name.strip_prefix("PM_URL_") {
                Some(of) => (Referred::Url, of),
                None if has_host => (Referred::PortHere, name.strip_prefix("PM_PORT_")?),
                None => (Referred::Port, name.strip_prefix("PM_PORT_")?),
            };
            let to = app.types.iter().find(|other| self::key(&other.name) == of)?;
            let key = key.to_string_lossy().into_owned();
            let reference = Reference { key, to, what };
            if !found.contains(&reference) {
                found.push(reference);
            }
            None
        });
    }
    found
}

/// A reference to a process type that the Procfile does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnknownReference {
    /// The variable that has it.
    pub(crate) key: String,
    /// What it refers to: `PM_PORT_NOPE`.
    pub(crate) name: String,
    /// Where it was set.
    pub(crate) place: String,
    /// What it could refer to.
    pub(crate) known: Vec<String>,
}

/// Returns the first reference of pm.toml that means nothing.
pub(crate) fn unknown_reference(app: &App) -> Option<UnknownReference> {
    let all = std::iter::once(&app.environment).chain(app.types.iter().map(|own| &own.environment));
    let known = variables(app, |_| None);
    all.flat_map(Environment::iter)
        .filter(|(_, value)| may_refer(&value.source, &value.text))
        .find_map(|(key, value)| {
            let mut unknown = None;
            replace(&value.text, |name| {
                if !known.contains_key(name) {
                    unknown.get_or_insert_with(|| name.to_owned());
                }
                None
            });
            let Source::Config(place) = &value.source else { return None };
            Some(UnknownReference {
                key: key.to_string_lossy().into_owned(),
                name: unknown?,
                place: place.clone(),
                known: known.keys().filter(|name| name.starts_with("PM_PORT_")).cloned().collect(),
            })
        })
}

fn may_refer(source: &Source, text: &OsStr) -> bool {
    matches!(source, Source::Config(_))
        && text.as_bytes().windows(OPEN.len()).any(|part| part == OPEN)
}

/// Returns what can be referred to.
fn variables(app: &App, host: impl Fn(&ProcessType) -> Option<String>) -> BTreeMap<String, String> {
    let of_type = |(own, port): (&ProcessType, u16)| {
        let key = key(&own.name);
        let url = host(own).map_or_else(|| url(port), |host| format!("http://{host}:{port}"));
        [(format!("PM_PORT_{key}"), port.to_string()), (format!("PM_URL_{key}"), url)]
    };
    ports(app).into_iter().rev().flat_map(of_type).collect()
}

/// Replaces `${PM_PORT_X}` and `${PM_URL_X}` by what `value` says of the name; what it does not know stays, as does
/// every other text.
fn replace(text: &OsStr, mut value: impl FnMut(&str) -> Option<String>) -> OsString {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some(at) = rest.windows(OPEN.len()).position(|part| part == OPEN) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let end = rest.iter().position(|byte| *byte == b'}');
        let name = end.and_then(|end| std::str::from_utf8(&rest[2..end]).ok());
        let is_of_port = |name: &&str| name.starts_with("PM_PORT_") || name.starts_with("PM_URL_");
        match (end, name.filter(is_of_port).and_then(&mut value)) {
            (Some(end), Some(value)) => {
                out.extend_from_slice(value.as_bytes());
                rest = &rest[end + 1..];
            }
            (_, _) => {
                out.extend_from_slice(OPEN);
                rest = &rest[OPEN.len()..];
            }
        }
    }
    out.extend_from_slice(rest);
    OsString::from_vec(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{ExitOn, Front, InstanceId};

    fn app(names: &[&str]) -> App {
        App {
            root: "/srv/shop".into(),
            types: names.iter().map(|name| ProcessType::of(name, "true")).collect(),
            environment: Environment::default(),
            base_port: 23_000,
            exit_on: ExitOn::Failure,
        }
    }

    fn config() -> Source {
        Source::Config("pm.toml [process.web.env]".to_owned())
    }

    #[test]
    fn every_instance_learns_the_ports_and_addresses_of_all() {
        let mut app = app(&["web", "my-api"]);
        app.types[1].count = 0;
        let facts = SessionFacts { name: "shop".to_owned(), session: Some(812) };
        facts.add_to(&mut app.environment, "/srv/shop".as_ref());
        for process_type in 0..2 {
            let all = app.environment_of(InstanceId { process_type, number: 1 });
            for (key, expected) in [
                ("PM_PORT_WEB", "23000"),
                ("PM_URL_WEB", "http://localhost:23000"),
                ("OVERMIND_PROCESS_web_PORT", "23000"),
                ("PM_PORT_MY_API", "23100"),
                ("PM_URL_MY_API", "http://localhost:23100"),
                ("OVERMIND_PROCESS_my-api_PORT", "23100"),
                ("PM_ROOT", "/srv/shop"),
                ("PM_NAME", "shop"),
                ("PM_SESSION", "812"),
            ] {
                let value = all.get(key).map(|value| value.text.to_string_lossy().into_owned());
                assert_eq!(value.as_deref(), Some(expected), "{key}");
            }
        }
    }

    #[test]
    fn the_address_of_a_type_with_a_front_is_the_fronts() {
        let mut app = app(&["web", "api"]);
        app.types[0].front = Some(Front::default());
        app.types[1].front = Some(Front { port: Some(8080), ..Front::default() });
        for process_type in 0..2 {
            let all = app.environment_of(InstanceId { process_type, number: 1 });
            let value = |key: &str| all.get(key).unwrap().text.to_string_lossy().into_owned();
            assert_eq!(value("PM_URL_WEB"), "http://localhost:23000");
            assert_eq!(value("PM_PORT_API"), "8080");
            assert_eq!(value("PORT"), ["23001", "23101"][usize::from(process_type)]);
        }
    }

    #[test]
    fn of_two_types_with_one_key_the_first_has_it() {
        let app = app(&["my-api", "my_api"]);
        let all = app.environment_of(InstanceId { process_type: 0, number: 1 });
        assert_eq!(all.get("PM_PORT_MY_API").unwrap().text, "23000");
        assert_eq!(all.get("OVERMIND_PROCESS_my_api_PORT").unwrap().text, "23100");
    }

    #[test]
    fn pm_toml_refers_to_ports_and_an_env_file_does_not() {
        let path = std::sync::Arc::new(std::path::PathBuf::from(".env"));
        let text =
            "${PM_URL_API}/v1?at=${PM_PORT_API}&${PM_PORT_NOPE}&${PM_ROOT}&$PM_PORT_API&${PM_";
        let mut app = app(&["web", "api"]);
        app.environment.set("DATA", text, Source::EnvFile { path, line: 1 });
        app.environment.set("TYPED", text, Source::Set);
        app.environment.set("ALL", "${PM_PORT_WEB}", config());
        app.environment.set("OVER", "${PM_PORT_WEB}", config());
        app.types[0].environment.set("OVER", "own", config());
        app.types[0].environment.set("OWN", text, config());
        let value = |key: &str| {
            let all = app.environment_of(InstanceId { process_type: 0, number: 1 });
            all.get(key).unwrap().text.to_string_lossy().into_owned()
        };
        assert_eq!(value("DATA"), text);
        assert_eq!(value("TYPED"), text);
        assert_eq!((value("ALL"), value("OVER")), ("23000".to_owned(), "own".to_owned()));
        assert_eq!(
            value("OWN"),
            "http://localhost:23100/v1?at=23100&${PM_PORT_NOPE}&${PM_ROOT}&$PM_PORT_API&${PM_"
        );
    }

    #[test]
    fn a_reference_to_a_type_that_is_not_there_is_found() {
        let mut app = app(&["web"]);
        app.types[0].environment.set("OWN", "${PM_PORT_WEB}:${HOME}:${PM_ROOT}", config());
        assert_eq!(unknown_reference(&app), None);
        app.types[0].environment.set("API", "x${PM_URL_API}", config());
        let unknown = unknown_reference(&app).unwrap();
        assert_eq!((unknown.key.as_str(), unknown.name.as_str()), ("API", "PM_URL_API"));
        assert_eq!(unknown.known, ["PM_PORT_WEB"]);
    }
}
