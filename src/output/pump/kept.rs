//! The copy of the output that is kept on the disk, where there is one.

use crate::output::message::{About, Level, Notice};
use crate::state::runs::{Keeper, KeptNotice, RingId};

/// Who keeps it; nobody: nothing is done.
#[derive(Debug, Default)]
pub(super) struct OutputCopy(Option<Box<Keeper>>);

impl OutputCopy {
    /// Keeps the output of this number of instances.
    pub(super) fn by(keeper: Keeper, instances: usize) -> Self {
        let mut kept = Self(Some(Box::new(keeper)));
        kept.expect(instances);
        kept
    }

    /// Counts more instances.
    pub(super) fn expect(&mut self, instances: usize) {
        if let Some(keeper) = &mut self.0 {
            (0..instances).for_each(|_| keeper.expect());
        }
    }

    /// Takes note of a run of the instance of this name. Returns where its output goes.
    pub(super) fn started(&mut self, name: &str, at: i64, run: u32) -> Option<RingId> {
        let keeper = self.0.as_mut()?;
        let ring = keeper.ring_of(name);
        keeper.started(ring, at, run);
        Some(ring)
    }

    /// Keeps what was read.
    #[inline]
    pub(super) fn output(&mut self, ring: Option<RingId>, at: i64, parts: [&[u8]; 2]) {
        if let (Some(keeper), Some(ring)) = (&mut self.0, ring) {
            keeper.output(ring, at, parts);
        }
    }

    /// Takes note that a run has written everything.
    pub(super) fn ended(&mut self, ring: Option<RingId>, at: i64) {
        if let (Some(keeper), Some(ring)) = (&mut self.0, ring) {
            keeper.ended(ring, at);
        }
    }

    /// Keeps a line of pm's own, as far as people see it; `name` is whom it is about.
    pub(super) fn say(&mut self, at: i64, name: Option<&str>, say: &Notice) {
        let is_failure = match say.level {
            Level::Info => false,
            Level::Failure => true,
            Level::Event => return,
        };
        if let Some(keeper) = &mut self.0 {
            keeper.say(
                at,
                &KeptNotice {
                    about: name.map(str::to_owned),
                    event: say.event.to_owned(),
                    is_failure,
                    text: say.text.clone(),
                    facts: say.facts.clone(),
                },
            );
        }
    }

    /// Returns what is to be said when something could not be kept; once.
    pub(super) fn loss(&mut self) -> Option<Notice> {
        let (path, error) = self.0.as_mut()?.take_error()?;
        let path = path.display();
        let text = format!(
            "cannot write `{path}`: {error}; the output is shown, and `pm logs` will miss a part of it"
        );
        let (about, level, facts) = (About::Session, Level::Failure, serde_json::Map::new());
        Some(Notice { about, level, event: "not-kept", text, facts })
    }
}
