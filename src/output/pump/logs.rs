//! The pump's logs: the one that stdout is, and those of the process types.

use std::os::fd::{AsFd, OwnedFd};

use super::Pump;
use crate::output::log::{OwnLog, Rotation, TypeLogs, TypeOutput};
use crate::output::message::{About, Level, Notice, PumpEvent};

impl<F, W> Pump<F, W>
where
    F: Fn(PumpEvent) + Send + 'static,
    W: AsFd + From<OwnedFd> + Send + 'static,
{
    /// Renames the log that stdout is, when it gets long.
    pub(super) fn rotate(&mut self, log: &OwnLog) {
        match Rotation::of(&log.path, log.limits, self.batch.writer().fd()) {
            Ok(Some(rotation)) => self.batch.writer().rotate(rotation.with_standard_streams()),
            // A device or a pipe.
            Ok(None) => {}
            Err(error) => {
                self.warn(format!("cannot look at the log `{}`: {error}", log.path.display()));
            }
        }
    }

    /// Writes the logs of the types, and says once of each log what is wrong with it.
    pub(super) fn write_logs(&mut self) {
        let mut troubles = self.type_logs.as_mut().map(TypeLogs::write).unwrap_or_default();
        troubles.extend(self.batch.writer().take_trouble());
        if !troubles.is_empty() {
            troubles.into_iter().for_each(|text| self.warn(text));
            self.write();
        }
    }

    fn warn(&mut self, text: String) {
        let (about, level, facts) = (About::Session, Level::Failure, serde_json::Map::new());
        self.say(Notice { about, level, event: "log", text, facts });
    }
}

/// Passes the output of a run on to the log of its type, where there is one.
#[inline]
pub(super) fn copy(logs: &mut Option<TypeLogs>, output: &mut Option<TypeOutput>, bytes: &[u8]) {
    if let (Some(logs), Some(output)) = (logs, output) {
        logs.push(output, bytes);
    }
}
