//! One GET request to an instance, or only a connection, that never blocks: the caller polls the socket and calls again.
//!
//! Redirects are not followed and bodies are ignored: the status code in the first line is the answer.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{AddressFamily, SockaddrIn, SockaddrIn6, connect, getsockopt, sockopt};

use crate::app::readiness::HttpProbe;
use crate::os::stream_socket::stream_socket;

/// Longest status line. A server that sends more without a line end does not speak HTTP.
const LONGEST_STATUS_LINE: usize = 8 << 10;

/// More than this of an answer is not read.
const LONGEST_REST: usize = 64 << 10;

/// A request on its way.
#[derive(Debug)]
pub(super) struct Attempt {
    plan: Plan,
    stream: TcpStream,
    stage: HttpStage,
}

/// What is still to be tried.
#[derive(Debug)]
struct Plan {
    /// Addresses that were not tried yet, the next one last.
    rest: Vec<SocketAddr>,
    /// `None`: a connection is all that is wanted.
    request: Option<Vec<u8>>,
    /// Why the first address has failed.
    why: Option<String>,
}

#[derive(Debug)]
enum HttpStage {
    Connecting,
    Sending { sent: usize },
    Reading { head: Vec<u8> },
}

/// How far a request is.
#[derive(Debug)]
pub(super) enum Progress {
    /// To be continued when the socket is ready.
    Pending(Attempt),
    /// There is a connection, and nothing else was wanted.
    Connected,
    /// An answer came.
    Answered(u16),
    /// No answer will come; the text says why.
    Failed(String),
    /// pm itself lacks what a connection takes; the text says what.
    CannotAsk(String),
}

impl Attempt {
    /// Begins a request to the first of the addresses that takes a connection and answers.
    pub(super) fn begin(probe: &HttpProbe, addresses: &[SocketAddr], host: &str) -> Progress {
        let path = &probe.path;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: pm\r\nAccept: */*\r\nConnection: close\r\n\r\n"
        );
        Plan::of(addresses, Some(request.into_bytes())).go_on()
    }

    /// Begins a connection to the first of the addresses that takes one.
    pub(super) fn connect(addresses: &[SocketAddr]) -> Progress {
        Plan::of(addresses, None).go_on()
    }

    /// Gives this address up, which has had its time, and goes on with the next.
    pub(super) fn time_out(self) -> Progress {
        self.plan.without_this("timed out".to_owned())
    }

    /// Returns how many addresses were not tried yet.
    pub(super) fn left(&self) -> usize {
        self.plan.rest.len()
    }

    /// Returns what to wait for.
    pub(super) fn interest(&self) -> (BorrowedFd<'_>, PollFlags) {
        let flags = match self.stage {
            HttpStage::Connecting | HttpStage::Sending { .. } => PollFlags::POLLOUT,
            HttpStage::Reading { .. } => PollFlags::POLLIN,
        };
        (self.stream.as_fd(), flags)
    }

    /// Goes on as far as the socket lets it.
    pub(super) fn advance(mut self) -> Progress {
        if matches!(self.stage, HttpStage::Connecting) {
            match getsockopt(&self.stream, sockopt::SocketError).map(Errno::from_raw) {
                Ok(errno) if errno == Errno::from_raw(0) => {
                    self.stage = HttpStage::Sending { sent: 0 }
                }
                Ok(errno) | Err(errno) => {
                    return self.plan.without_this(failed(&io::Error::from(errno)));
                }
            }
        }
        let Some(request) = &self.plan.request else { return Progress::Connected };
        loop {
            let step = match &mut self.stage {
                HttpStage::Connecting => return Progress::Pending(self),
                HttpStage::Sending { sent } if *sent == request.len() => {
                    self.stage = HttpStage::Reading { head: Vec::new() };
                    continue;
                }
                HttpStage::Sending { sent } => {
                    self.stream.write(&request[*sent..]).map(|written| *sent += written)
                }
                HttpStage::Reading { head } => match read_status(&mut self.stream, head) {
                    Ok(StatusLine::Code(code)) => {
                        take_the_rest(&mut self.stream);
                        return Progress::Answered(code);
                    }
                    Ok(StatusLine::None) => {
                        return self.plan.without_this("failed: the answer is not HTTP".to_owned());
                    }
                    Ok(StatusLine::Unfinished) => Ok(()),
                    Err(error) => Err(error),
                },
            };
            match step {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Progress::Pending(self);
                }
                Err(error) => return self.plan.without_this(failed(&error)),
            }
        }
    }
}

impl Plan {
    fn of(addresses: &[SocketAddr], request: Option<Vec<u8>>) -> Self {
        let rest = addresses.iter().rev().copied().collect();
        Self { rest, request, why: None }
    }

    /// Goes on without the address that was tried just now.
    fn without_this(mut self, why: String) -> Progress {
        // A machine without IPv6 says of the second address what concerns nobody.
        self.why.get_or_insert(why);
        self.go_on()
    }

    /// Begins a connection to the next address to which that can be.
    fn go_on(mut self) -> Progress {
        while let Some(address) = self.rest.pop() {
            match begin_connection(address) {
                Ok(stream) => {
                    return Progress::Pending(Attempt {
                        plan: self,
                        stream,
                        stage: HttpStage::Connecting,
                    });
                }
                Err(error) if is_own_want(&error) => return Progress::CannotAsk(error.to_string()),
                Err(error) => drop(self.why.get_or_insert(failed(&error))),
            }
        }
        Progress::Failed(self.why.unwrap_or_else(|| "failed: no address".to_owned()))
    }
}

/// Reads once, and returns what the beginning of the answer says.
fn read_status(stream: &mut TcpStream, head: &mut Vec<u8>) -> io::Result<StatusLine> {
    let mut buffer = [0; 1024];
    match stream.read(&mut buffer)? {
        0 => Err(io::Error::other("the connection was closed without an answer")),
        count => {
            head.extend_from_slice(&buffer[..count]);
            Ok(status(head))
        }
    }
}

/// Returns whether an error says that this process or its machine lacks something, and nothing of the other side.
pub(super) fn is_own_want(error: &io::Error) -> bool {
    use nix::libc::{EMFILE, ENFILE, ENOBUFS, ENOMEM};
    matches!(error.raw_os_error(), Some(EMFILE | ENFILE | ENOBUFS | ENOMEM))
}

/// Returns the addresses of a port on this machine, in the order in which they are tried.
pub(super) fn local(port: u16) -> [SocketAddr; 2] {
    [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]
        .map(|ip| SocketAddr::new(ip, port))
}

fn begin_connection(address: SocketAddr) -> io::Result<TcpStream> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let socket = stream_socket(family)?;
    let begun = match address {
        SocketAddr::V4(v4) => {
            connect(std::os::fd::AsRawFd::as_raw_fd(&socket), &SockaddrIn::from(v4))
        }
        SocketAddr::V6(v6) => {
            connect(std::os::fd::AsRawFd::as_raw_fd(&socket), &SockaddrIn6::from(v6))
        }
    };
    match begun {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(TcpStream::from(socket)),
        Err(errno) => Err(errno.into()),
    }
}

/// Reads what is left: closing a connection with unread data resets it, which servers log.
fn take_the_rest(stream: &mut TcpStream) {
    let mut buffer = [0; 4096];
    let mut left = LONGEST_REST;
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        left = left.saturating_sub(count);
        if left == 0 {
            break;
        }
    }
}

/// What the beginning of an answer says.
#[derive(Debug, PartialEq, Eq)]
enum StatusLine {
    Code(u16),
    Unfinished,
    /// It is not a status line (RFC 9112, section 4).
    None,
}

fn status(head: &[u8]) -> StatusLine {
    let Some(end) = memchr::memchr(b'\n', head) else {
        let could_be = head.starts_with(b"HTTP/1.") || b"HTTP/1.".starts_with(head);
        return if could_be && head.len() < LONGEST_STATUS_LINE {
            StatusLine::Unfinished
        } else {
            StatusLine::None
        };
    };
    let code = || {
        let line = std::str::from_utf8(&head[..end]).ok()?;
        let mut words = line.strip_prefix("HTTP/1.")?.split_ascii_whitespace();
        let code = words.nth(1).filter(|code| code.len() == 3)?.parse().ok()?;
        (100..600).contains(&code).then_some(code)
    };
    code().map_or(StatusLine::None, StatusLine::Code)
}

/// Returns an error as it is shown after `http:/up`: without its number.
fn failed(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "failed: connection refused".to_owned(),
        ErrorKind::ConnectionReset => "failed: connection reset".to_owned(),
        _ => format!("failed: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use nix::poll::{PollFd, PollTimeout, poll};

    use super::*;

    /// Asks a server that says `answer` and returns the outcome and what the server was sent.
    fn ask(answer: &'static [u8]) -> (Result<u16, String>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut buffer = [0; 512];
                let count = stream.read(&mut buffer).unwrap();
                request.extend_from_slice(&buffer[..count]);
            }
            // One byte each, so that every split is read.
            for byte in answer {
                if stream.write_all(&[*byte]).is_err() {
                    break;
                }
            }
            String::from_utf8(request).unwrap()
        });
        let outcome = outcome(&local(port));
        (outcome, server.join().unwrap())
    }

    fn outcome(addresses: &[SocketAddr]) -> Result<u16, String> {
        let probe = HttpProbe { authority: None, path: "/up?a=1".to_owned(), codes: Vec::new() };
        let mut progress = Attempt::begin(&probe, addresses, "localhost:1");
        loop {
            match progress {
                Progress::Answered(code) => return Ok(code),
                Progress::Failed(why) => return Err(why),
                Progress::Connected | Progress::CannotAsk(_) => panic!("{progress:?}"),
                Progress::Pending(attempt) => {
                    let (fd, flags) = attempt.interest();
                    let ready = poll(&mut [PollFd::new(fd, flags)], PollTimeout::from(10_000_u16));
                    assert_eq!(ready, Ok(1), "the server neither answers nor hangs up");
                    progress = attempt.advance();
                }
            }
        }
    }

    #[test]
    fn the_code_of_the_first_line_is_the_answer() {
        let (code, request) = ask(b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n");
        assert_eq!(code, Ok(204));
        assert!(request.starts_with("GET /up?a=1 HTTP/1.1\r\nHost: localhost:1\r\n"), "{request}");
        assert_eq!(ask(b"HTTP/1.0 503\r\n").0, Ok(503));
        assert_eq!(ask(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n\r\n").0, Ok(302));
    }

    #[test]
    fn what_is_no_answer_says_so() {
        for answer in
            [&b"SSH-2.0-OpenSSH\r\n"[..], b"HTTP/1.1 20\r\n", b"HTTP/1.1 +20 X\r\n", b"\n"]
        {
            assert_eq!(
                ask(answer).0,
                Err("failed: the answer is not HTTP".to_owned()),
                "{answer:?}"
            );
        }
        let closed = Err("failed: the connection was closed without an answer".to_owned());
        assert_eq!(ask(b"").0, closed);
        assert_eq!(ask(b"HTTP/1.1 200").0, closed);
    }

    #[test]
    fn each_address_is_tried_before_it_fails() {
        let Ok(listener) = TcpListener::bind("[::1]:0") else {
            assert!(!crate::skipped::has("IPv6", false));
            return;
        };
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            // Until the other side has hung up: a reset would take the answer with it.
            drop(io::copy(&mut stream, &mut io::sink()));
        });
        assert_eq!(outcome(&local(port)), Ok(200));
        server.join().unwrap();
        assert_eq!(outcome(&local(port)), Err("failed: connection refused".to_owned()));
    }

    #[test]
    fn an_address_that_answers_nothing_is_followed_by_the_next() {
        let listeners = (0..100).find_map(|_| {
            let first = TcpListener::bind("127.0.0.1:0").ok()?;
            let port = first.local_addr().ok()?.port();
            Some((first, TcpListener::bind(("::1", port)).ok()?))
        });
        let Some((first, second)) = listeners else {
            assert!(!crate::skipped::has("IPv6", false));
            return;
        };
        let port = first.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            drop(first.accept().unwrap());
            let (mut stream, _) = second.accept().unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            drop(io::copy(&mut stream, &mut io::sink()));
        });
        assert_eq!(outcome(&local(port)), Ok(200));
        server.join().unwrap();
    }

    #[test]
    fn what_is_said_is_why_the_first_address_has_failed() {
        // A machine without IPv6 refuses the second in another way.
        let nowhere: SocketAddr = "[2001:db8::1]:0".parse().unwrap();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        drop(taken);
        let addresses = [local(port)[0], nowhere];
        assert_eq!(outcome(&addresses), Err("failed: connection refused".to_owned()));
    }

    #[test]
    fn a_line_without_end_is_not_waited_for_for_ever() {
        let mut head = b"HTTP/1.1 ".to_vec();
        assert_eq!(status(&head), StatusLine::Unfinished);
        head.resize(LONGEST_STATUS_LINE, b'x');
        assert_eq!(status(&head), StatusLine::None);
        assert_eq!(status(b""), StatusLine::Unfinished);
        assert_eq!(status(b"HT"), StatusLine::Unfinished);
        assert_eq!(status(b"HX"), StatusLine::None);
    }
}
