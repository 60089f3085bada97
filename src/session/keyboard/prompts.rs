//! Programs that may wait for input: those that were announced, and when it is looked again at the others.
//!
//! A program may show a question and read its terminal only later. It is looked again a few times after its unfinished
//! line; after that nothing wakes pm for it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::app::{Moment, RunId};

/// Times from the unfinished line on.
const AGAIN: [Duration; 3] =
    [Duration::from_millis(300), Duration::from_secs(1), Duration::from_secs(3)];

/// What is known of the programs of a session.
#[derive(Debug, Default)]
pub(in crate::session) struct Prompts {
    announced: HashSet<RunId>,
    looks: HashMap<RunId, PromptLook>,
}

/// The next look at a run.
#[derive(Clone, Copy, Debug)]
struct PromptLook {
    since: Moment,
    done: usize,
}

impl PromptLook {
    fn due(self) -> Option<Moment> {
        AGAIN.get(self.done).map(|after| self.since + *after)
    }
}

impl Prompts {
    /// Returns whether it was said of a run that it waits for input.
    pub(in crate::session) fn is_announced(&self, run: RunId) -> bool {
        self.announced.contains(&run)
    }

    /// A run that does not wait for input has shown an unfinished line: it is looked again.
    pub(in crate::session) fn look_again(&mut self, run: RunId, now: Moment) {
        self.looks.insert(run, PromptLook { since: now, done: 0 });
    }

    /// A run waits for input. Returns whether that is news.
    pub(in crate::session) fn announce(&mut self, run: RunId) -> bool {
        self.looks.remove(&run);
        self.announced.insert(run)
    }

    /// A run does not wait for input any more: when it does again, that is news.
    pub(in crate::session) fn forget(&mut self, run: RunId) {
        self.looks.remove(&run);
        self.announced.remove(&run);
    }

    /// Returns when the next look is due.
    pub(super) fn due(&self) -> Option<Moment> {
        self.looks.values().filter_map(|look| look.due()).min()
    }

    /// Returns the runs at which it is to be looked now.
    pub(in crate::session) fn take_due(&mut self, now: Moment) -> Vec<RunId> {
        let mut runs = Vec::new();
        self.looks.retain(|run, look| {
            if look.due().is_some_and(|due| due <= now) {
                runs.push(*run);
                while look.due().is_some_and(|due| due <= now) {
                    look.done += 1;
                }
            }
            look.due().is_some()
        });
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::InstanceId;

    fn at(milliseconds: u64) -> Moment {
        Moment(Duration::from_millis(milliseconds))
    }

    #[test]
    fn it_is_looked_three_times_and_then_nothing_is_due() {
        let run = RunId { instance: InstanceId { process_type: 0, number: 1 }, seq: 1 };
        let mut prompts = Prompts::default();
        assert_eq!(prompts.due(), None);
        prompts.look_again(run, at(1000));
        assert_eq!((prompts.due(), prompts.take_due(at(1299))), (Some(at(1300)), vec![]));
        assert_eq!((prompts.take_due(at(1300)), prompts.due()), (vec![run], Some(at(2000))));
        // Two that are due at a time are one look.
        assert_eq!((prompts.take_due(at(4100)), prompts.due()), (vec![run], None));
        prompts.look_again(run, at(5000));
        assert!(prompts.announce(run) && !prompts.announce(run));
        assert_eq!((prompts.due(), prompts.is_announced(run)), (None, true));
        prompts.forget(run);
        assert!(prompts.announce(run));
    }
}
