//! An application that was read again, fitted to the running one: an instance keeps its id, and so its
//! port, wherever its type stands in the file now.

use super::process_type::App;

/// The new application in the positions of the old one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fitted {
    /// Types of the old one stand where they stood; those that are new come behind them.
    pub app: App,
    /// Positions of types that are no more.
    pub gone: Vec<u16>,
}

/// Fits `new` to `old`.
pub fn fit(old: &App, mut new: App) -> Fitted {
    let mut types = Vec::new();
    let mut gone = Vec::new();
    for (at, kept) in (0_u16..).zip(&old.types) {
        match new.types.iter().position(|other| other.name == kept.name) {
            Some(found) => types.push(new.types.remove(found)),
            None => {
                types.push(kept.clone());
                gone.push(at);
            }
        }
    }
    types.append(&mut new.types);
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
    use crate::app::{Environment, ExitOn, ProcessType, Source};

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
    fn a_restart_takes_the_environment_and_not_the_command() {
        let old = app(&[("web", "a")]);
        let mut new = app(&[("web", "b")]);
        new.environment.set("A", "1", Source::Set);
        let taken = with_environment_of(&old, &new);
        assert_eq!(taken.types[0].command, "a");
        assert_eq!(taken.environment, new.environment);
    }
}
