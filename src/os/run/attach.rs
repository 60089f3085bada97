//! Clients on the terminals of instances, and the size of these.

use std::os::fd::OwnedFd;

use super::Shell;
use crate::app::RunId;
use crate::control::proto::Body;
use crate::control::server::{ClientId, Outbox};
use crate::os::pty::Size;
use crate::os::{deliver, desk, keyboard};
use crate::output::{ToPump, Watcher};
use crate::supervisor::Supervisor;

impl Shell {
    /// Lets a client see and type on the terminal of the instance that it names, or says why not.
    pub(super) fn attach(
        &mut self,
        client: ClientId,
        name: &str,
        size: Size,
        outbox: Outbox,
        core: &Supervisor,
    ) {
        match self.terminal_of(name, core) {
            Ok((run, keys)) => {
                size.give(&keys);
                outbox.answer(Body::Attached);
                outbox.attach(keyboard::on(keys));
                let watcher = Watcher { id: client.0, send: deliver::as_it_comes(outbox) };
                self.pump.post(ToPump::Watch(run, watcher));
                self.pump.wake();
            }
            Err(body) => outbox.answer(body),
        }
    }

    /// Returns the terminal of the one instance that is named.
    fn terminal_of(&self, name: &str, core: &Supervisor) -> Result<(RunId, OwnedFd), Body> {
        let refused = |reason, hint: &str| Body::Refused { reason, hint: Some(hint.to_owned()) };
        let ids = desk::chosen(&[name.to_owned()], core)?;
        let [id] = ids[..] else {
            return Err(refused(format!("`{name}` is not one instance"), "write `web.1`"));
        };
        let (run, terminal) =
            self.terminals.iter().find(|(run, _)| run.instance == id).ok_or_else(|| {
                let name = self.app.name_of(id);
                let hint = "a running instance has one with `pm start --pty always`";
                refused(format!("`{name}` has no terminal"), hint)
            })?;
        let end = terminal
            .end
            .try_clone()
            .map_err(|error| refused(format!("cannot attach: {error}"), "close other clients"))?;
        Ok((*run, end))
    }

    /// Gives every terminal the size of pm's own.
    pub(super) fn resize(&self) {
        let size = Size::of_stdout();
        self.terminals.values().for_each(|terminal| size.give(&terminal.end));
    }
}
