//! Connections that are kept, and those that are passed as they are.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

#[test]
fn a_connection_to_an_instance_serves_many_clients() {
    let mut front = Fronted::new();
    let instance = TinyServer::new();
    front.offer(1, instance.port);
    let mut first = front.connect();
    first.send(GET);
    let mut taken = instance.accept();
    taken.head();
    taken.send(&answer("first"));
    assert_eq!(first.answer().1, "first");
    let mut second = front.connect();
    second.send(GET);
    taken.head();
    taken.send(&answer("second"));
    assert_eq!(second.answer().1, "second");
}

/// Serves one request, and ends the connection at the next one without a byte.
fn ends_at_the_second(request: &str) -> (Fronted, SocketEnd, TinyServer) {
    let (front, instance, mut client, mut taken) = Fronted::with_request(GET);
    taken.send(&answer("first"));
    client.answer();
    client.send(request);
    taken.head();
    drop(taken);
    (front, client, instance)
}

#[test]
fn what_may_be_repeated_is_sent_again_with_its_body_where_a_kept_connection_has_ended() {
    let (_front, mut client, instance) =
        ends_at_the_second("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    let mut again = instance.accept();
    assert!(again.head().starts_with("PUT / "));
    assert_eq!(again.take(4), "body");
    again.send(&answer("second"));
    assert_eq!(client.answer().1, "second");
}

#[test]
fn a_body_of_64_kib_is_sent_again_and_a_longer_one_is_not() {
    for (length, is_sent) in [(64 << 10, true), ((64 << 10) + 1, false)] {
        let body = "x".repeat(length);
        let request =
            format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}");
        let (_front, instance, mut client, mut taken) = Fronted::with_request(GET);
        taken.send(&answer("first"));
        client.answer();
        client.send(&request);
        taken.head();
        taken.take(length);
        drop(taken);
        if is_sent {
            let mut again = instance.accept();
            again.head();
            assert_eq!(again.take(length), body);
            again.send(&answer("second"));
            assert_eq!(client.answer().1, "second");
        } else {
            assert_eq!(client.answer().0, "HTTP/1.1 502 Bad Gateway");
        }
    }
}

#[test]
fn nothing_is_sent_a_third_time() {
    let (_front, mut client, instance) = ends_at_the_second(GET);
    let mut again = instance.accept();
    again.head();
    drop(again);
    assert_eq!(client.answer().0, "HTTP/1.1 502 Bad Gateway");
}

#[test]
fn what_may_not_be_repeated_is_never_sent_again() {
    let (front, mut client, instance) =
        ends_at_the_second("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    assert_eq!(client.answer().0, "HTTP/1.1 502 Bad Gateway");
    // The next connection brings another request.
    let mut other = front.connect();
    other.send("GET /other HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(instance.accept().head().starts_with("GET /other "));
}

#[test]
fn after_101_bytes_pass_both_ways_and_each_side_ends_by_itself() {
    let (_front, _instance, mut client, mut taken) = Fronted::with_request(
        "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
    taken.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nHELLO");
    client.head();
    assert_eq!(client.take(5), "HELLO");
    client.send("GET / HTTP/1.1\r\n\r\n");
    assert_eq!(taken.take(18), "GET / HTTP/1.1\r\n\r\n");
    client.shut();
    assert_eq!(taken.rest(), "");
    taken.send("more");
    drop(taken);
    assert_eq!(client.rest(), "more");
}

#[test]
fn after_101_large_amounts_pass_both_ways_at_the_same_time() {
    let (_front, _instance, mut client, mut taken) = Fronted::with_request(
        "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
    taken.send(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    );
    client.head();
    let to_instance: String = (0..1 << 19).map(|at| format!("{at:07}>")).collect();
    let to_client: String = (0..1 << 19).map(|at| format!("{at:07}<")).collect();
    let both = |end: &SocketEnd, bytes: &str| {
        let mut writer = SocketEnd::new(end.stream.try_clone().unwrap());
        let bytes = bytes.to_owned();
        std::thread::spawn(move || writer.send(&bytes))
    };
    let writers = [both(&client, &to_instance), both(&taken, &to_client)];
    let reader = std::thread::spawn(move || assert_eq!(taken.take(to_instance.len()), to_instance));
    assert_eq!(client.take(to_client.len()), to_client);
    reader.join().unwrap();
    for writer in writers {
        writer.join().unwrap();
    }
}

#[test]
fn what_is_not_http_passes_as_it_is() {
    let mut front = Fronted::new();
    let instance = TinyServer::new();
    front.offer(1, instance.port);
    let mut client = front.connect();
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    let mut taken = instance.accept();
    assert_eq!(taken.take(24), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    taken.send("frames");
    assert_eq!(client.take(6), "frames");
    taken.shut();
    assert_eq!(client.rest(), "");
    client.send("last");
    drop(client);
    assert_eq!(taken.rest(), "last");
}

#[test]
fn an_upgrade_waits_for_an_instance_as_any_request_does() {
    let mut front = Fronted::new();
    let mut client = front.connect();
    client.send("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    let instance = TinyServer::new();
    front.offer(1, instance.port);
    assert!(instance.accept().head().contains("Upgrade: websocket\r\n"));
}

/// Later than it is, as soon as a test says so.
fn later() -> Instant {
    now() + Duration::from_secs(LATER.load(Ordering::Relaxed))
}

static LATER: AtomicU64 = AtomicU64::new(0);

#[test]
fn a_client_that_is_silent_hears_the_server_first_and_may_still_speak_http() {
    let mut front = Fronted::with(LIMIT, later);
    let instance = TinyServer::new();
    front.offer(1, instance.port);
    let mut browser = front.connect();
    let mut mailer = front.connect();
    // Of one listener: the others are with the front, too.
    assert!(front.told("GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 400 "));
    LATER.store(6, Ordering::Relaxed);
    front.proxy.withdraw(99);
    let (mut silent, mut polite) = (instance.accept(), instance.accept());
    polite.send("220 at your service");
    assert_eq!(mailer.take(19), "220 at your service");
    mailer.send("EHLO");
    assert_eq!(polite.take(4), "EHLO");
    browser.send(GET);
    assert_eq!(silent.rest(), "");
    let mut taken = instance.accept();
    assert!(taken.head().contains("X-Forwarded-For: 127.0.0.1\r\n"));
    taken.send(&answer("as any other"));
    assert_eq!(browser.answer().1, "as any other");
}

/// Later than it is, as soon as a test says so.
fn later_too() -> Instant {
    now() + Duration::from_secs(LATER_TOO.load(Ordering::Relaxed))
}

static LATER_TOO: AtomicU64 = AtomicU64::new(0);

#[test]
fn a_client_that_pauses_in_its_first_line_is_read_on_and_not_passed_by() {
    let mut front = Fronted::with(LIMIT, later_too);
    let instance = TinyServer::new();
    front.offer(1, instance.port);
    let mut client = front.connect();
    client.send("GET / HT");
    front.turn();
    LATER_TOO.store(6, Ordering::Relaxed);
    front.turn();
    client.send("TP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n");
    let head = instance.accept().head();
    assert!(head.contains("X-Forwarded-For: 10.0.0.1, 127.0.0.1\r\n"), "{head}");
}

#[test]
fn half_a_request_line_before_the_end_reaches_nobody_and_another_protocol_does() {
    let mut front = Fronted::new();
    let instance = TinyServer::new();
    front.offer(1, instance.port);
    let mut client = front.connect();
    client.send("GET /admin HTTP/1.1\rHost: a\r\r");
    client.shut();
    assert_eq!(client.rest(), "");
    let mut other = front.connect();
    other.send("hello world");
    other.shut();
    assert_eq!(instance.accept().rest(), "hello world");
}

#[test]
fn what_is_ambiguous_is_400_and_reaches_nobody() {
    let mut front = Fronted::new();
    let instance = TinyServer::new();
    front.offer(1, instance.port);
    for fields in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 6",
        "X-A: 1\r\n folded",
        "X-A: 1\rX-B: 2",
        "X-A: 1\nX-B: 2",
        "Content-Length : 5",
    ] {
        let told = front
            .told(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n0\r\n\r\nGET /smuggled"));
        assert!(told.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{fields:?}: {told}");
        assert_eq!(told.matches("HTTP/1.1 ").count(), 1, "{fields:?}: {told}");
    }
    let mut client = front.connect();
    client.send("GET /good HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(instance.accept().head().starts_with("GET /good "));
}

#[test]
fn any_number_of_empty_lines_before_a_request_costs_no_more_than_reading_them() {
    let mut front = Fronted::new();
    let instance = TinyServer::new();
    front.offer(1, instance.port);
    instance.serve("at last");
    let mut client = front.connect();
    client.send(&"\r\n".repeat(4 << 20));
    assert_eq!(client.ask("localhost"), "at last");
}

#[test]
fn what_is_not_http_is_passed_with_the_empty_lines_before_it() {
    let mut front = Fronted::new();
    let instance = TinyServer::new();
    front.offer(1, instance.port);
    let mut client = front.connect();
    client.send("\r\n\r\n");
    front.turn();
    client.send("\0hello");
    assert_eq!(instance.accept().take(10), "\r\n\r\n\0hello");
}

#[test]
fn a_head_of_over_64_kib_is_400_to_a_client_that_has_sent_more() {
    let front = Fronted::new();
    let told =
        front.told(&format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "v".repeat(70_000)));
    assert!(told.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{told}");
}
