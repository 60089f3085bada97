//! One GET request to an instance that never blocks: the caller polls the socket and calls again.
//!
//! Redirects are not followed and bodies are ignored: the status code in the first line is the answer.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, SockaddrIn6, connect, getsockopt, socket,
    sockopt,
};

use crate::app::readiness::HttpProbe;

/// Longest status line. A server that sends more without a line end does not speak HTTP.
const LONGEST_STATUS_LINE: usize = 8 << 10;

/// More than this of an answer is not read.
const LONGEST_REST: usize = 64 << 10;

/// A request on its way.
#[derive(Debug)]
pub(super) struct Attempt {
    /// Addresses that were not tried yet.
    rest: Vec<SocketAddr>,
    request: Vec<u8>,
    stream: TcpStream,
    stage: HttpStage,
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
    /// An answer came.
    Answered(u16),
    /// No answer will come; the text says why.
    Failed(String),
}

impl Attempt {
    /// Begins a request to the first of the addresses that takes a connection.
    pub(super) fn begin(probe: &HttpProbe, addresses: &[SocketAddr], host: &str) -> Progress {
        let path = &probe.path;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: pm\r\nAccept: */*\r\nConnection: close\r\n\r\n"
        );
        let mut rest = addresses.to_vec();
        rest.reverse();
        connect_next(rest, request.into_bytes(), "no address".to_owned())
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
                    return connect_next(self.rest, self.request, said(&io::Error::from(errno)));
                }
            }
        }
        loop {
            let step = match &mut self.stage {
                HttpStage::Connecting => return Progress::Pending(self),
                HttpStage::Sending { sent } if *sent == self.request.len() => {
                    self.stage = HttpStage::Reading { head: Vec::new() };
                    continue;
                }
                HttpStage::Sending { sent } => {
                    self.stream.write(&self.request[*sent..]).map(|written| *sent += written)
                }
                HttpStage::Reading { head } => {
                    let mut buffer = [0; 1024];
                    match self.stream.read(&mut buffer) {
                        Ok(0) => {
                            return Progress::Failed(
                                "the connection was closed without an answer".to_owned(),
                            );
                        }
                        Ok(count) => {
                            head.extend_from_slice(&buffer[..count]);
                            match status(head) {
                                StatusLine::Code(code) => {
                                    take_the_rest(&mut self.stream);
                                    return Progress::Answered(code);
                                }
                                StatusLine::None => {
                                    return Progress::Failed("the answer is not HTTP".to_owned());
                                }
                                StatusLine::Unfinished => Ok(()),
                            }
                        }
                        Err(error) => Err(error),
                    }
                }
            };
            match step {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Progress::Pending(self);
                }
                Err(error) => return Progress::Failed(said(&error)),
            }
        }
    }
}

/// Returns the addresses of a port on this machine, in the order in which they are tried.
pub(super) fn local(port: u16) -> [SocketAddr; 2] {
    [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]
        .map(|ip| SocketAddr::new(ip, port))
}

/// Begins a connection to the last of the addresses, or the one before if that fails. `why` is the error of the
/// previous try.
fn connect_next(mut rest: Vec<SocketAddr>, request: Vec<u8>, mut why: String) -> Progress {
    while let Some(address) = rest.pop() {
        match begin_connection(address) {
            Ok(stream) => {
                return Progress::Pending(Attempt {
                    rest,
                    request,
                    stream,
                    stage: HttpStage::Connecting,
                });
            }
            Err(error) => why = said(&error),
        }
    }
    Progress::Failed(why)
}

fn begin_connection(address: SocketAddr) -> io::Result<TcpStream> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket: OwnedFd = socket(family, SockType::Stream, flags, None)?;
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
fn said(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        ErrorKind::ConnectionReset => "connection reset".to_owned(),
        _ => error.to_string(),
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
            assert_eq!(ask(answer).0, Err("the answer is not HTTP".to_owned()), "{answer:?}");
        }
        let closed = Err("the connection was closed without an answer".to_owned());
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
        assert_eq!(outcome(&local(port)), Err("connection refused".to_owned()));
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
