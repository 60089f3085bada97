//! Just enough HTTP to talk to the examples.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::sandbox::LIMIT;

/// What a server answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// 200
    pub(crate) status: u16,
    /// What follows the header.
    pub(crate) body: String,
}

/// Gets a page of 127.0.0.1.
#[track_caller]
pub(crate) fn get(port: u16, path: &str) -> Answer {
    ask(port, &format!("GET {path} HTTP/1.0\r\n\r\n"))
}

/// Posts a body to 127.0.0.1.
#[track_caller]
pub(crate) fn post(port: u16, path: &str, body: &str) -> Answer {
    let length = body.len();
    ask(port, &format!("POST {path} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}"))
}

#[track_caller]
fn ask(port: u16, request: &str) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
    stream.set_read_timeout(Some(LIMIT)).expect("a limit over 0 is one");
    stream.write_all(request.as_bytes()).expect("the server reads the request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the server answers in text, and closes");
    let (header, body) = answer.split_once("\r\n\r\n").expect("a header ends with an empty line");
    let status = header.split(' ').nth(1).and_then(|word| word.parse().ok());
    Answer { status: status.expect("a header begins with the status"), body: body.to_owned() }
}

/// Finds so many ports in a row that nobody listens on, below those that the system hands out.
pub(crate) fn free_ports(count: u16) -> u16 {
    // Where the search begins differs between two runs at a time, since pids do.
    let first = 10_000 + u16::try_from(std::process::id() % 1000).expect("under 1000") * 20;
    let is_free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let mut bases = (first..31_000).step_by(usize::from(count));
    bases.find(|base| (*base..base + count).all(is_free)).expect("some port is free")
}
