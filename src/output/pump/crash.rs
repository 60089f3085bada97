//! What a crash shows again: the last lines of the run, where those of others have come in between.

use std::os::fd::{AsFd, OwnedFd};

use super::Pump;
use crate::output::message::{About, ENDED, Level, Notice, PumpEvent};

/// This many lines of others push the cause off a screen.
const FAR: u64 = 20;
/// How many lines are shown again.
const LAST: usize = 5;

impl<F, W> Pump<F, W>
where
    F: Fn(PumpEvent) + Send + 'static,
    W: AsFd + From<OwnedFd> + Send + 'static,
{
    /// Shows the last lines of a run once more before it is said to have crashed. They are kept where they were
    /// written, and not here.
    pub(super) fn repeat_last_lines(&mut self, say: &Notice) {
        let About::Instance(id) = say.about else { return };
        if say.event != ENDED || say.level != Level::Failure {
            return;
        }
        let (own, others) = self.renderer.seen(id);
        if others < FAR {
            return;
        }
        let most = LAST.min(usize::try_from(own).unwrap_or(LAST));
        let lines = self.subscriptions.last_lines(id, most);
        if lines.is_empty() {
            return;
        }
        let title = "its last lines:".to_owned();
        let quoted = lines.into_iter().map(|line| format!("| {line}"));
        for text in [title].into_iter().chain(quoted) {
            let (about, level, facts) = (say.about, Level::Info, serde_json::Map::new());
            self.renderer.say(Notice { about, level, event: ENDED, text, facts }, &mut self.batch);
        }
    }
}
