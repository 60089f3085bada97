//! What a reload would change, for those who only ask.

use super::Supervisor;
use super::reload::same_start;
use crate::app::App;

impl Supervisor {
    /// Returns which process types a reload to this application would change, by position; see [`super::ResolvedRequest::Reload`].
    pub fn changed_by(&self, app: &App, gone: &[u16]) -> Vec<u16> {
        let is_changed = |at: &u16| {
            let Some(own) = self.app.types.get(usize::from(*at)) else { return true };
            let mut instances = self.procs.of_type(*at).peekable();
            let (is_gone, has_none) = (gone.contains(at), instances.peek().is_none());
            let new = &app.types[usize::from(*at)];
            let mut lives = instances.filter_map(|(id, proc)| Some((id, proc.life.born.as_ref()?)));
            match (is_gone, has_none) {
                // It stays in the application as it was; without instances it is nothing.
                (true, has_none) => !has_none,
                (false, true) => own.command != new.command || own.policy != new.policy,
                (false, false) => {
                    own.policy != new.policy || lives.any(|(id, born)| !same_start(born, app, id))
                }
            }
        };
        let all = 0..u16::try_from(app.types.len()).unwrap_or(u16::MAX);
        all.filter(is_changed).collect()
    }
}
