//! The fronts of a session: which are open, and what they are told of its runs.

mod listen;
mod ports;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::TcpListener;
use std::sync::Arc;

pub(super) use self::listen::ClosedFront;
use self::listen::listen;
pub(super) use self::ports::RunPorts;
use crate::app::{App, Front, InstanceId, RunId};
use crate::os::clock;
use crate::os::job_control;
use crate::proxy::{
    self, FrontFailure, FrontFigures, FrontId, FrontSettings, InstanceFigures, Proxy, ProxyReport,
    Upstream,
};

/// Returns the proxy's name of a run.
fn key_of(run: RunId) -> u64 {
    let InstanceId { process_type, number } = run.instance;
    u64::from(process_type) << 48 | u64::from(number) << 32 | u64::from(run.seq)
}

fn front_of(process_type: u16) -> FrontId {
    FrontId(usize::from(process_type))
}

/// Returns the type that a front serves.
pub(super) fn type_of(front: FrontId) -> Option<u16> {
    u16::try_from(front.0).ok()
}

/// A front that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
struct SessionFront {
    front: Front,
    name: String,
    port: u16,
}

impl SessionFront {
    fn of(app: &App, process_type: u16) -> Option<Self> {
        let own = app.types.get(usize::from(process_type))?;
        let front = own.front.clone()?;
        Some(Self { front, name: own.name.clone(), port: app.address_of(process_type)? })
    }

    fn opened(&self) -> Opened {
        let Self { front, name, port } = self.clone();
        Opened { name, port, front }
    }

    fn settings(&self, listeners: Vec<TcpListener>) -> FrontSettings {
        FrontSettings {
            name: self.name.clone(),
            listeners,
            wait: self.front.wait,
            is_local: self.front.is_local(),
        }
    }
}

/// Where a front has begun to take connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) name: String,
    pub(super) port: u16,
    pub(super) front: Front,
}

/// What other threads tell of fronts.
#[derive(Debug)]
pub(super) enum FrontNews {
    /// From the proxy.
    Report(ProxyReport),
    /// All instances of a type have failed, and these were their last lines.
    Failed(u16, FrontFailure),
    /// No instance of a type is ready, for requests that have waited for one.
    Unready(u16, FrontFailure),
}

type Tell = Arc<dyn Fn(FrontNews) + Send + Sync>;

/// The fronts of a session, by the position of the type.
pub(super) struct SessionFronts {
    /// The thread that serves them, from the first front on.
    proxy: Option<Proxy>,
    /// Passes on what other threads have to tell.
    tell: Tell,
    open: BTreeMap<u16, SessionFront>,
    /// Types with a front that is opened when no run of theirs from before has its port any more.
    waiting: BTreeSet<u16>,
    /// Types whose front could not be opened. It is tried again when the files are read again.
    refused: BTreeSet<u16>,
    /// Runs that are to get requests, with their ports, whether their front is open or not.
    served: BTreeMap<RunId, u16>,
    /// Runs that may get requests, or are withdrawn and not cut.
    serving: HashSet<RunId>,
    /// Types of which something was said that may change whether an instance can still become ready.
    doubtful: BTreeSet<u16>,
    /// Types whose front knows that all have failed.
    failed: BTreeSet<u16>,
}

impl SessionFronts {
    /// `tell` is called from other threads.
    pub(super) fn new(tell: impl Fn(FrontNews) + Send + Sync + 'static) -> Self {
        Self {
            proxy: None,
            tell: Arc::new(tell),
            open: BTreeMap::new(),
            waiting: BTreeSet::new(),
            refused: BTreeSet::new(),
            served: BTreeMap::new(),
            serving: HashSet::new(),
            doubtful: BTreeSet::new(),
            failed: BTreeSet::new(),
        }
    }

    /// Opens the fronts of all types that run. Returns where.
    ///
    /// # Errors
    /// One of them cannot be opened.
    pub(super) fn open_all(&mut self, app: &App) -> Result<Vec<Opened>, ClosedFront> {
        let running = app.types.iter().zip(0_u16..).filter(|(own, _)| own.count > 0);
        let opened = running.map(|(_, process_type)| self.open(app, process_type));
        Ok(opened.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// Returns what passes on what other threads have to tell.
    pub(super) fn telling(&self) -> Tell {
        Arc::clone(&self.tell)
    }

    /// Opens the front of a type that has one which is not open yet, does not wait, and could be opened when that was
    /// last tried. Returns where it was opened.
    ///
    /// # Errors
    /// The port cannot be had, or there can be no thread.
    pub(super) fn open(
        &mut self,
        app: &App,
        process_type: u16,
    ) -> Result<Option<Opened>, ClosedFront> {
        let Some(wanted) = SessionFront::of(app, process_type) else { return Ok(None) };
        let is_tried = self.open.contains_key(&process_type)
            || self.waiting.contains(&process_type)
            || self.refused.contains(&process_type);
        if is_tried {
            return Ok(None);
        }
        let opened = listen(&wanted.name, &wanted.front, wanted.port)
            .and_then(|listeners| self.begin(process_type, wanted, listeners));
        if opened.is_err() {
            self.refused.insert(process_type);
        }
        opened.map(Some)
    }

    /// Opens those of the fronts that wait whose ports no run of their types has.
    pub(super) fn open_waiting(
        &mut self,
        app: &App,
        ports: &RunPorts,
    ) -> Vec<Result<Opened, ClosedFront>> {
        let is_free = |process_type: &u16| {
            let wanted = SessionFront::of(app, *process_type);
            wanted.is_none_or(|wanted| !ports.is_of_type(wanted.port, *process_type))
        };
        let free: Vec<_> =
            self.waiting.extract_if(.., |process_type| is_free(process_type)).collect();
        let opened = free.into_iter();
        opened.filter_map(|process_type| self.open(app, process_type).transpose()).collect()
    }

    /// Begins to serve at these listeners with all runs of the type that are to get requests.
    fn begin(
        &mut self,
        process_type: u16,
        wanted: SessionFront,
        listeners: Vec<TcpListener>,
    ) -> Result<Opened, ClosedFront> {
        let mut proxy = match self.proxy.take() {
            Some(proxy) => proxy,
            None => {
                let tell = Arc::clone(&self.tell);
                let report = move |report| tell(FrontNews::Report(report));
                job_control::keep_from(|| proxy::start(clock::instant, report))
                    .map_err(|error| ClosedFront::no_thread(&wanted.name, error))?
            }
        };
        proxy.open(front_of(process_type), wanted.settings(listeners));
        self.proxy = Some(proxy);
        let opened = wanted.opened();
        self.open.insert(process_type, wanted);
        let served = self.served.iter().map(|(run, port)| (*run, *port));
        let of_type = served.filter(|(run, _)| run.instance.process_type == process_type);
        for (run, port) in of_type.collect::<Vec<_>>() {
            self.offer(run, port);
        }
        // They may all have failed before.
        self.doubtful.insert(process_type);
        Ok(opened)
    }

    /// Fits the open fronts to an application that was read again: a front that is not wanted any more is closed, one
    /// with other settings takes them, and one on another address listens there. Connections stay. One that is new waits
    /// for [`Self::open_waiting`], since its port may be that of an older run.
    pub(super) fn settle(&mut self, app: &App) -> Vec<Result<Opened, ClosedFront>> {
        let mut said = Vec::new();
        let types = app.types.iter().zip(0_u16..);
        let serves = |at: u16| self.served.keys().any(|run| run.instance.process_type == at);
        let wanted = types.filter(|(own, at)| {
            let is_wanted = own.front.is_some() && (own.count > 0 || serves(*at));
            is_wanted && !self.open.contains_key(at)
        });
        self.waiting = wanted.map(|(_, at)| at).collect();
        self.refused.clear();
        for (process_type, open) in self.open.clone() {
            match SessionFront::of(app, process_type) {
                None => self.close(process_type),
                Some(wanted) if wanted == open => {}
                Some(wanted) => said.extend(self.change(process_type, &open, wanted)),
            }
        }
        said
    }

    /// Closes a front. What its runs still answer, they may.
    fn close(&mut self, process_type: u16) {
        if let Some(proxy) = &mut self.proxy {
            // Who has the port next may start before the proxy's thread comes to the rest.
            proxy.unlisten(front_of(process_type));
            proxy.close(front_of(process_type));
        }
        self.open.remove(&process_type);
        self.failed.remove(&process_type);
    }

    /// Gives an open front other settings. Returns what is to be said of its address, where that is another.
    fn change(
        &mut self,
        process_type: u16,
        open: &SessionFront,
        wanted: SessionFront,
    ) -> Vec<Result<Opened, ClosedFront>> {
        let Some(proxy) = &mut self.proxy else { return Vec::new() };
        let front = front_of(process_type);
        let (is_same_port, is_same_bind) =
            (wanted.port == open.port, wanted.front.bind == open.front.bind);
        if is_same_port && is_same_bind {
            proxy.open(front, wanted.settings(Vec::new()));
            self.open.insert(process_type, wanted);
            return Vec::new();
        }
        // Two addresses of one port may exclude each other: 127.0.0.1 and 0.0.0.0 do.
        if is_same_port {
            proxy.unlisten(front);
        }
        let error = match listen(&wanted.name, &wanted.front, wanted.port) {
            Ok(listeners) => {
                proxy.open(front, wanted.settings(listeners));
                let opened = wanted.opened();
                self.open.insert(process_type, wanted);
                return vec![Ok(opened)];
            }
            Err(error) => error,
        };
        if !is_same_port {
            return vec![Err(error)];
        }
        match listen(&open.name, &open.front, open.port) {
            Ok(listeners) => {
                proxy.open(front, open.settings(listeners));
                vec![Err(error)]
            }
            // Another has taken it meanwhile.
            Err(old) => {
                self.close(process_type);
                self.refused.insert(process_type);
                vec![Err(error), Err(old)]
            }
        }
    }

    /// Lets a run with this port have requests, as soon as its type has an open front.
    pub(super) fn serve(&mut self, run: RunId, port: u16) {
        self.served.insert(run, port);
        if self.open.contains_key(&run.instance.process_type) {
            self.offer(run, port);
        }
    }

    fn offer(&mut self, run: RunId, port: u16) {
        let InstanceId { process_type, number } = run.instance;
        if let Some(proxy) = &mut self.proxy {
            let upstream = Upstream { key: key_of(run), number, port };
            proxy.offer(front_of(process_type), upstream);
            self.serving.insert(run);
            self.failed.remove(&process_type);
        }
    }

    /// Gives a run no more requests. Returns whether a report follows: otherwise it gets none.
    pub(super) fn withdraw(&mut self, run: RunId) -> bool {
        self.served.remove(&run);
        let serves = self.serving.contains(&run);
        if let Some(proxy) = self.proxy.as_mut().filter(|_| serves) {
            proxy.withdraw(key_of(run));
        }
        serves
    }

    /// Returns the run with this name.
    pub(super) fn run_of(&self, key: u64) -> Option<RunId> {
        self.serving.iter().copied().find(|run| key_of(*run) == key)
    }

    /// Closes what is left of a run that is over, or is being killed.
    pub(super) fn cut(&mut self, run: RunId) {
        self.served.remove(&run);
        if self.serving.remove(&run)
            && let Some(proxy) = &mut self.proxy
        {
            proxy.cut(key_of(run));
        }
    }

    /// Takes note that something was said of an instance, or that it is none any more.
    pub(super) fn heard(&mut self, id: InstanceId) {
        if self.open.contains_key(&id.process_type) {
            self.doubtful.insert(id.process_type);
        }
    }

    /// Returns the types of which something was said since the last call.
    pub(super) fn take_doubtful(&mut self) -> BTreeSet<u16> {
        std::mem::take(&mut self.doubtful)
    }

    /// Takes note whether all instances of a type have failed for good. Returns whether that is new, and the front
    /// must be told why.
    pub(super) fn have_failed(&mut self, process_type: u16, have_failed: bool) -> bool {
        if have_failed {
            return self.failed.insert(process_type);
        }
        if self.failed.remove(&process_type)
            && let Some(proxy) = &mut self.proxy
        {
            proxy.fail(front_of(process_type), None);
        }
        false
    }

    /// Tells a front why all have failed, unless an instance can become ready again.
    pub(super) fn tell_failure(&mut self, process_type: u16, failure: FrontFailure) {
        if let Some(proxy) = self.proxy.as_mut().filter(|_| self.failed.contains(&process_type)) {
            proxy.fail(front_of(process_type), Some(failure));
        }
    }

    /// Tells a front why no instance is ready.
    pub(super) fn explain(&mut self, process_type: u16, why: FrontFailure) {
        if let Some(proxy) = &mut self.proxy {
            proxy.explain(front_of(process_type), why);
        }
    }

    /// Returns the port of the front of each type that has an open one.
    pub(super) fn ports(&self) -> impl Iterator<Item = (u16, u16)> {
        self.open.iter().map(|(process_type, open)| (*process_type, open.port))
    }

    /// Returns what the fronts have counted.
    pub(super) fn figures(&self) -> Vec<FrontFigures> {
        self.proxy.as_ref().map(Proxy::figures).unwrap_or_default()
    }
}

/// Returns what an instance has served.
pub(super) fn figures_of(figures: &[FrontFigures], id: InstanceId) -> Option<InstanceFigures> {
    let front = of_front(figures, id.process_type)?;
    let found = front.instances.iter().find(|of| of.number == id.number).copied();
    Some(found.unwrap_or(InstanceFigures {
        number: id.number,
        requests: 0,
        in_flight: 0,
        errors_5xx: 0,
    }))
}

/// Returns what the front of a process type has counted.
pub(super) fn of_front(figures: &[FrontFigures], process_type: u16) -> Option<&FrontFigures> {
    figures.iter().find(|of| of.front == front_of(process_type))
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;
    use crate::app::{Environment, ExitOn, PortSlot, ProcessType};

    fn run(number: u16, seq: u32) -> RunId {
        RunId { instance: InstanceId { process_type: 0, number }, seq }
    }

    fn an_app(front: Option<Front>, base_port: u16) -> App {
        App {
            root: "/".into(),
            types: vec![ProcessType { front, count: 2, ..ProcessType::of("web", "") }],
            environment: Environment::default(),
            base_port,
            exit_on: ExitOn::Failure,
        }
    }

    #[test]
    fn a_front_that_a_reload_adds_waits_for_the_port_and_is_told_who_serves_meanwhile() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (old, new) = (an_app(None, port), an_app(Some(Front::default()), port));
        let mut ports = RunPorts::default();
        ports.started(&old, run(1, 1), PortSlot::Usual);
        ports.started(&new, run(2, 2), PortSlot::Usual);
        let mut fronts = SessionFronts::new(|_| {});
        assert!(fronts.settle(&new).is_empty());
        assert!(fronts.open_waiting(&new, &ports).is_empty() && fronts.open.is_empty());
        fronts.serve(run(2, 2), port + 2);
        assert!(fronts.open(&new, 0).unwrap().is_none(), "it waits");
        ports.forget(run(1, 1));
        let opened = fronts.open_waiting(&new, &ports).pop().unwrap().unwrap();
        assert_eq!(opened.port, port);
        assert!(fronts.withdraw(run(2, 2)), "it gets requests");
    }

    #[test]
    fn a_front_that_is_opened_late_knows_who_serves_and_is_not_tried_at_each_start() {
        let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = stranger.local_addr().unwrap().port();
        let app = an_app(Some(Front::default()), port);
        let mut fronts = SessionFronts::new(|_| {});
        let ports = RunPorts::default();
        assert!(fronts.settle(&app).is_empty());
        fronts.serve(run(1, 1), port + 1);
        let refused = fronts.open_waiting(&app, &ports).pop().unwrap().unwrap_err();
        assert!(refused.reason().contains("cannot listen on 127.0.0.1"), "{}", refused.reason());
        fronts.serve(run(2, 1), port + 2);
        drop(stranger);
        assert!(fronts.open(&app, 0).unwrap().is_none(), "it was said, and is not tried again");
        assert!(fronts.open_waiting(&app, &ports).is_empty() && fronts.open.is_empty());
        assert!(fronts.settle(&app).is_empty());
        assert_eq!(fronts.open_waiting(&app, &ports).pop().unwrap().unwrap().port, port);
        assert!(fronts.withdraw(run(1, 1)) && fronts.withdraw(run(2, 1)), "they get requests");
        assert_eq!(fronts.take_doubtful(), [0].into());
    }

    #[test]
    fn a_front_takes_another_address_of_its_port_and_keeps_its_own_where_it_cannot() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let bound = |address: &str| {
            an_app(Some(Front { bind: address.parse().ok(), ..Front::default() }), port)
        };
        let mut fronts = SessionFronts::new(|_| {});
        fronts.open_all(&an_app(Some(Front::default()), port)).unwrap();
        let opened = fronts.settle(&bound("0.0.0.0")).pop().unwrap().unwrap();
        assert_eq!(opened.front.bind, "0.0.0.0".parse().ok());
        for address in ["127.0.0.1", "127.0.0.2"] {
            TcpStream::connect((address, port)).unwrap();
        }
        // No machine has this one (RFC 5737).
        let error = fronts.settle(&bound("192.0.2.1")).pop().unwrap().unwrap_err();
        assert!(error.reason().contains("cannot listen on 192.0.2.1"), "{}", error.reason());
        TcpStream::connect(("127.0.0.2", port)).unwrap();
        assert!(fronts.settle(&an_app(Some(Front::default()), port)).pop().unwrap().is_ok());
        TcpStream::connect(("127.0.0.1", port)).unwrap();
        assert!(TcpStream::connect(("127.0.0.2", port)).is_err(), "it is open to the network");
    }

    #[test]
    fn every_run_has_a_name_of_its_own() {
        let runs = [run(1, 1), run(1, 2), run(2, 1)];
        let other = RunId { instance: InstanceId { process_type: 1, number: 1 }, seq: 1 };
        let keys: HashSet<u64> = runs.into_iter().chain([other]).map(key_of).collect();
        assert_eq!(keys.len(), 4);
    }
}
