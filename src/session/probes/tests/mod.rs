//! The prober in simulated time.

mod another_life;
mod lookups;
mod thread;

use std::cell::RefCell;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollTimeout, poll};
use nix::sys::stat::fstat;
use nix::unistd::Pid;

use super::prober::Prober;
use super::{HostLookup, LookupNumber, ProbeOrder, ProbeReport, Watched};
use crate::app::readiness::{Liveness, Probe, Readiness};
use crate::app::{InstanceId, RunId};
use crate::os::clock;
use crate::os::listeners::Listeners;

const RUN: RunId = RunId { instance: InstanceId { process_type: 0, number: 1 }, seq: 1 };

fn probe(text: &str) -> Probe {
    Probe::parse(text).unwrap()
}

/// A run of this process with these probes of `ready`.
fn watched(ready: &[&str]) -> Watched {
    let probes = ready.iter().map(|text| probe(text)).collect::<Vec<_>>();
    let timeout = Duration::from_secs(60);
    Watched {
        run: RUN,
        name: "web.1".to_owned(),
        leader: Pid::this(),
        port: None,
        shared: None,
        is_out_of_sight: false,
        ready: (!probes.is_empty()).then_some(Readiness { probes, timeout }),
        live: None,
        notify: None,
    }
}

fn live(text: &str, failures: u32) -> Liveness {
    Liveness { probe: probe(text), interval: Duration::from_secs(10), failures }
}

/// A prober whose time only passes from deadline to deadline.
struct ProbeWorld {
    prober: Prober,
    start: Instant,
    now: Instant,
    trace: RefCell<Vec<String>>,
    lookups: RefCell<Vec<HostLookup>>,
}

impl ProbeWorld {
    fn begin(watched: Watched) -> Self {
        let start = clock::instant();
        let (trace, lookups) = (RefCell::default(), RefCell::default());
        let mut world = Self { prober: Prober::default(), start, now: start, trace, lookups };
        world.take(ProbeOrder::Begin(Box::new(watched)));
        world
    }

    fn take(&mut self, order: ProbeOrder) {
        let Self { prober, start, now, trace, .. } = self;
        prober.take(order, *now, &|report| note(trace, *now - *start, &report));
    }

    /// Lets time pass until `end` milliseconds after the start, doing what is due at its time.
    fn until(&mut self, end: u64) {
        let end = self.start + Duration::from_millis(end);
        while let Some(due) = self.prober.deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            let Self { prober, start, now, trace, lookups } = self;
            let report = |report| note(trace, *now - *start, &report);
            prober.ask(*now, &report, &|lookup| lookups.borrow_mut().push(lookup));
        }
        self.now = end;
    }

    /// Waits until a socket is ready, and goes on with it.
    fn advance(&mut self) {
        let (fd, flags) = self.prober.interests().next().expect("it waits for a socket");
        let ready = poll(&mut [PollFd::new(fd, flags)], PollTimeout::from(10_000_u16));
        assert_eq!(ready, Ok(1));
        let Self { prober, start, now, trace, .. } = self;
        prober.advance(&[true], *now, &|report| note(trace, *now - *start, &report));
    }

    /// Returns the lookups that were begun since the last call: of which host each is, and its number.
    fn lookups(&self) -> Vec<(String, LookupNumber)> {
        let all = std::mem::take(&mut *self.lookups.borrow_mut());
        all.into_iter().map(|lookup| (lookup.host, lookup.number)).collect()
    }

    fn command_fails_until(&mut self, end: u64) {
        let limit = self.start + Duration::from_millis(end);
        while let Some(due) = self.prober.deadline().filter(|due| *due <= limit) {
            self.until(u64::try_from((due - self.start).as_millis()).unwrap());
            self.take(ProbeOrder::CommandEnded(RUN, Err("exited with 1".to_owned())));
        }
    }

    /// Returns what was reported since the last call, each with its milliseconds.
    fn trace(&self) -> Vec<String> {
        std::mem::take(&mut *self.trace.borrow_mut())
    }
}

fn note(trace: &RefCell<Vec<String>>, at: Duration, report: &ProbeReport) {
    let text = match report {
        ProbeReport::Ready(_) => "ready".to_owned(),
        ProbeReport::Answer { probe, text, .. } => format!("{probe}: {text}"),
        ProbeReport::Held { text, .. } => format!("held: {text}"),
        ProbeReport::Extended(_, time) => format!("extended {time:?}"),
        ProbeReport::Status(_, text) => format!("status {text}"),
        ProbeReport::NotAlive(_, text) => format!("not alive: {text}"),
        ProbeReport::StartCommand(_, text) => format!("start {text}"),
        ProbeReport::KillCommand(_) => "kill".to_owned(),
        ProbeReport::CannotAsk { is_ready, text, .. } => format!("cannot ask ({is_ready}): {text}"),
    };
    trace.borrow_mut().push(format!("{} {text}", at.as_millis()));
}

#[test]
fn a_run_is_ready_when_all_of_its_list_has_succeeded() {
    let mut world = ProbeWorld::begin(watched(&["delay:2s", "log:up"]));
    world.take(ProbeOrder::LineSeen(RUN));
    world.until(1999);
    assert_eq!(world.trace(), ["0 delay:2s: "]);
    world.until(2000);
    assert_eq!(world.trace(), ["2000 ready"]);
    assert!(world.prober.is_empty());

    let mut world = ProbeWorld::begin(watched(&["delay:2s", "log:up"]));
    world.until(9000);
    assert_eq!(world.trace(), ["0 delay:2s: ", "2000 log:up: "]);
    assert_eq!(world.prober.deadline(), None, "a line costs no wake-up");
    world.take(ProbeOrder::LineSeen(RUN));
    assert_eq!(world.trace(), ["9000 ready"]);
}

#[test]
fn a_command_is_asked_after_20_40_80_ms_at_most_every_500_until_it_succeeds() {
    let mut world = ProbeWorld::begin(watched(&["cmd:up"]));
    world.command_fails_until(2200);
    let starts: Vec<_> =
        world.trace().into_iter().filter(|line| line.ends_with("start up")).collect();
    let expected = [20, 60, 140, 300, 620, 1120, 1620, 2120].map(|at| format!("{at} start up"));
    assert_eq!(starts, expected);
    world.until(2620);
    world.take(ProbeOrder::CommandEnded(RUN, Ok(())));
    assert_eq!(world.trace(), ["2620 start up", "2620 ready"]);
    assert!(world.prober.is_empty());
}

#[test]
fn an_answer_is_told_when_it_is_another_than_the_last() {
    let mut world = ProbeWorld::begin(watched(&["cmd:up"]));
    world.command_fails_until(700);
    let told: Vec<_> = world.trace().into_iter().filter(|line| line.contains("cmd:")).collect();
    assert_eq!(told, ["0 cmd:up: ", "20 cmd:up: exited with 1"]);
}

#[test]
fn a_command_that_hangs_is_killed_after_5_s_and_asked_again() {
    let mut world = ProbeWorld::begin(watched(&["cmd:up"]));
    world.until(8000);
    assert_eq!(world.trace(), ["0 cmd:up: ", "20 start up", "5020 kill"]);
    world.take(ProbeOrder::CommandEnded(RUN, Err("timed out".to_owned())));
    world.until(8040);
    assert_eq!(world.trace(), ["8000 cmd:up: timed out", "8040 start up"]);
}

#[test]
fn commands_of_one_run_are_asked_one_after_the_other() {
    let mut world = ProbeWorld::begin(watched(&["cmd:a", "cmd:b"]));
    world.until(30);
    assert_eq!(world.trace(), ["0 cmd:a: ", "20 start a"]);
    world.take(ProbeOrder::CommandEnded(RUN, Ok(())));
    assert_eq!(world.trace(), ["30 cmd:b: "]);
    world.until(30);
    assert_eq!(world.trace(), ["30 start b"]);
    world.take(ProbeOrder::CommandEnded(RUN, Ok(())));
    assert_eq!(world.trace(), ["30 ready"]);
}

#[test]
fn liveness_is_asked_from_ready_on_and_fails_after_a_number_in_a_row() {
    let mut watched = watched(&["delay:1s"]);
    watched.live = Some(live("cmd:alive", 2));
    let mut world = ProbeWorld::begin(watched);
    let fails = || ProbeOrder::CommandEnded(RUN, Err("exited with 1".to_owned()));
    world.until(11_000);
    assert_eq!(world.trace(), ["0 delay:1s: ", "1000 ready", "11000 start alive"]);
    world.take(fails());
    world.until(21_000);
    world.take(ProbeOrder::CommandEnded(RUN, Ok(())));
    world.until(31_000);
    world.take(fails());
    world.until(41_000);
    assert_eq!(
        world.trace(),
        ["21000 start alive", "31000 start alive", "41000 start alive"],
        "a success between two failures counts"
    );
    world.take(fails());
    assert_eq!(world.trace(), ["41000 not alive: cmd:alive exited with 1 2 times"]);
    assert!(world.prober.is_empty(), "it is told once");
}

#[test]
fn what_pm_itself_cannot_ask_is_no_failure_of_a_life_and_is_told_once() {
    let mut watched = watched(&["cmd:up"]);
    watched.live = Some(live("cmd:alive", 2));
    let mut world = ProbeWorld::begin(watched);
    let want = || ProbeOrder::CannotAsk(RUN, "no descriptor".to_owned());
    let fails = || ProbeOrder::CommandEnded(RUN, Err("exited with 1".to_owned()));
    world.until(20);
    world.take(want());
    assert_eq!(
        world.trace(),
        [
            "0 cmd:up: ",
            "20 start up",
            "20 cannot ask (false): no descriptor",
            "20 cmd:up: cannot be asked: no descriptor"
        ]
    );
    world.until(60);
    world.take(ProbeOrder::CommandEnded(RUN, Ok(())));
    assert_eq!(world.trace(), ["60 start up", "60 ready"]);
    for (at, order) in (1..).zip([want(), fails(), want(), want(), fails()]) {
        world.until(at * 10_000 + 60);
        world.take(order);
    }
    let starts = [10_060, 20_060, 30_060, 40_060, 50_060].map(|at| format!("{at} start alive"));
    let end = "50060 not alive: cmd:alive exited with 1 2 times".to_owned();
    assert_eq!(world.trace(), [&starts[..], &[end]].concat());
}

#[test]
fn that_pm_cannot_ask_for_a_life_is_told_though_nothing_else_was() {
    let mut watched = watched(&[]);
    watched.live = Some(live("cmd:alive", 1));
    let mut world = ProbeWorld::begin(watched);
    world.until(10_000);
    world.take(ProbeOrder::CannotAsk(RUN, "no descriptor".to_owned()));
    assert_eq!(world.trace(), ["10000 start alive", "10000 cannot ask (true): no descriptor"]);
    assert!(!world.prober.is_empty());
}

#[test]
fn a_port_whose_processes_cannot_be_seen_is_asked_without_waiting_for_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let probe = format!("port:{}", listener.local_addr().unwrap().port());
    let mut watched = watched(&[&probe]);
    watched.is_out_of_sight = true;
    let mut world = ProbeWorld::begin(watched);
    world.until(20);
    assert_eq!(world.trace(), [format!("0 {probe}: ")]);
    world.advance();
    assert_eq!(world.trace(), ["20 ready"]);
}

#[test]
fn a_shared_port_is_ready_when_somebody_waits_for_its_connections() {
    if !crate::skipped::has("listeners", Listeners::CAN_TELL) {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut watched = watched(&["port"]);
    (watched.port, watched.shared) = (Some(5000), Some(fstat(&listener).unwrap().st_ino));
    let mut world = ProbeWorld::begin(watched);
    world.until(20);
    assert_eq!(world.trace(), ["0 port: ", "20 port: is not served by web.1"]);
    let server = std::thread::spawn(move || listener.accept().unwrap());
    let mut said = Vec::new();
    for second in 1.. {
        world.until(second * 1000);
        said.extend(world.trace());
        if !said.is_empty() {
            break;
        }
    }
    assert!(said.len() == 1 && said[0].ends_with(" ready"), "{said:?}");
    TcpStream::connect(address).unwrap();
    server.join().unwrap();
}

#[test]
fn a_shared_port_is_alive_as_long_as_somebody_has_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut watched = watched(&[]);
    (watched.port, watched.shared) = (Some(5000), Some(fstat(&listener).unwrap().st_ino));
    watched.live = Some(live("port", 1));
    let mut world = ProbeWorld::begin(watched);
    world.until(30_000);
    assert!(world.trace().is_empty(), "it may be too busy to wait for connections");
}

#[test]
fn each_address_of_a_request_has_its_time() {
    let listeners = (0..100).find_map(|_| {
        let first = TcpListener::bind("127.0.0.1:0").ok()?;
        let port = first.local_addr().ok()?.port();
        Some((port, first, TcpListener::bind(("::1", port)).ok()?))
    });
    let Some((port, _first, _second)) = listeners else {
        assert!(!crate::skipped::has("IPv6", false));
        return;
    };
    let mut watched = watched(&["http:/up"]);
    watched.port = Some(port);
    let mut world = ProbeWorld::begin(watched);
    world.until(4019);
    assert_eq!(world.trace(), ["0 http:/up: "], "the second begins when the first has had 2 s");
    world.until(4020);
    assert_eq!(world.trace(), ["4020 http:/up: timed out"]);
}

#[test]
fn nobody_is_asked_for_life_while_somebody_is_attached() {
    let mut watched = watched(&[]);
    watched.live = Some(live("cmd:alive", 1));
    let mut world = ProbeWorld::begin(watched);
    world.take(ProbeOrder::Suspend(RUN, true));
    world.until(60_000);
    assert_eq!((world.trace(), world.prober.deadline()), (vec![], None));
    world.take(ProbeOrder::Suspend(RUN, false));
    world.until(70_000);
    assert_eq!(world.trace(), ["70000 start alive"]);
}

#[test]
fn a_command_that_asks_when_somebody_attaches_is_ended() {
    let mut watched = watched(&[]);
    watched.live = Some(live("cmd:alive", 1));
    let mut world = ProbeWorld::begin(watched);
    world.until(10_000);
    world.take(ProbeOrder::Suspend(RUN, true));
    assert_eq!(world.trace(), ["10000 start alive", "10000 kill"]);
    world.take(ProbeOrder::Suspend(RUN, false));
    world.take(ProbeOrder::CommandEnded(RUN, Err("killed".to_owned())));
    world.until(20_000);
    assert_eq!(world.trace(), ["20000 start alive"]);
}

#[test]
fn without_ready_nothing_is_reported_as_ready() {
    let mut watched = watched(&[]);
    watched.live = Some(live("cmd:alive", 1));
    assert!(ProbeWorld::begin(watched).trace().is_empty());
}

#[test]
fn what_was_under_way_while_pm_was_stopped_is_not_late() {
    let mut world = ProbeWorld::begin(watched(&["cmd:up"]));
    world.until(20);
    world.prober.put_off(Duration::from_secs(60));
    world.until(65_019);
    assert_eq!(world.trace(), ["0 cmd:up: ", "20 start up"]);
    world.until(65_020);
    assert_eq!(world.trace(), ["65020 kill"]);
}

#[test]
fn a_run_that_has_ended_is_asked_no_more() {
    let mut world = ProbeWorld::begin(watched(&["cmd:up"]));
    world.take(ProbeOrder::End(RUN));
    assert!(world.prober.is_empty());
    world.take(ProbeOrder::CommandEnded(RUN, Ok(())));
    world.take(ProbeOrder::LineSeen(RUN));
    assert_eq!(world.trace(), ["0 cmd:up: "]);
}
