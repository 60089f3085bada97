//! The rows of the list: all, each session where there are several, each type that has several instances or none, and
//! each instance.

use super::sessions::{ShownSession, type_of};

/// What a person has chosen. Its output is shown, and keys act on it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Chosen {
    /// Every instance.
    All,
    /// A session, by its place.
    Session(usize),
    /// A process type of a session.
    Type(usize, String),
    /// An instance of a session.
    Instance(usize, String),
}

impl Chosen {
    /// Returns the session that it belongs to.
    pub(super) fn session(&self) -> Option<usize> {
        match self {
            Self::All => None,
            Self::Session(at) | Self::Type(at, _) | Self::Instance(at, _) => Some(*at),
        }
    }

    /// Returns whether an instance is one of those.
    pub(super) fn takes(&self, session: usize, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Session(at) => *at == session,
            Self::Type(at, of) => *at == session && type_of(name) == of,
            Self::Instance(at, one) => *at == session && one == name,
        }
    }

    /// Returns whether it is one instance.
    pub(super) fn is_one(&self) -> bool {
        matches!(self, Self::Instance(..))
    }
}

/// Returns the rows, in the order in which they are shown.
pub(super) fn rows(sessions: &[ShownSession]) -> Vec<Chosen> {
    let count: usize = sessions.iter().map(|session| session.instances().len()).sum();
    let mut rows = Vec::new();
    if count != 1 || sessions.len() > 1 {
        rows.push(Chosen::All);
    }
    for (at, session) in sessions.iter().enumerate() {
        if sessions.len() > 1 {
            rows.push(Chosen::Session(at));
        }
        for of in session.types() {
            let names: Vec<_> = session.of_type(of).map(|instance| instance.name.clone()).collect();
            if names.len() != 1 {
                rows.push(Chosen::Type(at, of.clone()));
            }
            rows.extend(names.into_iter().map(|name| Chosen::Instance(at, name)));
        }
    }
    rows
}
