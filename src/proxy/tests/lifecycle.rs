//! Runs that come and go, and fronts.

use super::*;

#[test]
fn a_run_that_is_withdrawn_gets_nothing_more_and_is_reported_after_its_last_answer() {
    let (mut front, _old, mut client, mut taken) = Fronted::with_request(GET);
    front.proxy.withdraw(1);
    // It waits: nobody else is there.
    let mut waiting = front.connect();
    waiting.send(GET);
    // Answered by the same thread, after the withdrawal: nothing is in flight on this one.
    front.proxy.withdraw(99);
    assert_eq!(front.report(), ProxyReport::Withdrawn(99));
    taken.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nol");
    client.head();
    assert_eq!(client.take(2), "ol");
    front.proxy.withdraw(98);
    assert_eq!(front.report(), ProxyReport::Withdrawn(98));
    taken.send("d");
    assert_eq!(client.take(1), "d");
    assert_eq!(front.report(), ProxyReport::Withdrawn(1));
    // Its connection is not kept.
    assert_eq!(taken.rest(), "");
    let new = TinyServer::new();
    front.offer(2, new.port);
    new.serve("new");
    assert_eq!(waiting.answer().1, "new");
    assert_eq!(client.ask("localhost"), "new");
}

#[test]
fn a_run_that_is_idle_is_reported_at_once_and_its_kept_connections_are_closed() {
    let (mut front, _instance, mut client, mut taken) = Fronted::with_request(GET);
    taken.send(&answer("one"));
    client.answer();
    front.proxy.withdraw(1);
    assert_eq!(front.report(), ProxyReport::Withdrawn(1));
    assert_eq!(taken.rest(), "");
}

#[test]
fn a_websocket_does_not_hold_up_a_withdrawal_and_lives_until_the_cut() {
    let (mut front, _instance, mut client, mut taken) = Fronted::with_request(
        "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
    taken.send(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    );
    client.head();
    front.proxy.withdraw(1);
    assert_eq!(front.report(), ProxyReport::Withdrawn(1));
    taken.send("BYE");
    front.proxy.cut(1);
    assert_eq!(client.take(3), "BYE");
    // The instance holds its side open, which nobody waits for.
    assert_eq!(client.rest(), "");
}

#[test]
fn a_request_on_a_run_that_is_cut_is_502_and_its_withdrawal_is_answered() {
    let (mut front, _instance, mut client, _taken) = Fronted::with_request(GET);
    front.proxy.withdraw(1);
    front.proxy.cut(1);
    assert_eq!(client.answer().0, "HTTP/1.1 502 Bad Gateway");
    assert_eq!(front.report(), ProxyReport::Withdrawn(1));
}

#[test]
fn a_front_that_is_closed_refuses_and_ends_with_its_last_run() {
    let (mut front, _instance, mut client, mut taken) = Fronted::with_request(GET);
    let mut idle = front.connect();
    front.proxy.close(FRONT);
    front.proxy.withdraw(1);
    front.proxy.withdraw(99);
    assert_eq!(front.report(), ProxyReport::Withdrawn(99));
    assert!(TcpStream::connect(("127.0.0.1", front.port)).is_err());
    assert_eq!(front.proxy.figures(), []);
    taken.send(&answer("late"));
    assert_eq!(client.answer().1, "late");
    assert_eq!(front.report(), ProxyReport::Withdrawn(1));
    front.proxy.cut(1);
    assert_eq!((client.rest(), idle.rest()), (String::new(), String::new()));
    // Without a run it ends at once.
    let mut front = Fronted::new();
    let mut idle = front.connect();
    front.proxy.close(FRONT);
    assert_eq!(idle.rest(), "");
}

#[test]
fn a_front_that_ceases_to_listen_leaves_its_address_at_once_and_its_connections_stay() {
    let (mut front, _instance, mut client, mut taken) = Fronted::with_request(GET);
    front.proxy.unlisten(FRONT);
    let listener = TcpListener::bind(("127.0.0.1", front.port)).unwrap();
    taken.send(&answer("late"));
    assert_eq!(client.answer().1, "late");
    let (name, listeners, wait) = ("web".into(), vec![listener], LIMIT);
    front.proxy.open(FRONT, FrontSettings { name, listeners, wait, is_local: true });
    let mut other = front.connect();
    other.send(GET);
    taken.head();
    taken.send(&answer("again"));
    assert_eq!(other.answer().1, "again");
}

#[test]
fn a_front_that_is_opened_while_it_closes_goes_on() {
    let (mut front, instance, mut client, mut taken) = Fronted::with_request(GET);
    front.proxy.close(FRONT);
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    front.port = listener.local_addr().unwrap().port();
    let (name, listeners, wait) = ("web".into(), vec![listener], LIMIT);
    front.proxy.open(FRONT, FrontSettings { name, listeners, wait, is_local: true });
    front.offer(1, instance.port);
    taken.send(&answer("first"));
    assert_eq!(client.answer().1, "first");
    let mut other = front.connect();
    other.send(GET);
    taken.head();
    taken.send(&answer("second"));
    assert_eq!(other.answer().1, "second");
    assert_eq!(front.proxy.figures().len(), 1);
    front.proxy.cut(1);
    let mut waiting = front.connect();
    waiting.send(GET);
    let new = TinyServer::new();
    front.offer(2, new.port);
    new.serve("new");
    assert_eq!(waiting.answer().1, "new");
}

#[test]
fn dropping_the_proxy_ends_its_thread_and_all_connections() {
    let front = Fronted::new();
    let mut client = front.connect();
    client.send(GET);
    let Fronted { proxy, port, reports } = front;
    drop(proxy);
    assert_eq!(client.rest(), "");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    // The thread had the only other end.
    assert_eq!(reports.recv_timeout(LIMIT), Err(crossbeam_channel::RecvTimeoutError::Disconnected));
}

#[test]
fn a_front_that_is_opened_again_keeps_its_listeners_and_takes_the_new_limit() {
    let mut front = Fronted::new();
    let mut client = front.connect();
    let wait = Duration::from_millis(10);
    let settings =
        FrontSettings { name: "web".into(), listeners: Vec::new(), wait, is_local: true };
    front.proxy.open(FRONT, settings);
    client.send(GET);
    assert_eq!(client.answer().0, "HTTP/1.1 503 Service Unavailable");
    assert_eq!(front.connect().stream.peer_addr().unwrap().port(), front.port);
}
