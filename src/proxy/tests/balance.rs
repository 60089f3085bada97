//! Who gets a request, and what becomes of one that nobody can have.

use std::time::Duration;

use super::*;

#[test]
fn requests_of_one_connection_go_to_all_instances_in_turn() {
    let mut front = Fronted::new();
    for (number, name) in [(1, "one"), (2, "two"), (3, "three")] {
        let instance = TinyServer::new();
        front.offer(number, instance.port);
        instance.serve(name);
    }
    let mut client = front.connect();
    let mut told: Vec<String> = (0..6).map(|_| client.ask("localhost")).collect();
    told.sort();
    assert_eq!(told, ["one", "one", "three", "three", "two", "two"]);
}

#[test]
fn an_instance_with_a_request_in_flight_gets_none_of_the_next() {
    let mut front = Fronted::new();
    let busy = TinyServer::new();
    front.offer(1, busy.port);
    let mut held = front.connect();
    held.send(GET);
    let mut taken = busy.accept();
    taken.head();
    let other = TinyServer::new();
    front.offer(2, other.port);
    other.serve("idle");
    let mut client = front.connect();
    for _ in 0..4 {
        assert_eq!(client.ask("localhost"), "idle");
    }
    taken.send(&answer("busy"));
    assert_eq!(held.answer().1, "busy");
}

#[test]
fn the_name_of_an_instance_reaches_it_alone() {
    let mut front = Fronted::new();
    for (number, name) in [(1, "one"), (2, "two")] {
        let instance = TinyServer::new();
        front.offer(number, instance.port);
        instance.serve(name);
    }
    let mut client = front.connect();
    for _ in 0..3 {
        assert_eq!(client.ask("web.2.localhost:5000"), "two");
    }
    let of_all: Vec<String> = (0..2).map(|_| client.ask("localhost")).collect();
    assert!(of_all.contains(&"one".to_owned()), "{of_all:?}");
}

#[test]
fn one_that_refuses_is_passed_over_and_one_on_the_other_loopback_is_found() {
    let mut front = Fronted::new();
    let refusing = TinyServer::new().port;
    front.offer(1, refusing);
    let on_v6 = TinyServer::on("[::1]:0");
    front.offer(2, on_v6.port);
    on_v6.serve("six");
    let mut client = front.connect();
    for _ in 0..4 {
        assert_eq!(client.ask("localhost"), "six");
    }
}

#[test]
fn a_request_waits_for_an_instance_that_does_not_listen_yet() {
    let mut front = Fronted::new();
    let mut client = front.connect();
    client.send(GET);
    let port = TinyServer::new().port;
    front.offer(1, port);
    let listening = TinyServer::on(&format!("127.0.0.1:{port}"));
    listening.serve("late");
    assert_eq!(client.answer().1, "late");
}

#[test]
fn a_request_that_has_waited_long_enough_is_answered_503() {
    let mut front = Fronted::with_wait(Duration::from_millis(30));
    let mut client = front.connect();
    client.send(GET);
    // The session says nothing.
    let (status, body) = client.answer();
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    assert_eq!(body, "503: no instance of web is ready\n");
    assert_eq!(front.report(), ProxyReport::Overdue(FRONT));
    // The connection goes on.
    client.send(GET);
    assert_eq!(front.report(), ProxyReport::Overdue(FRONT));
    let lines = vec!["the last line".to_owned()];
    front.proxy.explain(FRONT, FrontFailure { cause: "web.1 is starting".into(), lines });
    let (status, body) = client.answer();
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    assert_eq!(body, "503: no instance of web is ready: web.1 is starting\n\nthe last line\n");
}

#[test]
fn who_waits_is_told_when_all_have_failed_and_an_offer_lets_others_wait_again() {
    let mut front = Fronted::new();
    let mut client = front.connect();
    client.send(GET);
    front.fail();
    let (status, body) = client.answer();
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    assert_eq!(body, "503: web.1 failed: exited with code 73\n\nthe last line\n");
    let mut stranger = front.connect();
    stranger.send("GET / HTTP/1.1\r\nHost: rebound.example\r\n\r\n");
    assert_eq!(stranger.answer().1, "503: web.1 failed: exited with code 73\n");
    let instance = TinyServer::new();
    front.offer(2, instance.port);
    instance.serve("mended");
    assert_eq!(client.ask("localhost"), "mended");
}

#[test]
fn requests_are_counted_by_instance_and_by_answer() {
    let mut front = Fronted::new();
    let instance = TinyServer::new();
    front.offer(2, instance.port);
    let mut client = front.connect();
    client.send(GET);
    let mut taken = instance.accept();
    taken.head();
    let figures = &front.proxy.figures()[0];
    assert_eq!((figures.front, figures.in_flight), (FRONT, 1));
    assert_eq!(figures.instances[0].in_flight, 1);
    taken.send("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
    client.answer();
    assert_eq!(
        front.told("GET / HTTP/1.1\r\n\r\n").lines().next(),
        Some("HTTP/1.1 400 Bad Request")
    );
    // The next request is taken only after the last was counted.
    client.send(GET);
    taken.head();
    let figures = &front.proxy.figures()[0];
    assert_eq!(figures.codes, [(500, 1)]);
    let of_two = figures.instances[0];
    assert_eq!((of_two.number, of_two.requests, of_two.errors_5xx), (2, 2, 1));
    assert_eq!(figures.seconds.iter().sum::<u64>(), 1);
}
