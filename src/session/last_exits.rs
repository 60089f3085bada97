//! How the last run of each instance has ended, for `pm ps --json`: the time of day, the cause, and the last lines.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::app::{Exit, InstanceId, Signal};
use crate::control::proto::LastExit;
use crate::output::{Chunk, Notice, PumpCommand, TailQuery};
use crate::supervisor::Note;

/// The lines of output that are kept with an end.
const LAST_LINES: usize = 10;
/// And the most bytes of them: a status must not grow by lines without an end.
const LAST_BYTES: usize = 4 << 10;

/// What is known of the ends of instances.
#[derive(Debug, Default)]
pub(super) struct LastExits {
    /// Why a run is about to end, where pm has found a reason before its end.
    causes: HashMap<InstanceId, String>,
    ended: HashMap<InstanceId, EndedRun>,
}

#[derive(Debug)]
struct EndedRun {
    exit: Exit,
    at: i64,
    cause: String,
    /// The pump knows them, and tells when it has come to that.
    tail: Arc<OnceLock<Vec<String>>>,
}

impl LastExits {
    /// Takes note of what is said of an instance at `at`, in milliseconds since 1970. Returns what asks the pump for
    /// its last lines, where a run has ended.
    pub(super) fn heard(
        &mut self,
        id: InstanceId,
        note: &Note,
        said: &Notice,
        at: i64,
    ) -> Option<PumpCommand> {
        match note {
            Note::NotReady { .. }
            | Note::NotAlive { .. }
            | Note::OverBudget { .. }
            | Note::FilesChanged { signal: None, .. } => {
                self.causes.insert(id, said.text.clone());
                None
            }
            Note::CannotStart { error, .. } => {
                self.causes.remove(&id);
                let (exit, tail) = (Exit::NotStarted, Arc::default());
                self.ended.insert(id, EndedRun { exit, at, cause: error.clone(), tail });
                None
            }
            Note::Ended { exit, .. } => {
                let cause = self.causes.remove(&id).unwrap_or_else(|| exit.to_string());
                let tail = Arc::new(OnceLock::new());
                let told = Arc::clone(&tail);
                self.ended.insert(id, EndedRun { exit: *exit, at, cause, tail });
                // It is sent once.
                let send = move |chunks: &[Chunk<'_>]| drop(told.set(text_lines(chunks)));
                let (lines, send) = (LAST_LINES, Box::new(send));
                Some(PumpCommand::Tail(TailQuery { instance: id, lines, send }))
            }
            Note::Started { .. } => {
                // What was found of the run before is not why this one ends.
                self.causes.remove(&id);
                None
            }
            Note::FilesChanged { signal: Some(_), .. }
            | Note::WatchSuspended { .. }
            | Note::Waiting { .. }
            | Note::Blocked { .. }
            | Note::Ready { .. }
            | Note::Follows { .. }
            | Note::Killed { .. } => None,
        }
    }

    /// Forgets an instance that was scaled away.
    pub(super) fn forget(&mut self, id: InstanceId) {
        self.causes.remove(&id);
        self.ended.remove(&id);
    }

    /// Returns how the last run of an instance has ended, where one has.
    pub(super) fn of(&self, id: InstanceId) -> Option<LastExit> {
        let EndedRun { exit, at, cause, tail } = self.ended.get(&id)?;
        let (code, signal) = match exit {
            Exit::Code(code) => (Some(*code), None),
            Exit::Signal(signal) => (None, Some(signal.to_string())),
            Exit::OutOfMemory => (None, Some(Signal::KILL.to_string())),
            Exit::NotStarted | Exit::Lost => (None, None),
        };
        let tail = tail.get().cloned().unwrap_or_default();
        Some(LastExit { code, signal, at: *at, cause: cause.clone(), tail })
    }
}

/// Returns the lines of what was sent, the last of them where there are too many bytes. What is not UTF-8 is replaced.
fn text_lines(chunks: &[Chunk<'_>]) -> Vec<String> {
    let bytes: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.bytes).copied().collect();
    let last = &bytes[bytes.len().saturating_sub(LAST_BYTES)..];
    String::from_utf8_lossy(last).lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{App, Environment, ExitOn, ProcessType};
    use crate::output::About;
    use crate::session::messages;
    use crate::supervisor::Next;

    const WEB: InstanceId = InstanceId { process_type: 0, number: 1 };

    fn app() -> App {
        App {
            root: "/".into(),
            types: vec![ProcessType::of("web", "")],
            environment: Environment::default(),
            base_port: 5000,
            exit_on: ExitOn::Failure,
        }
    }

    /// Lets an instance end, and answers for the pump.
    fn end(exits: &mut LastExits, exit: Exit, output: &[&[u8]]) -> LastExit {
        let note = Note::Ended { exit, next: Next::Nothing, is_crash: true, stays_failed: false };
        let said = messages::note(&app(), WEB, &note, None, None);
        let asked = exits.heard(WEB, &note, &said, 7);
        let Some(PumpCommand::Tail(query)) = asked else { panic!("{asked:?}") };
        assert_eq!((query.instance, query.lines), (WEB, LAST_LINES));
        let chunks: Vec<_> =
            output.iter().map(|bytes| Chunk { name: "web.1", at: 0, bytes }).collect();
        (query.send)(&chunks);
        exits.of(WEB).unwrap()
    }

    #[test]
    fn an_end_is_known_with_its_cause_and_the_last_lines() {
        let mut exits = LastExits::default();
        assert_eq!(exits.of(WEB), None);
        let cut = [b"x".repeat(2 * LAST_BYTES), b"\nlast \xff\n".to_vec()].concat();
        let crashed = end(&mut exits, Exit::Code(3), &[b"one\ntw", b"o\n"]);
        let expected = LastExit {
            code: Some(3),
            signal: None,
            at: 7,
            cause: "exited with code 3".to_owned(),
            tail: vec!["one".to_owned(), "two".to_owned()],
        };
        assert_eq!(crashed, expected);
        let killed = end(&mut exits, Exit::Signal(Signal::KILL), &[&cut]);
        assert_eq!((killed.code, killed.signal.as_deref()), (None, Some("SIGKILL")));
        assert_eq!((killed.tail.len(), killed.tail[1].as_str()), (2, "last \u{fffd}"));
        assert!(killed.tail[0].len() < LAST_BYTES);
        exits.forget(WEB);
        assert_eq!(exits.of(WEB), None);
    }

    #[test]
    fn what_pm_has_found_before_the_end_is_its_cause_and_not_that_of_the_next_run() {
        let mut exits = LastExits::default();
        let why = Note::NotAlive { why: "port does not answer".to_owned() };
        let said = messages::note(&app(), WEB, &why, None, None);
        assert_eq!(said.about, About::Instance(WEB));
        assert!(exits.heard(WEB, &why, &said, 1).is_none());
        let term = Exit::Signal(Signal::TERM);
        assert_eq!(end(&mut exits, term, &[]).cause, "not alive: port does not answer");
        assert_eq!(end(&mut exits, term, &[]).cause, "terminated by SIGTERM");
    }
}
