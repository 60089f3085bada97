//! The loop's work with fronts: it tells them which runs serve, and why none does.

use super::SessionLoop;
use crate::app::{InstanceId, RunId};
use crate::output::{About, Chunk, PumpCommand, TailQuery};
use crate::proxy::{FrontFailure, FrontId, ProxyReport};
use crate::session::fronts::{self, ClosedFront, FrontNews, Opened};
use crate::session::messages;
use crate::supervisor::{Doing, Event, Status, Supervisor};

/// How many of the last lines are in the page of a front whose instances have all failed.
const PAGE_LINES: usize = 20;

impl SessionLoop {
    /// Says what is to be said of a front that was opened, or could not be.
    pub(super) fn say_of_front(&mut self, result: Result<Opened, ClosedFront>) {
        let said = match result {
            Ok(Opened { front, .. }) if front.is_local() => return,
            Ok(Opened { name, port, front }) => {
                let address = front.bind.map(|address| address.to_string()).unwrap_or_default();
                let text = format!(
                    "warning: `proxy-bind` opens `{name}` to the network: its proxy listens on {address}, port {port}"
                );
                let facts = serde_json::json!({ "type": name, "address": address, "port": port });
                messages::say(About::Session, "proxy-open", text, facts)
            }
            Err(error) => {
                self.requests.fail_reload(error.name(), error.reason());
                let text = format!("{}; `pm reload` tries again", error.reason());
                messages::say(About::Session, "no-proxy", text, serde_json::Value::Null)
            }
        };
        self.say(said.failed());
    }

    /// Opens the front of a run that is about to start, where that has not been done.
    pub(super) fn open_front(&mut self, run: RunId) {
        let opened = self.fronts.open(&self.app, run.instance.process_type).transpose();
        if let Some(result) = opened {
            self.say_of_front(result);
        }
    }

    /// Fits the fronts to an application that was read again.
    pub(super) fn settle_fronts(&mut self) {
        for result in self.fronts.settle(&self.app) {
            self.say_of_front(result);
        }
        self.open_waiting_fronts();
    }

    /// Opens the fronts that a reload has added, as far as their ports are free.
    pub(super) fn open_waiting_fronts(&mut self) {
        for result in self.fronts.open_waiting(&self.app, &self.ports) {
            self.say_of_front(result);
        }
    }

    /// Lets a run have requests.
    pub(super) fn serve(&mut self, run: RunId) {
        if let Some(port) = self.ports.of_run(run) {
            self.fronts.serve(run, port);
        }
    }

    /// Gives a run no more requests; where it has had none through pm, that is done at once.
    pub(super) fn withdraw(&mut self, run: RunId) {
        if !self.fronts.withdraw(run) {
            self.queue.push_back(Event::Withdrawn { run });
        }
    }

    /// Tells the fronts of types of which something was said whether an instance can still become ready.
    pub(super) fn tell_fronts(&mut self, core: &Supervisor) {
        let doubtful = self.fronts.take_doubtful();
        for process_type in doubtful {
            if self.fronts.have_failed(process_type, core.is_over(process_type)) {
                // What has happened last is why.
                let of_type = core.status_of_type(process_type, self.clock.now());
                let ended = |id| self.last_exits.of(id).map(|end| end.at);
                let last = of_type.iter().max_by_key(|it| ended(it.id));
                if let Some(last) = last {
                    self.ask_why(last.id, last.doing);
                }
            }
        }
    }

    /// Asks the pump for the last lines of an instance, which the front is then told with the cause.
    fn ask_why(&mut self, id: InstanceId, doing: Doing) {
        let name = self.app.name_of(id);
        let cause = match (doing, self.last_exits.of(id)) {
            (Doing::Blocked(by), _) => {
                format!("{name} is not started: {} has ended", self.app.name_of(by))
            }
            (Doing::Ended(exit), _) if exit.is_success() => format!("{name} is done: {exit}"),
            (_, Some(end)) => format!("{name} failed: {}", end.cause),
            (_, None) => format!("{name} failed"),
        };
        self.ask_for_lines(id, cause, FrontNews::Failed);
    }

    /// Asks the pump for the last lines of an instance, which follow with the cause as news.
    fn ask_for_lines(
        &mut self,
        id: InstanceId,
        cause: String,
        news: fn(u16, FrontFailure) -> FrontNews,
    ) {
        let tell = self.fronts.telling();
        let send = move |chunks: &[Chunk<'_>]| {
            let bytes: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.bytes).copied().collect();
            let text = String::from_utf8_lossy(&bytes);
            let lines = text.lines().map(str::to_owned).collect();
            tell(news(id.process_type, FrontFailure { cause: cause.clone(), lines }));
        };
        let query = TailQuery { instance: id, lines: PAGE_LINES, send: Box::new(send) };
        self.post(PumpCommand::Tail(query));
    }

    /// Lets a front know why none of its instances is ready: what the first does that is to run, and its last lines.
    fn explain(&mut self, front: FrontId, core: &Supervisor) {
        let Some(process_type) = fronts::type_of(front) else { return };
        let of_type = core.status_of_type(process_type, self.clock.now());
        let is_over = |status: &Status| match status.doing {
            Doing::Stopped | Doing::Ended(_) | Doing::GivenUp | Doing::Blocked(_) => true,
            Doing::Waiting
            | Doing::Starting
            | Doing::Unready
            | Doing::Ready
            | Doing::Up
            | Doing::Stopping
            | Doing::BackingOff(_) => false,
        };
        match of_type.iter().min_by_key(|status| (is_over(status), status.id.number)) {
            Some(status) => {
                let cause = self.why_unready(status);
                self.ask_for_lines(status.id, cause, FrontNews::Unready);
            }
            None => {
                let why = FrontFailure { cause: "it has no instances".into(), lines: Vec::new() };
                self.fronts.explain(process_type, why);
            }
        }
    }

    /// Says what an instance does that does not answer.
    fn why_unready(&self, status: &Status) -> String {
        let name = self.app.name_of(status.id);
        let end = || match self.last_exits.of(status.id) {
            Some(end) => format!("{name} failed: {}", end.cause),
            None => format!("{name} failed"),
        };
        match status.doing {
            Doing::Waiting => {
                let awaited: Vec<String> =
                    status.waits_for.iter().map(|id| self.app.name_of(*id)).collect();
                match awaited.is_empty() {
                    true => format!("{name} has not started"),
                    false => format!("{name} waits for {}", awaited.join(", ")),
                }
            }
            Doing::Blocked(by) => {
                format!("{name} is not started: {} has ended", self.app.name_of(by))
            }
            Doing::Starting | Doing::Unready => match self.readiness.cause(status.id) {
                Some(cause) => format!("{name} is starting: {cause}"),
                None => format!("{name} is starting"),
            },
            Doing::Ready | Doing::Up => match self.ports.of_run(status.run) {
                Some(port) => format!("{name} runs, and does not answer on port {port}"),
                None => format!("{name} runs, and does not answer"),
            },
            Doing::Stopping => format!("{name} is stopping"),
            Doing::BackingOff(_) => format!("{}; it is about to start again", end()),
            Doing::Stopped => format!("{name} is stopped"),
            Doing::Ended(exit) if exit.is_success() => format!("{name} is done: {exit}"),
            Doing::Ended(_) | Doing::GivenUp => end(),
        }
    }

    /// Takes what is said of a front when the session ends: who still waits is told why before the front is closed.
    pub(super) fn take_last_news(&mut self, news: FrontNews) {
        match news {
            // What follows is for a session that goes on.
            FrontNews::Report(_) => {}
            FrontNews::Failed(process_type, failure) => {
                self.fronts.tell_failure(process_type, failure);
            }
            FrontNews::Unready(process_type, why) => self.fronts.explain(process_type, why),
        }
    }

    /// Takes what a front has to say, and returns the event that follows from it.
    pub(super) fn take_news(&mut self, news: FrontNews, core: &Supervisor) -> Option<Event> {
        match news {
            FrontNews::Report(ProxyReport::Withdrawn(key)) => {
                self.fronts.run_of(key).map(|run| Event::Withdrawn { run })
            }
            FrontNews::Report(ProxyReport::Overdue(front)) => {
                self.explain(front, core);
                None
            }
            FrontNews::Failed(..) | FrontNews::Unready(..) => {
                self.take_last_news(news);
                None
            }
        }
    }
}
