//! What the supervisor notes of an instance: it is shown, and counted.

use super::{SessionLoop, source};
use crate::app::{Exit, InstanceId};
use crate::os::clock;
use crate::output::PumpCommand;
use crate::session::messages;
use crate::supervisor::Note;

impl SessionLoop {
    /// Shows a note, with what the session knows of its cause.
    pub(super) fn note(&mut self, id: InstanceId, note: &Note) {
        self.fronts.heard(id);
        // One that was never started has no name in the output yet.
        if matches!(note, Note::Waiting { .. } | Note::Blocked { .. }) {
            self.post(PumpCommand::AddSource(source(&self.app, id)));
        }
        let is_lost = matches!(note, Note::Ended { exit: Exit::Lost, .. });
        let why = is_lost.then(|| self.children.why_it_runs(id)).flatten();
        if matches!(note, Note::Ended { is_crash: true, .. }) {
            self.say_who_has_port(id);
        }
        let is_late = matches!(note, Note::NotReady { .. });
        let cause = is_late.then(|| self.readiness.cause(id)).flatten();
        let mut said = messages::note(&self.app, id, note, why, cause.as_deref());
        let at = clock::unix_milliseconds();
        let asks = self.last_exits.heard(id, note, &said, at);
        self.figures.heard(id, note);
        if messages::is_explained_by_logs(note, self.kept.is_some()) {
            said.text = messages::with_logs(said.text, &self.app.name_of(id));
        }
        self.say(said);
        asks.into_iter().for_each(|ask| self.post(ask));
    }
}
