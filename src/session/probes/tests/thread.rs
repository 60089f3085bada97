//! The thread, with real sockets.

use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

#[cfg(all(target_os = "linux", not(pm_portable)))]
use nix::unistd::Pid;

use super::super::{ProbeOrder, ProbeReport, Probes, Watched};
use super::{RUN, watched};
use crate::os::clock;
use crate::os::notify_socket::NotifySocket;

/// The thread, and what it reports.
fn start(watched: Watched) -> (Probes, crossbeam_channel::Receiver<ProbeReport>) {
    let (sender, reports) = crossbeam_channel::unbounded();
    let probes = Probes::new(move |report| drop(sender.send(report)));
    probes.post(ProbeOrder::Begin(Box::new(watched))).unwrap();
    (probes, reports)
}

/// Waits for such a report.
fn wait_for(
    reports: &crossbeam_channel::Receiver<ProbeReport>,
    is_it: impl Fn(&ProbeReport) -> bool,
) {
    let mut seen = Vec::new();
    loop {
        match reports.recv_timeout(Duration::from_secs(10)) {
            Ok(report) if is_it(&report) => return,
            Ok(report) => seen.push(report),
            Err(error) => panic!("{error}; so far: {seen:?}"),
        }
    }
}

#[test]
fn a_port_is_ready_when_the_tree_listens_on_either_address_and_is_never_connected_to() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        // A machine without IPv6 has no such address.
        let Ok(listener) = TcpListener::bind(address) else { continue };
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut watched = watched(&["port"]);
        watched.port = Some(port);
        let (_probes, reports) = start(watched);
        wait_for(&reports, |report| *report == ProbeReport::Ready(RUN));
        let connection = listener.accept().map(|_| ());
        assert_eq!(connection.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }
}

#[cfg(all(target_os = "linux", not(pm_portable)))]
#[test]
fn a_port_that_another_holds_is_named_once_and_is_not_ready() {
    use std::process::{Command, Stdio};

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut instance = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let mut watched = watched(&[&format!("port:{port}")]);
    watched.leader = Pid::from_raw(instance.id().cast_signed());
    let (probes, reports) = start(watched);
    let pid = std::process::id();
    wait_for(&reports, |report| match report {
        ProbeReport::Held { text, .. } => {
            assert!(text.starts_with(&format!("port {port} is held by ")), "{text}");
            assert!(text.ends_with(&format!("(pid {pid}), not by web.1")), "{text}");
            true
        }
        _ => false,
    });
    drop(listener);
    wait_for(
        &reports,
        |report| matches!(report, ProbeReport::Answer { text, .. } if text == "has no listener"),
    );
    probes.post(ProbeOrder::End(RUN)).unwrap();
    let again = reports
        .try_iter()
        .any(|report| matches!(report, ProbeReport::Held { .. } | ProbeReport::Ready(_)));
    assert!(!again);
    drop(instance.stdin.take());
    instance.wait().unwrap();
}

#[test]
fn notices_of_the_run_make_it_ready_and_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let mut watched = watched(&["notify"]);
    watched.notify = Some(NotifySocket::bind(path.clone()).unwrap());
    let (_probes, reports) = start(watched);
    let sender = UnixDatagram::unbound().unwrap();
    sender.send_to(b"STATUS=loading\nEXTEND_TIMEOUT_USEC=2000000", &path).unwrap();
    wait_for(&reports, |report| *report == ProbeReport::Status(RUN, "loading".to_owned()));
    wait_for(&reports, |report| *report == ProbeReport::Extended(RUN, Duration::from_secs(2)));
    sender.send_to(b"READY=1", &path).unwrap();
    wait_for(&reports, |report| *report == ProbeReport::Ready(RUN));
    sender.send_to(b"STATUS=serving", &path).unwrap();
    wait_for(&reports, |report| *report == ProbeReport::Status(RUN, "serving".to_owned()));
    sender.send_to(b"RELOADING=1", &path).unwrap();
    wait_for(&reports, |report| *report == ProbeReport::Status(RUN, "reloading".to_owned()));
    sender.send_to(b"READY=1", &path).unwrap();
    wait_for(&reports, |report| *report == ProbeReport::Status(RUN, "serving".to_owned()));
}

#[test]
fn a_host_that_does_not_exist_is_an_answer() {
    let (_probes, reports) = start(watched(&["http://no-such-host.invalid:1/up"]));
    wait_for(
        &reports,
        |report| matches!(report, ProbeReport::Answer { text, .. } if text.starts_with("failed: ")),
    );
}

#[test]
fn a_thread_that_ends_by_a_bug_is_started_again_for_the_next_run() {
    let (sender, reports) = crossbeam_channel::unbounded();
    let probes = Probes::new(move |report| match report {
        ProbeReport::Ready(RUN) => panic!("this is the bug"),
        report => drop(sender.send(report)),
    });
    probes.post(ProbeOrder::Begin(Box::new(watched(&["delay:0"])))).unwrap();
    let until = clock::instant() + Duration::from_secs(10);
    while probes.shared.lock().waker.is_some() {
        assert!(clock::instant() < until, "it does not end");
        std::thread::yield_now();
    }
    let mut second = watched(&["delay:0"]);
    second.run.seq = 2;
    let ready = ProbeReport::Ready(second.run);
    probes.post(ProbeOrder::Begin(Box::new(second))).unwrap();
    wait_for(&reports, |report| *report == ready);
}

#[test]
fn the_thread_ends_also_where_its_last_run_is_ready_by_a_look() {
    let (probes, reports) = start(watched(&["delay:0.02s"]));
    wait_for(&reports, |report| *report == ProbeReport::Ready(RUN));
    let until = clock::instant() + Duration::from_secs(10);
    while probes.shared.lock().waker.is_some() {
        assert!(clock::instant() < until, "it waits for ever");
        std::thread::yield_now();
    }
}

#[test]
fn the_thread_ends_with_its_last_run_and_starts_again_for_the_next() {
    let (probes, reports) = start(watched(&["delay:0"]));
    wait_for(&reports, |report| *report == ProbeReport::Ready(RUN));
    let mut second = watched(&["delay:0"]);
    second.run.seq = 2;
    let ready = ProbeReport::Ready(second.run);
    probes.post(ProbeOrder::Begin(Box::new(second))).unwrap();
    wait_for(&reports, |report| *report == ready);
}
