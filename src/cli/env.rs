//! `pm env`

use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;

use super::args::EnvArgs;
use super::resolve;
use super::sources::Sources;
use super::{answer, tell};
use crate::app::formation::position;
use crate::app::{Environment, InstanceId, Source, load};
use crate::error::Error;

/// Prints the environment that the first instance of a type would get, and where each value comes from.
pub(crate) fn env(args: &EnvArgs, sources: &Sources) -> Result<(), Error> {
    let files = resolve::files(&args.files);
    let procfile = load::procfile(&files, &sources.cwd)?;
    let loaded = load::environment(&files, &sources.cwd, sources.environment())?;
    tell::warnings(procfile.warnings().iter().chain(&loaded.warnings()));
    procfile.require_entries()?;
    let names: Vec<&str> = procfile.entries.iter().map(|entry| entry.name.as_str()).collect();
    let at = args.process_type.as_deref().map_or(Ok(0), |name| position(&names, name))?;
    let app = resolve::one_of_each(
        files.root(&sources.cwd)?,
        procfile.entries,
        loaded.environment,
        args.port,
    )?;
    resolve::check_ports(&app)?;
    let process_type = u16::try_from(at).unwrap_or(u16::MAX);
    answer(&listing(&app.environment_of(InstanceId { process_type, number: 1 }), args.show))
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
            Source::Pm(rule) => write!(origin, "pm: {rule}"),
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
