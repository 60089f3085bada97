//! Bodies and their ends, in both directions.

use std::io::ErrorKind;

use super::*;

/// A front and the only connection to its only instance, which has got the request.
fn asked(request: &str) -> (Fronted, SocketEnd, TinyServer, SocketEnd) {
    let mut front = Fronted::new();
    let instance = TinyServer::new();
    front.offer(1, instance.port);
    let mut client = front.connect();
    client.send(request);
    let taken = instance.accept();
    (front, client, instance, taken)
}

#[test]
fn a_body_passes_before_all_of_it_has_come() {
    let (_front, mut client, _instance, mut taken) =
        asked("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc");
    assert!(taken.head().contains("Content-Length: 6\r\n"));
    assert_eq!(taken.take(3), "abc");
    client.send("def");
    assert_eq!(taken.take(3), "def");
    taken.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nuvw");
    client.head();
    assert_eq!(client.take(3), "uvw");
    taken.send("xyz");
    assert_eq!(client.take(3), "xyz");
}

#[test]
fn chunks_and_trailers_pass_both_ways() {
    let (_front, mut client, _instance, mut taken) = asked(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n",
    );
    taken.head();
    assert_eq!(taken.take(8), "3\r\nabc\r\n");
    assert_eq!(taken.take(15), "0\r\nX-Sum: 1\r\n\r\n");
    taken.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0002\r\nhi\r\n0\r\nX-SocketEnd: 2\r\n\r\n");
    assert!(client.head().contains("Transfer-Encoding: chunked\r\n"));
    assert_eq!(client.take(22), "2\r\nhi\r\n0\r\nX-SocketEnd: 2\r\n\r\n"[..22].to_owned());
}

#[test]
fn a_malformed_chunk_ends_the_request_and_nothing_of_it_is_passed() {
    let (_front, mut client, _instance, mut taken) =
        asked("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n");
    assert!(client.rest().starts_with("HTTP/1.1 400 Bad Request\r\n"));
    taken.head();
    assert!(!taken.rest().contains("\r\n\r\n"));
}

#[test]
fn the_instance_is_asked_for_100_and_its_answer_passes() {
    let (_front, mut client, _instance, mut taken) =
        asked("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert!(taken.head().contains("Expect: 100-continue\r\n"));
    taken.send("HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(client.head(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("hi");
    assert_eq!(taken.take(2), "hi");
    taken.send(&answer("done"));
    assert_eq!(client.answer().1, "done");
}

#[test]
fn an_answer_that_comes_before_the_request_is_over_reaches_the_client() {
    let (_front, mut client, _instance, mut taken) =
        asked("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc");
    taken.head();
    taken.send("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
    drop(taken);
    let told = client.rest();
    assert!(told.starts_with("HTTP/1.1 413 Too Large\r\n"), "{told}");
    assert!(told.contains("Connection: close\r\n") && told.ends_with("big"), "{told}");
}

#[test]
fn an_answer_without_a_length_ends_with_the_connection() {
    let (_front, mut client, _instance, mut taken) = asked(GET);
    taken.head();
    taken.send("HTTP/1.0 200 OK\r\n\r\nall of it");
    drop(taken);
    let told = client.rest();
    assert!(told.ends_with("Connection: close\r\n\r\nall of it"), "{told}");
}

#[test]
fn an_answer_that_is_cut_is_cut_for_the_client_too() {
    let (_front, mut client, _instance, mut taken) = asked(GET);
    taken.head();
    taken.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
    drop(taken);
    assert!(client.rest().ends_with("\r\n\r\nonly this"));
}

#[test]
fn an_answer_without_a_length_that_is_reset_is_not_whole_for_the_client_either() {
    let (_front, mut client, _instance, mut taken) = asked(GET);
    taken.head();
    taken.send("HTTP/1.1 200 OK\r\n\r\n");
    client.head();
    // As much as goes, so that the front is amid it.
    taken.stream.set_nonblocking(true).unwrap();
    let block = vec![b'x'; 1 << 20];
    while taken.stream.write(&block).is_ok() {}
    taken.reset();
    assert_eq!(end_of(&mut client), Some(ErrorKind::ConnectionReset));
}

/// Reads to the end, and returns the error if there was one.
fn end_of(client: &mut SocketEnd) -> Option<ErrorKind> {
    loop {
        match client.stream.read(&mut [0; 4096]) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) => return Some(error.kind()),
        }
    }
}

#[test]
fn chunks_that_are_cut_are_not_whole_for_a_client_of_http_1_0_either() {
    let (_front, mut client, _instance, mut taken) = asked("GET / HTTP/1.0\r\n\r\n");
    taken.head();
    taken.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    client.head();
    assert_eq!(client.take(3), "abc");
    drop(taken);
    assert_eq!(end_of(&mut client), Some(ErrorKind::ConnectionReset));
}

#[test]
fn what_is_no_answer_is_502() {
    for bytes in
        ["", "HTTP/1.1 200", "<html>\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"]
    {
        let (_front, mut client, _instance, mut taken) = asked(GET);
        taken.head();
        taken.send(bytes);
        drop(taken);
        assert_eq!(client.answer().0, "HTTP/1.1 502 Bad Gateway", "{bytes:?}");
    }
}

#[test]
fn requests_in_one_packet_are_answered_in_their_order() {
    let (_front, mut client, _instance, mut taken) = asked(concat!(
        "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
        "POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        "GET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ));
    for (line, body) in [("POST /1 ", "hi"), ("POST /2 ", "1\r\nx\r\n0\r\n\r\n"), ("GET /3 ", "")] {
        assert!(taken.head().starts_with(line));
        assert_eq!(taken.take(body.len()), body);
        taken.send(&answer(line));
    }
    for line in ["POST /1 ", "POST /2 ", "GET /3 "] {
        assert_eq!(client.answer().1, line);
    }
    assert_eq!(client.rest(), "");
}

#[test]
fn a_client_of_http_1_0_gets_no_chunks() {
    let (_front, mut client, _instance, mut taken) = asked("GET / HTTP/1.0\r\n\r\n");
    taken.head();
    taken.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    assert_eq!(client.rest(), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc");
}

#[test]
fn a_large_body_passes_whole_to_a_client_that_reads_slowly() {
    let (_front, mut client, _instance, mut taken) = asked(GET);
    taken.head();
    let size = 8 << 20;
    let writer = std::thread::spawn(move || {
        taken.send(&format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n"));
        let body: String = (0..size / 8).map(|at| format!("{at:07}\n")).collect();
        taken.send(&body);
        taken
    });
    client.head();
    for at in 0..size / 8 {
        assert_eq!(client.take(8), format!("{at:07}\n"));
    }
    writer.join().unwrap();
}

/// Bytes that are another at each place, in lines of eight.
fn numbered(size: usize) -> String {
    (0..size / 8).map(|at| format!("{at:07}\n")).collect()
}

#[test]
fn an_answer_that_ends_the_connection_reaches_a_slow_reader_that_has_asked_ahead() {
    let (mut front, mut client, _instance, mut taken) = asked(GET);
    taken.head();
    let body = numbered(512 << 10);
    // The front reads what was asked ahead up to some size, and leaves the rest to the kernel.
    client.send(&GET.repeat(6000));
    front.turn();
    taken.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    taken.send(&body);
    taken.shut();
    assert_eq!(taken.rest(), "");
    client.head();
    assert_eq!(client.take(body.len()), body);
    assert_eq!(client.rest(), "");
}

#[test]
fn a_large_request_passes_whole_and_what_was_sent_behind_it_is_another() {
    let body = numbered(4 << 20);
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len());
    let (_front, mut client, _instance, mut taken) = asked(&head);
    let writer = std::thread::spawn(move || {
        client.send(&(body + GET));
        client
    });
    taken.head();
    for at in 0..(4 << 20) / 8 {
        assert_eq!(taken.take(8), format!("{at:07}\n"));
    }
    taken.send(&answer("first"));
    let mut client = writer.join().unwrap();
    assert_eq!(client.answer().1, "first");
    assert!(taken.head().starts_with("GET / "));
    taken.send(&answer("second"));
    assert_eq!(client.answer().1, "second");
}

#[test]
fn more_slow_readers_than_there_are_pipes_get_their_answers_whole() {
    let mut front = Fronted::new();
    let instance = TinyServer::new();
    front.offer(1, instance.port);
    let body = numbered(8 << 20);
    let mut clients = Vec::new();
    let mut writers = Vec::new();
    for _ in 0..18 {
        let mut client = front.connect();
        client.send(GET);
        let mut taken = instance.accept();
        taken.head();
        let whole = answer(&body);
        // Those whose clients go away are not taken whole.
        writers.push(std::thread::spawn(move || drop(taken.stream.write_all(whole.as_bytes()))));
        client.head();
        clients.push(client);
    }
    clients.truncate(17);
    for client in &mut clients {
        assert_eq!(client.take(body.len()), body);
    }
    for writer in writers {
        writer.join().unwrap();
    }
}

#[test]
fn a_client_that_asks_ahead_and_does_not_read_is_not_answered_ahead() {
    let mut front = Fronted::new();
    front.fail_with("a long line".repeat(20_000));
    let mut client = front.connect();
    client.send(&GET.repeat(500));
    // Each answer is larger than 200 KiB, and the system holds some megabytes of them.
    client.head();
    front.proxy.withdraw(99);
    front.report();
    let answered: u64 = front.proxy.figures()[0].codes.iter().map(|(_, count)| count).sum();
    assert!((1..400).contains(&answered), "{answered}");
    while front.proxy.figures()[0].codes[0].1 < 500 {
        assert!(client.more());
        client.input.clear();
    }
}
