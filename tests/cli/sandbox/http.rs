//! A client of a few lines, and ports for servers.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::{LIMIT, eventually};

/// Returns a port that is free, and so are those after it, `count` in all.
pub(crate) fn free_port(count: u16) -> u16 {
    free_base(1..count)
}

/// Returns a port that is free, and so are those at these distances behind it. They are below those that the system gives
/// to connections, so that no client of another test takes one; two tests get different ones.
pub(crate) fn free_base(distances: impl IntoIterator<Item = u16> + Clone) -> u16 {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(7) + 131 * TAKEN.fetch_add(1, Relaxed);
    let mut bases = (0..).map(|step| 10_000 + (first + 61 * step) % 20_000);
    eventually("free ports", || {
        let base = u16::try_from(bases.next()?).ok()?;
        let ports = [0].into_iter().chain(distances.clone()).map(|distance| base + distance);
        let all: Result<Vec<_>, _> =
            ports.map(|port| TcpListener::bind(("127.0.0.1", port))).collect();
        all.ok().map(|_| base)
    })
}

/// Asks for a page, and returns the answer with its header.
pub(crate) fn get(port: u16, path: &str) -> io::Result<String> {
    ask(port, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
}

/// Posts a text, and returns the answer with its header.
pub(crate) fn post(port: u16, path: &str, text: &str) -> io::Result<String> {
    let length = text.len();
    ask(
        port,
        &format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}"
        ),
    )
}

fn ask(port: u16, request: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
