//! What must be there before an instance starts: the entries of `depends-on`, resolved, and the graph that they
//! make.

use super::id::InstanceId;
use super::nearest::nearest;

/// How far a dependency must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Milestone {
    /// It has been started.
    Started,
    /// Its `ready` holds.
    Ready,
    /// It has exited with 0.
    Done,
}

/// An entry of `depends-on` whose names are resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dependency {
    /// Position of the process type in the Procfile, from 0.
    pub process_type: u16,
    /// One instance alone. `None`: every wanted one of the type.
    pub number: Option<u16>,
    /// What they must have reached.
    pub milestone: Milestone,
}

impl Dependency {
    /// Returns whether it is about this instance.
    pub fn concerns(self, id: InstanceId) -> bool {
        self.process_type == id.process_type && self.number.is_none_or(|number| number == id.number)
    }
}

/// What the reader of `depends-on` must know of a process type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeFacts<'a> {
    /// `web`
    pub name: &'a str,
    /// It has a `ready`.
    pub has_ready: bool,
    /// It is to end by itself: `once`, or the release.
    pub is_once: bool,
}

/// An entry of `depends-on` that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DependencyError {
    /// It is not written as one.
    #[error("`{text}` is not NAME, NAME.NUMBER or either with :started, :ready or :done")]
    Malformed {
        /// The entry.
        text: String,
    },
    /// No process type has this name.
    #[error("there is no process type `{name}`")]
    Unknown {
        /// The name.
        name: String,
        /// The nearest that there is.
        nearest: Option<String>,
    },
    /// `:ready` of a type that nobody can tell to be ready.
    #[error("`{text}` can never be, since `{name}` has no `ready`")]
    NeverReady {
        /// The entry.
        text: String,
        /// The process type.
        name: String,
    },
}

impl DependencyError {
    /// Returns what to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Malformed { .. } => {
                Some("for example: `redis`, `db.1`, `api:started`".to_owned())
            }
            Self::Unknown { nearest, .. } => {
                nearest.as_ref().map(|nearest| format!("did you mean `{nearest}`?"))
            }
            Self::NeverReady { name, .. } => Some(format!(
                "set `ready` of `{name}`, for example to \"port\", or depend on `{name}:started`"
            )),
        }
    }
}

/// Resolves one entry of `depends-on`. Without a milestone in it, it is `done` for what runs once, `ready` for what has a
/// `ready`, else `started`.
///
/// # Errors
/// The entry is malformed, names no process type, or demands what can never be.
pub fn resolve(text: &str, types: &[TypeFacts<'_>]) -> Result<Dependency, DependencyError> {
    let malformed = || DependencyError::Malformed { text: text.to_owned() };
    let (name, milestone) = match text.split_once(':') {
        None => (text, None),
        Some((name, "started")) => (name, Some(Milestone::Started)),
        Some((name, "ready")) => (name, Some(Milestone::Ready)),
        Some((name, "done")) => (name, Some(Milestone::Done)),
        Some(_) => return Err(malformed()),
    };
    let (name, number) = match name.split_once('.') {
        None => (name, None),
        Some((name, number)) => {
            let number = number.parse().ok().filter(|number: &u16| *number > 0);
            (name, Some(number.ok_or_else(malformed)?))
        }
    };
    if name.is_empty() {
        return Err(malformed());
    }
    let found = types.iter().zip(0_u16..).find(|(known, _)| known.name == name);
    let Some((known, process_type)) = found else {
        let nearest = nearest(name, types.iter().map(|known| known.name)).map(str::to_owned);
        return Err(DependencyError::Unknown { name: name.to_owned(), nearest });
    };
    let milestone = match milestone {
        None if known.is_once => Milestone::Done,
        None if known.has_ready => Milestone::Ready,
        None => Milestone::Started,
        Some(Milestone::Ready) if !known.has_ready => {
            return Err(DependencyError::NeverReady {
                text: text.to_owned(),
                name: name.to_owned(),
            });
        }
        Some(milestone) => milestone,
    };
    Ok(Dependency { process_type, number, milestone })
}

/// Returns a cycle: positions of process types, each of which depends on the next, the first once more at the end.
/// `dependencies` has those of each type.
pub fn cycle(dependencies: &[impl AsRef<[Dependency]>]) -> Option<Vec<u16>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Visit {
        Never,
        OnPath,
        Done,
    }
    let mut visits = vec![Visit::Never; dependencies.len()];
    for (start, _) in (0_u16..).zip(dependencies) {
        if visits[usize::from(start)] != Visit::Never {
            continue;
        }
        // The path from the start, and how many entries of each have been followed. No recursion: a chain may be long.
        let mut path = vec![(start, 0)];
        visits[usize::from(start)] = Visit::OnPath;
        while let Some((at, followed)) = path.last_mut() {
            let Some(next) = dependencies[usize::from(*at)].as_ref().get(*followed) else {
                visits[usize::from(*at)] = Visit::Done;
                path.pop();
                continue;
            };
            *followed += 1;
            let next = next.process_type;
            match visits[usize::from(next)] {
                Visit::Done => {}
                Visit::Never => {
                    visits[usize::from(next)] = Visit::OnPath;
                    path.push((next, 0));
                }
                Visit::OnPath => {
                    let types = path.iter().map(|(at, _)| *at);
                    let cycle = types.skip_while(|at| *at != next).chain([next]);
                    return Some(cycle.collect());
                }
            }
        }
    }
    None
}

/// Returns the level of each process type: 0 depends on nothing, each other is one above the highest that it depends on.
///
/// # Panics
/// When there is a [`cycle`].
pub fn levels(dependencies: &[impl AsRef<[Dependency]>]) -> Vec<u16> {
    let mut levels = vec![0; dependencies.len()];
    for round in 0.. {
        assert!(round <= dependencies.len(), "a cycle was refused before");
        let mut has_changed = false;
        for (at, needs) in dependencies.iter().enumerate() {
            let above = |need: &Dependency| levels[usize::from(need.process_type)] + 1;
            let level = needs.as_ref().iter().map(above).max().unwrap_or(0);
            has_changed |= level != levels[at];
            levels[at] = level;
        }
        if !has_changed {
            break;
        }
    }
    levels
}

/// Returns the process types that these depend on, directly or not, without themselves, in the order of the Procfile.
pub fn all_below(types: &[u16], dependencies: &[impl AsRef<[Dependency]>]) -> Vec<u16> {
    let mut is_below = vec![false; dependencies.len()];
    let mut to_visit = types.to_vec();
    while let Some(at) = to_visit.pop() {
        for need in dependencies[usize::from(at)].as_ref() {
            if !std::mem::replace(&mut is_below[usize::from(need.process_type)], true) {
                to_visit.push(need.process_type);
            }
        }
    }
    let below = (0_u16..).zip(is_below).filter(|(at, is_below)| *is_below && !types.contains(at));
    below.map(|(at, _)| at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPES: [TypeFacts<'_>; 4] = [
        TypeFacts { name: "redis", has_ready: true, is_once: false },
        TypeFacts { name: "migrate", has_ready: false, is_once: true },
        TypeFacts { name: "api", has_ready: false, is_once: false },
        TypeFacts { name: "web", has_ready: true, is_once: false },
    ];

    /// Builds a graph of `a>b`: a depends on b.
    fn graph(size: usize, edges: &[(u16, u16)]) -> Vec<Vec<Dependency>> {
        let mut graph = vec![Vec::new(); size];
        for (from, process_type) in edges {
            let milestone = Milestone::Started;
            graph[usize::from(*from)].push(Dependency {
                process_type: *process_type,
                number: None,
                milestone,
            });
        }
        graph
    }

    #[test]
    fn an_entry_is_a_type_or_an_instance_with_a_condition_that_suits_it() {
        use Milestone::{Done, Ready, Started};
        for (text, process_type, number, milestone) in [
            ("redis", 0, None, Ready),
            ("redis.2", 0, Some(2), Ready),
            ("redis:started", 0, None, Started),
            ("migrate", 1, None, Done),
            ("migrate.1:started", 1, Some(1), Started),
            ("api", 2, None, Started),
            ("api:done", 2, None, Done),
            ("web:ready", 3, None, Ready),
        ] {
            let expected = Dependency { process_type, number, milestone };
            assert_eq!(resolve(text, &TYPES), Ok(expected), "{text}");
        }
    }

    #[test]
    fn an_entry_that_cannot_be_says_why_and_what_to_do() {
        for (text, error, hint) in [
            ("redsi", "there is no process type `redsi`", Some("did you mean `redis`?")),
            ("zzzzzz", "there is no process type `zzzzzz`", None),
            (
                "api:ready",
                "`api:ready` can never be, since `api` has no `ready`",
                Some("set `ready` of `api`, for example to \"port\", or depend on `api:started`"),
            ),
        ] {
            let found = resolve(text, &TYPES).expect_err(text);
            assert_eq!((found.to_string().as_str(), found.hint().as_deref()), (error, hint));
        }
        for text in
            ["", ":ready", "redis:", "redis:up", "redis.0", "redis.x", "redis.1:ready:done", "."]
        {
            let found = resolve(text, &TYPES).expect_err(text);
            assert!(matches!(found, DependencyError::Malformed { .. }), "{text}: {found}");
        }
    }

    #[test]
    fn a_cycle_is_found_with_its_path_and_a_diamond_is_none() {
        for (size, edges, expected) in [
            (1, &[][..], None),
            (1, &[(0, 0)], Some(vec![0, 0])),
            (2, &[(0, 1), (1, 0)], Some(vec![0, 1, 0])),
            (4, &[(0, 1), (1, 2), (2, 3), (3, 1)], Some(vec![1, 2, 3, 1])),
            (4, &[(0, 1), (0, 2), (1, 3), (2, 3)], None),
            (3, &[(2, 1), (1, 0)], None),
        ] {
            assert_eq!(cycle(&graph(size, edges)), expected, "{edges:?}");
        }
    }

    #[test]
    fn a_chain_of_ten_thousand_types_is_followed_to_its_end() {
        let edges: Vec<_> = (1..10_000).map(|at| (at, at - 1)).collect();
        let mut graph = graph(10_000, &edges);
        assert_eq!(cycle(&graph), None);
        graph[0].push(Dependency {
            process_type: 9999,
            number: None,
            milestone: Milestone::Started,
        });
        assert_eq!(cycle(&graph).map(|path| path.len()), Some(10_001));
    }

    #[test]
    fn each_level_is_one_above_the_highest_below_it() {
        let graph = graph(5, &[(0, 1), (0, 2), (1, 3), (2, 1)]);
        assert_eq!(levels(&graph), [3, 1, 2, 0, 0]);
    }

    #[test]
    fn what_a_type_depends_on_comes_with_it_at_any_distance() {
        let graph = graph(5, &[(0, 1), (1, 3), (2, 4)]);
        assert_eq!(all_below(&[0], &graph), [1, 3]);
        assert_eq!(all_below(&[0, 1], &graph), [3]);
        assert!(all_below(&[4], &graph).is_empty());
    }
}
