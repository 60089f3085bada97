//! Requests of clients: the session answers some by itself, and passes the others to the supervisor.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::SessionLoop;
use crate::app::{InstanceId, Signal, reload};
use crate::control::outbox::Outbox;
use crate::control::proto::{Report, Request, Response, RollTargets, Targets};
use crate::control::server::ClientId;
use crate::os::pty::WindowSize;
use crate::output::About;
use crate::session::requests::{
    FailureForm, Rereading, all_but_release, select_instances, select_type, select_types,
};
use crate::session::{messages, report, wait};
use crate::supervisor::{self, Event, RolloutOrder, Supervisor, WaitMode};

impl SessionLoop {
    /// Answers a request, or passes it to the supervisor.
    pub(super) fn handle_request(
        &mut self,
        client: ClientId,
        request: Request,
        outbox: Outbox,
        core: &Supervisor,
    ) {
        use supervisor::ResolvedRequest as Ask;
        let (mut grace, mut form) = (None, FailureForm::Reasons);
        let (asked, wait) = match request {
            Request::Status => {
                return report::send(self.report(core), self.children.helpers(), outbox);
            }
            Request::Figures(query) => return self.look_at_figures(query, outbox),
            Request::Changes => {
                let response = self.changes(&outbox, core).err().unwrap_or(Response::Done);
                return outbox.respond(response);
            }
            Request::Logs(query) => return self.requests.send_logs(client, query, outbox, core),
            Request::Attach { name, rows, columns } => {
                return self.attach(client, &name, WindowSize { rows, columns }, outbox, core);
            }
            Request::Start(Targets { names, wait, .. }) => {
                (select_instances(&names, core).map(Ask::Start), wait)
            }
            Request::Stop(Targets { names, wait, timeout_ms }) => {
                grace = timeout_ms.map(Duration::from_millis);
                (select_instances(&names, core).map(Ask::Stop), wait)
            }
            Request::Restart(Targets { names, wait, timeout_ms }) => {
                grace = timeout_ms.map(Duration::from_millis);
                (self.restart(&names, &outbox, core), wait)
            }
            Request::Scale { counts, wait } => {
                (select_types(counts, core.app()).map(Ask::Scale), wait)
            }
            Request::ScaleBy { name, more, wait } => {
                (select_type(&name, core.app()).map(|at| Ask::ScaleBy(at, more)), wait)
            }
            Request::Signal { names, signal } => {
                (select_instances(&names, core).map(|ids| Ask::Signal(ids, Signal(signal))), true)
            }
            Request::Reload { wait } => (self.reload(None, &outbox, core), wait),
            Request::Roll(roll) => {
                grace = roll.timeout_ms.map(Duration::from_millis);
                form = FailureForm::OfRollout;
                (self.roll(&roll, &outbox, core), roll.wait)
            }
            Request::Wait { targets } => {
                form = FailureForm::WithOutput;
                (wait::select_targets(&targets, core).map(Ask::Wait), true)
            }
            Request::Quit { wait } => (Ok(Ask::Quit), wait),
        };
        self.pass_on(asked, (wait, grace), (client, outbox, form));
    }

    /// Passes a request to the supervisor, or says why it is refused.
    fn pass_on(
        &mut self,
        asked: Result<supervisor::ResolvedRequest, Response>,
        (wait, grace): (bool, Option<Duration>),
        (client, outbox, form): (ClientId, Outbox, FailureForm),
    ) {
        match asked {
            Ok(request) => {
                let id = self.requests.wait_for_reply(client, outbox, form, &request);
                let wait = if wait { WaitMode::UntilDone } else { WaitMode::Never };
                self.queue.push_back(Event::Requested { id, request, wait, grace });
            }
            Err(response) => outbox.respond(response),
        }
    }

    /// Returns the state of every instance; nothing is measured.
    pub(super) fn report(&self, core: &Supervisor) -> Report {
        let known = report::InstanceFacts {
            readiness: &self.readiness,
            watching: &self.watching,
            ends: &self.last_exits,
            fronts: &self.fronts,
            ports: &self.ports,
        };
        report::of(core, known, &self.origin, self.clock.now())
    }

    /// Restarts instances with the current environment of the files.
    fn restart(
        &mut self,
        names: &[String],
        outbox: &Outbox,
        core: &Supervisor,
    ) -> Result<supervisor::ResolvedRequest, Response> {
        let ids = match names {
            [] => all_but_release(core),
            names => select_instances(names, core)?,
        };
        self.restart_with_current_environment(ids, Some(outbox), core)
    }

    /// Does the same for these instances; `outbox` is that of the client, if one has asked.
    pub(super) fn restart_with_current_environment(
        &mut self,
        ids: Vec<InstanceId>,
        outbox: Option<&Outbox>,
        core: &Supervisor,
    ) -> Result<supervisor::ResolvedRequest, Response> {
        let app = reload::with_environment_of(core.app(), &self.requests.reread(outbox)?.app);
        self.queue.push_back(Event::Reread(Arc::new(app)));
        Ok(supervisor::ResolvedRequest::Restart(ids))
    }

    /// Tells what a reload would change.
    fn changes(&mut self, outbox: &Outbox, core: &Supervisor) -> Result<(), Response> {
        let new = reload::fit(core.app(), self.requests.reread(Some(outbox))?.app);
        let changed = core.changed_by(&new.app, &new.gone).into_iter();
        let known = core.app().types.len();
        let one = |at: u16| {
            let name = &new.app.types[usize::from(at)].name;
            match at {
                at if new.gone.contains(&at) => format!("`{name}` is gone"),
                at if usize::from(at) >= known => format!("`{name}` is new"),
                _ => format!("`{name}` is different"),
            }
        };
        let changed: Vec<_> = changed.map(one).collect();
        if !changed.is_empty() {
            let text = format!(
                "the files have changed since the session read them ({}); `pm reload` applies that",
                changed.join(", ")
            );
            outbox.respond(Response::Warning { text });
        }
        Ok(())
    }

    /// Replaces instances with the current environment of the files, or what is different in the files.
    fn roll(
        &mut self,
        roll: &RollTargets,
        outbox: &Outbox,
        core: &Supervisor,
    ) -> Result<supervisor::ResolvedRequest, Response> {
        let order = RolloutOrder { batch: roll.batch, stop_first: roll.stop_first };
        if roll.reload {
            return self.reload(Some(order), outbox, core);
        }
        let request = self.restart(&roll.names, outbox, core)?;
        let supervisor::ResolvedRequest::Restart(ids) = request else { return Ok(request) };
        let fixed = ids.iter().find(|id| !core.can_roll(id.process_type));
        if let Some(id) = fixed.filter(|_| !roll.names.is_empty()) {
            let name = &core.app().type_of(*id).name;
            return Err(Response::Refused {
                reason: format!("`{name}` cannot have two runs of an instance at a time"),
                hint: Some(format!(
                    "`proxy` or `share-port` of `{name}` gives it one, or a `ready` that is not its own port; \
                     `pm restart {name}` stops each before it starts it"
                )),
            });
        }
        Ok(supervisor::ResolvedRequest::Roll(ids, order))
    }

    fn reload(
        &mut self,
        rolling: Option<RolloutOrder>,
        outbox: &Outbox,
        core: &Supervisor,
    ) -> Result<supervisor::ResolvedRequest, Response> {
        let Rereading { app, notices, .. } = self.requests.reread(Some(outbox))?;
        let said = mem::replace(&mut self.requests.notices, notices.clone());
        for text in notices.into_iter().filter(|text| !said.contains(text)) {
            self.say(messages::say(About::Session, "notice", text, serde_json::Value::Null));
        }
        let reload::Fitted { app, gone } = reload::fit(core.app(), app);
        Ok(supervisor::ResolvedRequest::Reload { app: Arc::new(app), gone, rolling })
    }
}
