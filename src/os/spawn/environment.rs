//! What all instances of an application have in their environment, made once for all starts: most of it is the same
//! for each, and with many process types it is long, since each instance learns the ports of all.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use crate::app::{App, Environment};

/// The variables that an application gives to every instance.
#[derive(Debug)]
pub(super) struct CommonEnvironment {
    app: Arc<App>,
    ports: Environment,
    lines: Vec<EnvironmentLine>,
}

/// A variable as a program gets it: `NAME=VALUE`.
#[derive(Clone, Debug)]
struct EnvironmentLine {
    text: CString,
    /// The length of its name.
    name: usize,
}

impl EnvironmentLine {
    /// # Errors
    /// A NUL in the name or the value, which no program could get.
    fn new(name: &OsStr, value: &OsStr) -> io::Result<Self> {
        let text = [name.as_bytes(), b"=", value.as_bytes()].concat();
        Ok(Self { text: CString::new(text)?, name: name.len() })
    }

    fn name(&self) -> &OsStr {
        OsStr::from_bytes(&self.text.as_bytes()[..self.name])
    }
}

impl CommonEnvironment {
    /// Returns that of an application: what is kept, where that is of the same one.
    ///
    /// # Errors
    /// A variable with a NUL.
    pub(super) fn of<'a>(kept: &'a mut Option<Self>, app: &Arc<App>) -> io::Result<&'a Self> {
        let kept = match kept.take() {
            Some(known) if Arc::ptr_eq(&known.app, app) => kept.insert(known),
            _ => kept.insert(Self::new(app)?),
        };
        Ok(kept)
    }

    fn new(app: &Arc<App>) -> io::Result<Self> {
        let ports = app.ports_environment();
        let own = app.environment.iter().filter(|(name, _)| ports.get(name).is_none());
        let lines =
            own.chain(ports.iter()).map(|(name, value)| EnvironmentLine::new(name, &value.text));
        let lines = lines.collect::<io::Result<_>>()?;
        Ok(Self { app: Arc::clone(app), ports, lines })
    }

    /// Returns the ports and addresses of all, which lie over what an instance has of its own.
    pub(super) fn ports(&self) -> &Environment {
        &self.ports
    }

    /// Returns the lines of an instance's environment: with what its type and the instance itself have, of which the
    /// later wins, and with what it is handed at its start, which wins over all.
    ///
    /// # Errors
    /// A variable with a NUL.
    pub(super) fn lines_with(
        &self,
        own: [&Environment; 2],
        handed: &[(&str, OsString)],
    ) -> io::Result<Vec<Cow<'_, CStr>>> {
        let own = own.into_iter().flat_map(Environment::iter);
        let own = own.filter(|(name, _)| self.ports.get(name).is_none());
        let own = own.map(|(name, value)| (name.as_os_str(), value.text.as_os_str()));
        let handed = handed.iter().map(|(name, value)| (OsStr::new(name), value.as_os_str()));
        let over: BTreeMap<&OsStr, &OsStr> = own.chain(handed).collect();
        let common = self.lines.iter().filter(|line| !over.contains_key(line.name()));
        let mut lines: Vec<_> = common.map(|line| Cow::Borrowed(line.text.as_c_str())).collect();
        for (name, value) in over {
            lines.push(Cow::Owned(EnvironmentLine::new(name, value)?.text));
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{ExitOn, InstanceId, ProcessType, Source};

    fn app(name: &str) -> Arc<App> {
        let mut app = App {
            root: "/srv/shop".into(),
            types: vec![ProcessType::of(name, "true"), ProcessType::of("db", "true")],
            environment: Environment::default(),
            base_port: 23_000,
            exit_on: ExitOn::Failure,
        };
        for (name, value) in [("A", "all"), ("B", "all"), ("PM_PORT_DB", "mine")] {
            app.environment.set(name, value, Source::Caller);
        }
        for (name, value) in [("B", "type"), ("C", "type"), ("PM_URL_DB", "mine")] {
            app.types[0].environment.set(name, value, Source::Set);
        }
        Arc::new(app)
    }

    #[test]
    fn the_lines_are_the_environment_of_the_instance_and_what_it_is_handed() {
        let app = app("web");
        let id = InstanceId { process_type: 0, number: 2 };
        let common = CommonEnvironment::new(&app).unwrap();
        let own = app.own_environment_of(id);
        let handed = [("C", OsString::from("handed")), ("PORT", OsString::from("9"))];
        let lines = common.lines_with([&app.types[0].environment, &own], &handed).unwrap();
        let mut lines: Vec<_> = lines.iter().map(|line| line.to_str().unwrap()).collect();
        lines.sort_unstable();
        let mut expected = app.environment_of(id);
        for (name, value) in &handed {
            expected.set(*name, value, Source::Set);
        }
        let expected = expected.iter().map(|(name, value)| {
            format!("{}={}", name.to_string_lossy(), value.text.to_string_lossy())
        });
        let mut expected: Vec<_> = expected.collect();
        expected.sort_unstable();
        assert_eq!(lines, expected);
    }

    #[test]
    fn what_is_kept_is_of_the_application_that_runs() {
        let (first, second) = (app("web"), app("api"));
        let mut kept = None;
        for (app, name) in
            [(&first, "PM_PORT_WEB"), (&first, "PM_PORT_WEB"), (&second, "PM_PORT_API")]
        {
            let common = CommonEnvironment::of(&mut kept, app).unwrap();
            assert!(common.ports().get(name).is_some(), "{name}");
            assert!(Arc::ptr_eq(&common.app, app));
        }
    }

    #[test]
    fn a_nul_is_an_error() {
        assert!(EnvironmentLine::new("A".as_ref(), "a\0b".as_ref()).is_err());
    }
}
