//! Micro-benchmarks of the supervisor: `cargo bench --bench supervisor`. What one event costs is to be the same
//! for one instance, for a thousand and for four thousand: `items/s` says how many events a second.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use divan::counter::ItemsCount;
use pm::app::{
    App, Environment, Exit, ExitOn, InstanceId, Limits, Moment, Policy, ProcessType, RunId, Signal,
    Stdio,
};
use pm::supervisor::{Action, Event, Group, Supervisor};

const INSTANCES: [u16; 3] = [1, 1_000, 4_000];

fn main() {
    divan::main();
}

/// An application of one process type.
fn an_app(count: u16) -> Arc<App> {
    let web = ProcessType {
        name: "web".into(),
        command: "sleep 1000".into(),
        line: 1,
        count,
        environment: Environment::default(),
        directory: None,
        quiet: false,
        limits: Limits::default(),
        stdio: Stdio::default(),
        front: None,
        share_port: None,
        policy: Policy::default(),
    };
    Arc::new(App {
        root: PathBuf::from("/"),
        types: vec![web],
        environment: Environment::default(),
        base_port: 5000,
        exit_on: ExitOn::Failure,
    })
}

/// A supervisor and children that do at once what they are told.
#[derive(Clone)]
struct Session {
    core: Supervisor,
    now: Moment,
    events: VecDeque<Event>,
    handled: usize,
}

impl Session {
    fn new(count: u16) -> Self {
        let events = VecDeque::from([Event::Began]);
        Self { core: Supervisor::new(an_app(count)), now: Moment::default(), events, handled: 0 }
    }

    fn started(count: u16) -> Self {
        let mut session = Self::new(count);
        session.run();
        session.handled = 0;
        session
    }

    /// Handles events until none is left, as the loop of a session does.
    fn run(&mut self) {
        while let Some(event) = self.events.pop_front() {
            self.handle(event);
        }
    }

    fn handle(&mut self, event: Event) {
        self.handled += 1;
        self.now = self.now + Duration::from_micros(1);
        for action in self.core.handle(event, self.now) {
            match action {
                Action::Spawn(run, _) => self.events.push_back(Event::Spawned { run, pid: 1 }),
                Action::Signal(run, signal, _) => self.end(run, Exit::Signal(signal)),
                Action::StopOrphans(_) => self.events.push_back(Event::OrphansGone),
                _ => {} // Nothing else has an answer.
            }
        }
        divan::black_box(self.core.next_deadline());
    }

    fn end(&mut self, run: RunId, exit: Exit) {
        self.events.push_back(Event::Exited { run, exit, group: Group::Gone });
        self.events.push_back(Event::OutputClosed { run });
    }
}

/// Returns how many events it takes.
fn cost(session: &Session, work: fn(&mut Session)) -> ItemsCount {
    let mut session = session.clone();
    work(&mut session);
    ItemsCount::new(session.handled)
}

fn bench(bencher: divan::Bencher<'_, '_>, session: &Session, work: fn(&mut Session)) {
    let events = cost(session, work);
    bencher.counter(events).with_inputs(|| session.clone()).bench_local_refs(work);
}

#[divan::bench(args = INSTANCES)]
fn start(bencher: divan::Bencher<'_, '_>, count: u16) {
    bench(bencher, &Session::new(count), Session::run);
}

#[divan::bench(args = INSTANCES)]
fn stop(bencher: divan::Bencher<'_, '_>, count: u16) {
    bench(bencher, &Session::started(count), |session| {
        session.handle(Event::Signalled(Signal::INT));
        session.run();
        assert_eq!(session.core.finished(), Some(0));
    });
}

/// One crash and the start that follows it, while the others run.
#[divan::bench(args = INSTANCES)]
fn crash(bencher: divan::Bencher<'_, '_>, count: u16) {
    bench(bencher, &Session::started(count), |session| {
        let run = RunId { instance: InstanceId { process_type: 0, number: 1 }, seq: 1 };
        session.end(run, Exit::Code(1));
        session.run();
        session.now = session.core.next_deadline().expect("the wait before the restart");
        session.handle(Event::Ticked);
        session.run();
    });
}
