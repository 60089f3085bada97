//! What needs no time: the clock stands still unless the test moves it, so that nothing here waits for a limit or a retry.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

/// The time at which all clocks here stand.
fn start_of_time() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(now)
}

/// A front whose clock never moves.
fn stopped() -> Fronted {
    Fronted::with(LIMIT, start_of_time)
}

#[test]
fn a_request_goes_to_the_next_instance_at_once_where_one_has_gone_since_the_last() {
    let mut front = stopped();
    let (gone, other) = (TinyServer::new(), TinyServer::new());
    front.offer(1, gone.port);
    let mut client = front.connect();
    client.send(GET);
    let mut kept = gone.accept();
    kept.head();
    kept.send(&answer("before"));
    assert_eq!(client.answer().1, "before");
    front.offer(2, other.port);
    other.serve("other");
    // As kill -9 does it: a kept connection is reset, and nobody listens.
    drop(gone);
    kept.reset();
    for _ in 0..4 {
        assert_eq!(client.ask("localhost"), "other");
    }
}

#[test]
fn a_request_on_a_kept_connection_that_is_reset_goes_to_the_next_instance_at_once() {
    let mut front = stopped();
    let (killed, other) = (TinyServer::new(), TinyServer::new());
    front.offer(1, killed.port);
    let mut client = front.connect();
    client.send(GET);
    let mut kept = killed.accept();
    kept.head();
    kept.send(&answer("before"));
    assert_eq!(client.answer().1, "before");
    client.send(GET);
    kept.head();
    front.offer(2, other.port);
    other.serve("other");
    front.turn();
    drop(killed);
    kept.reset();
    assert_eq!(client.answer().1, "other");
}

#[test]
fn all_but_what_is_in_flight_on_it_is_answered_when_one_of_four_is_killed() {
    let mut front = stopped();
    let killed = TinyServer::new();
    front.offer(1, killed.port);
    let mut victim = front.connect();
    victim.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    let mut taken = killed.accept();
    taken.head();
    for number in 2..=4 {
        let instance = TinyServer::new();
        front.offer(number, instance.port);
        instance.serve("alive");
    }
    drop(killed);
    taken.reset();
    assert_eq!(victim.answer().0, "HTTP/1.1 502 Bad Gateway");
    let mut clients: Vec<SocketEnd> = (0..8).map(|_| front.connect()).collect();
    for client in clients.iter_mut().chain([&mut victim]) {
        assert_eq!(client.ask("localhost"), "alive");
    }
}

/// So far the clock of the next test was moved, in milliseconds.
static MOVED: AtomicU64 = AtomicU64::new(0);

fn moved() -> Instant {
    start_of_time() + Duration::from_millis(MOVED.load(Ordering::Relaxed))
}

#[test]
fn the_first_request_is_answered_within_two_tries_after_the_instance_listens() {
    let mut front = Fronted::with(LIMIT, moved);
    let mut client = front.connect();
    client.send(GET);
    let port = TinyServer::new().port;
    front.offer(1, port);
    front.turn();
    let listening = TinyServer::on(&format!("127.0.0.1:{port}"));
    listening.serve("up");
    // It tries every 20 ms, one loopback address and then the other.
    for moved in [20, 40] {
        MOVED.store(moved, Ordering::Relaxed);
        front.turn();
    }
    assert_eq!(client.answer().1, "up");
}

#[test]
fn who_waits_is_answered_at_once_when_an_instance_is_offered_and_when_all_have_failed() {
    let mut front = stopped();
    let mut client = front.connect();
    client.send(GET);
    front.turn();
    let instance = TinyServer::new();
    front.offer(1, instance.port);
    instance.serve("up");
    assert_eq!(client.answer().1, "up");
    let mut front = stopped();
    let mut client = front.connect();
    client.send(GET);
    front.turn();
    front.fail();
    assert!(client.answer().1.ends_with("\n\nthe last line\n"));
}

#[test]
fn each_event_of_a_stream_is_passed_as_it_comes() {
    let mut front = stopped();
    let instance = TinyServer::new();
    front.offer(1, instance.port);
    let mut client = front.connect();
    client.send(GET);
    let mut taken = instance.accept();
    taken.head();
    taken.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.head();
    for number in 0..50 {
        let event = format!("9\r\ndata: {number:02}\n\r\n");
        taken.send(&event);
        assert_eq!(client.take(event.len()), event);
    }
}

#[test]
fn each_part_of_a_body_and_of_a_connection_that_is_passed_comes_as_it_was_sent() {
    let mut front = stopped();
    let instance = TinyServer::new();
    front.offer(1, instance.port);
    let mut client = front.connect();
    client.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\n");
    let mut taken = instance.accept();
    taken.head();
    for _ in 0..50 {
        client.send("ten bytes.");
        assert_eq!(taken.take(10), "ten bytes.");
    }
    let mut client = front.connect();
    client.send("\0");
    let mut taken = instance.accept();
    assert_eq!(taken.take(1), "\0");
    for _ in 0..50 {
        client.send("ping");
        assert_eq!(taken.take(4), "ping");
        taken.send("pong");
        assert_eq!(client.take(4), "pong");
    }
}
