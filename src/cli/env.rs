//! `pm env`

use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;

use super::args::EnvArgs;
use super::given::Given;
use super::resolve::{self, Loaded};
use super::settled::Settled;
use super::{answer, tell};
use crate::app::formation::position;
use crate::app::{Environment, InstanceId, Source, load};
use crate::config::settings::Line;
use crate::error::Error;

/// Prints the environment that the first instance of a type would get, and where each value comes from.
pub(crate) fn env(args: &EnvArgs, given: Given<'_>) -> Result<(), Error> {
    let sources = given.sources;
    let settled = Settled::read(given.config(args.config_file.as_ref()).all(&args.session)?)?;
    let files = &settled.files;
    let procfile = load::procfile(files, &sources.cwd)?;
    let loaded = load::environment(files, &sources.cwd, sources.environment())?;
    let warnings = procfile.warnings().into_iter().chain(loaded.warnings());
    tell::warnings(settled.warnings.iter().chain(&warnings.collect::<Vec<_>>()));
    procfile.require_entries()?;
    let names = procfile.names();
    settled.check_names(&names)?;
    let at = args.process_type.as_deref().map(|name| position(&names, name)).transpose()?;
    if args.show_config {
        let shown = at.map_or(names.clone(), |at| vec![names[at]]);
        return answer(settings(&settled, &shown).as_bytes());
    }
    let at = at.unwrap_or(0);
    let root = files.root(&sources.cwd)?;
    let environment = loaded.environment;
    let loaded = Loaded { root, entries: procfile.entries, environment };
    let app = resolve::one_of(&settled, loaded, at)?;
    resolve::check_ports(&app)?;
    let process_type = u16::try_from(at).unwrap_or(u16::MAX);
    answer(&listing(&app.environment_of(InstanceId { process_type, number: 1 }), args.show))
}

/// Writes one setting a line: those of the session, then those of each process type, and behind a `#` the
/// layer that each comes from. What no layer says is not there.
fn settings(settled: &Settled, names: &[&str]) -> String {
    let mut out = String::new();
    let session = settled.session.lines().into_iter().map(|line| (String::new(), line));
    let of_type = |name: &&str| {
        let lines = settled.layers.of_type(name).lines();
        let prefix = format!("{name}.");
        lines.into_iter().map(move |line| (prefix.clone(), line)).collect::<Vec<_>>()
    };
    for (prefix, line) in session.chain(names.iter().flat_map(of_type)) {
        let Line { key, value, origin } = line;
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{prefix}{key} = {value}  # {origin}");
    }
    out
}

/// Writes one variable a line: its name and value, and behind a `#` where it comes from.
fn listing(environment: &Environment, show: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, value) in environment.iter() {
        out.extend_from_slice(key.as_bytes());
        out.push(b'=');
        let is_ours = matches!(value.source, Source::Pm(_));
        if show || is_ours {
            // One line a variable, whatever is in the value.
            out.extend_from_slice(
                value.text.to_string_lossy().escape_debug().to_string().as_bytes(),
            );
        } else if !value.text.is_empty() {
            out.extend_from_slice(b"****");
        }
        let mut origin = String::new();
        // Writing to a String cannot fail.
        let _ = match &value.source {
            Source::Caller => write!(origin, "environment"),
            Source::EnvFile { path, line } => write!(origin, "{}:{line}", path.display()),
            Source::Set => write!(origin, "--set"),
            Source::Config(place) => write!(origin, "{place}"),
            Source::Pm(rule) => write!(origin, "pm: {rule}"),
            Source::Appended(rule) => write!(origin, "pm: {rule}, after your own"),
        };
        out.extend_from_slice(format!("  # {origin}\n").as_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_masked_unless_shown_and_each_says_where_it_comes_from() {
        let mut environment = Environment::default();
        let path = std::sync::Arc::new(".env".into());
        environment.set("KEY", "se\ncret", Source::EnvFile { path, line: 3 });
        environment.set("PORT", "5000", Source::Pm("instance"));
        environment.set("EMPTY", "", Source::Caller);
        let text = |show| String::from_utf8_lossy(&listing(&environment, show)).into_owned();
        assert_eq!(
            text(false),
            "EMPTY=  # environment\nKEY=****  # .env:3\nPORT=5000  # pm: instance\n"
        );
        assert_eq!(
            text(true),
            "EMPTY=  # environment\nKEY=se\\ncret  # .env:3\nPORT=5000  # pm: instance\n"
        );
    }
}
