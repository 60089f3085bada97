//! Clients that are attached to terminals of instances, and the size of these terminals.

use std::sync::Arc;

use super::SessionLoop;
use crate::app::RunId;
use crate::control::outbox::Outbox;
use crate::control::proto::Response;
use crate::control::server::ClientId;
use crate::os::pty::WindowSize;
use crate::output::{PumpCommand, TerminalViewer};
use crate::session::console::Console;
use crate::session::requests::{Stream, select_instances};
use crate::session::{input_sink, subscriber};
use crate::supervisor::Supervisor;

impl SessionLoop {
    /// Attaches a client to the terminal of the instance that it names, or refuses with a reason.
    pub(super) fn attach(
        &mut self,
        client: ClientId,
        name: &str,
        size: WindowSize,
        outbox: Outbox,
        core: &Supervisor,
    ) {
        let found = self.terminal_of(name, core);
        let add = |found| self.requests.add_stream(client, Stream::Terminal).map(|()| found);
        match found.and_then(add) {
            Ok((run, console)) => {
                console.set_viewer_size(client, size);
                self.suspend_probe(run, true);
                outbox.respond(Response::Attached);
                outbox.attach(input_sink::for_console(console, client));
                let viewer = TerminalViewer { id: client.0, send: subscriber::unfiltered(outbox) };
                self.pump.post(PumpCommand::View(run, viewer));
                self.pump.wake();
            }
            Err(body) => outbox.respond(body),
        }
    }

    /// Returns the terminal of the instance with this name.
    fn terminal_of(
        &self,
        name: &str,
        core: &Supervisor,
    ) -> Result<(RunId, Arc<Console>), Response> {
        let refused =
            |reason, hint: &str| Response::Refused { reason, hint: Some(hint.to_owned()) };
        let ids = select_instances(&[name.to_owned()], core)?;
        let [id] = ids[..] else {
            return Err(refused(format!("`{name}` is not one instance"), "write `web.1`"));
        };
        let (run, terminal) =
            self.terminals.iter().find(|(run, _)| run.instance == id).ok_or_else(|| {
                let name = self.app.name_of(id);
                let hint = "a running instance has one with `pm start --pty always`";
                refused(format!("`{name}` has no terminal"), hint)
            })?;
        Ok((*run, Arc::clone(&terminal.console)))
    }

    /// Gives every terminal the size of pm's own, except those with attached clients.
    pub(super) fn resize(&self) {
        self.terminals.values().for_each(|terminal| terminal.console.resize());
    }

    /// Detaches a client that has left.
    pub(super) fn let_go(&self, client: ClientId) {
        for (run, terminal) in &self.terminals {
            if terminal.console.leave(client) {
                self.suspend_probe(*run, false);
            }
        }
    }

    /// Closes pm's copy of the run's end of a terminal when the run has ended, so that the rest of its output is read
    /// to the end.
    pub(super) fn release(&mut self, run: RunId) {
        if let Some(terminal) = self.terminals.get_mut(&run) {
            terminal.held = None;
        }
    }
}
