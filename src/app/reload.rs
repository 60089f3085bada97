//! An application that was read again, fitted to the running one: an instance keeps its id, and so its
//! port, wherever its type stands in the file now.

use super::process_type::{App, ProcessType};

/// The new application in the positions of the old one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fitted {
    /// Types of the old one stand where they stood; those that are new come behind them.
    pub app: App,
    /// Positions of types that are no more.
    pub gone: Vec<u16>,
}

/// Fits `new` to `old`. A type that is no more stays as it was, for its instances to stop by, but nobody listens for
/// it.
pub fn fit(old: &App, mut new: App) -> Fitted {
    let names: Vec<String> = new.types.iter().map(|own| own.name.clone()).collect();
    let mut types = Vec::new();
    let mut gone = Vec::new();
    for (at, kept) in (0_u16..).zip(&old.types) {
        match new.types.iter().position(|other| other.name == kept.name) {
            Some(found) => types.push(new.types.remove(found)),
            None => {
                types.push(ProcessType { front: None, share_port: None, ..kept.clone() });
                gone.push(at);
            }
        }
    }
    types.append(&mut new.types);
    // What is new depends on positions in the new file; a type that is no more, on those of the old one, which stay.
    let position = |at: u16| {
        let name = names.get(usize::from(at));
        let found = (0_u16..).zip(&types).find(|(_, own)| Some(&own.name) == name);
        found.map_or(at, |(at, _)| at)
    };
    let places: Vec<u16> = (0_u16..).zip(&names).map(|(at, _)| position(at)).collect();
    for own in types.iter_mut().filter(|own| names.contains(&own.name)) {
        for need in &mut own.policy.depends_on {
            need.process_type = places[usize::from(need.process_type)];
        }
    }
    Fitted { app: App { types, ..new }, gone }
}

/// Returns `old` with the environment of `new`, for a restart, which reads the env files again and
/// nothing else.
pub fn with_environment_of(old: &App, new: &App) -> App {
    let mut app = App { environment: new.environment.clone(), ..old.clone() };
    for process_type in &mut app.types {
        let found = new.types.iter().find(|other| other.name == process_type.name);
        if let Some(found) = found {
            process_type.environment = found.environment.clone();
        }
    }
    app
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{Dependency, Environment, ExitOn, Front, Milestone, Source};

    fn app(types: &[(&str, &str)]) -> App {
        let types = types.iter().map(|(name, command)| ProcessType::of(name, command));
        App {
            root: "/".into(),
            types: types.collect(),
            environment: Environment::default(),
            base_port: 5000,
            exit_on: ExitOn::Failure,
        }
    }

    #[test]
    fn types_keep_their_positions_and_new_ones_come_behind() {
        let old = app(&[("web", "a"), ("job", "b")]);
        let fitted = fit(&old, app(&[("new", "n"), ("job", "c"), ("web", "a")]));
        assert_eq!(
            fitted,
            Fitted { app: app(&[("web", "a"), ("job", "c"), ("new", "n")]), gone: vec![] }
        );
        let fitted = fit(&old, app(&[("job", "b")]));
        assert_eq!(fitted, Fitted { app: old, gone: vec![0] });
    }

    #[test]
    fn nobody_listens_any_more_for_a_type_that_is_gone() {
        let mut old = app(&[("web", "a"), ("api", "b"), ("job", "c")]);
        old.types[0].front = Some(Front::default());
        old.types[1].share_port = Some("127.0.0.1".to_owned());
        let fitted = fit(&old, app(&[("job", "c")]));
        let expected = app(&[("web", "a"), ("api", "b"), ("job", "c")]);
        assert_eq!(fitted, Fitted { app: expected, gone: vec![0, 1] });
    }

    #[test]
    fn dependencies_follow_the_types_to_their_positions() {
        let depends_on = |process_type| {
            vec![Dependency { process_type, number: None, milestone: Milestone::Started }]
        };
        let mut old = app(&[("web", "a"), ("db", "b"), ("job", "c")]);
        old.types[0].policy.depends_on = depends_on(1);
        old.types[2].policy.depends_on = depends_on(1);
        let mut new = app(&[("db", "b"), ("cache", "d"), ("web", "a")]);
        new.types[2].policy.depends_on = depends_on(1);
        new.types[1].policy.depends_on = depends_on(0);
        let fitted = fit(&old, new);
        let names: Vec<_> = fitted.app.types.iter().map(|own| own.name.as_str()).collect();
        assert_eq!((names, fitted.gone), (vec!["web", "db", "job", "cache"], vec![2]));
        let needs = fitted.app.types.iter().map(|own| own.policy.depends_on.clone());
        let expected = [depends_on(3), vec![], depends_on(1), depends_on(1)];
        assert_eq!(needs.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_restart_takes_the_environment_and_not_the_command() {
        let old = app(&[("web", "a")]);
        let mut new = app(&[("web", "b")]);
        new.environment.set("A", "1", Source::Set);
        let taken = with_environment_of(&old, &new);
        assert_eq!(taken.types[0].command, "a");
        assert_eq!(taken.environment, new.environment);
    }
}
