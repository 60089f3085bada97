//! Clients that leave, and those that only say that they ask for nothing more.

use super::*;

const POST: &str = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi";

#[test]
fn the_instance_sees_that_a_client_leaves_while_it_waits_for_its_answer() {
    let (mut front, _instance, client, mut taken) = Fronted::with_request(GET);
    drop(client);
    assert_eq!(taken.rest(), "");
    drop(taken);
    front.proxy.withdraw(1);
    assert_eq!(front.report(), ProxyReport::Withdrawn(1));
    let figures = &front.proxy.figures()[0];
    assert_eq!((figures.in_flight, figures.codes.len()), (0, 0), "nobody has got an answer");
    assert_eq!(figures.instances[0].errors_5xx, 0, "the instance has done nothing wrong");
}

#[test]
fn the_instance_sees_that_a_client_leaves_amid_its_answer() {
    let (mut front, _instance, mut client, mut taken) = Fronted::with_request(GET);
    taken.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\ndata:1\r\n");
    client.head();
    assert_eq!(client.take(11), "6\r\ndata:1\r\n");
    drop(client);
    assert_eq!(taken.rest(), "");
    drop(taken);
    front.proxy.withdraw(1);
    assert_eq!(front.report(), ProxyReport::Withdrawn(1));
}

#[test]
fn a_client_that_shuts_its_side_is_answered_by_an_instance_that_answers_all_the_same() {
    let (front, instance, mut client, mut taken) = Fronted::with_request(GET);
    client.shut();
    assert_eq!(taken.rest(), "");
    taken.send(&answer("all the same"));
    assert_eq!(client.answer().1, "all the same");
    assert_eq!(client.rest(), "");
    // The connection to the instance is half closed: another is made for the next.
    let mut other = front.connect();
    other.send(GET);
    instance.accept().head();
}

#[test]
fn the_end_of_a_client_reaches_the_instance_behind_the_last_of_its_requests() {
    let (_front, _instance, mut client, mut taken) = Fronted::with_request(&GET.repeat(2));
    client.shut();
    taken.send(&answer("first"));
    assert_eq!(client.answer().1, "first");
    taken.head();
    assert_eq!(taken.rest(), "");
    taken.send(&answer("second"));
    assert_eq!(client.answer().1, "second");
    assert_eq!(client.rest(), "");
}

#[test]
fn what_may_not_be_repeated_is_not_done_for_a_client_that_has_ended_while_it_waited() {
    let mut front = Fronted::new();
    let mut client = front.connect();
    client.send(POST);
    client.shut();
    let told = client.rest();
    assert!(told.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{told}");
    assert!(told.ends_with("and the client has ended its side: nobody was asked\n"), "{told}");
    let instance = TinyServer::new();
    front.offer(1, instance.port);
    let mut next = front.connect();
    next.send("GET /next HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(instance.accept().head().starts_with("GET /next "));
}

#[test]
fn what_may_be_repeated_waits_also_for_a_client_that_has_shut_its_side() {
    let mut front = Fronted::new();
    let mut client = front.connect();
    client.send(GET);
    client.shut();
    front.turn();
    let instance = TinyServer::new();
    front.offer(1, instance.port);
    let mut taken = instance.accept();
    taken.head();
    taken.send(&answer("late"));
    assert_eq!(client.answer().1, "late");
}

#[test]
fn a_client_that_is_gone_while_it_waits_is_forgotten_at_once() {
    let mut front = Fronted::new();
    let mut client = front.connect();
    client.send(GET);
    front.turn();
    assert_eq!(front.proxy.figures()[0].in_flight, 1);
    client.reset();
    front.turn();
    assert_eq!(front.proxy.figures()[0].in_flight, 0);
}
