//! The thread with real sockets: clients and instances are threads of the test, which say what they see.

mod balance;
mod bodies;
mod connections;
mod leaving;
mod lifecycle;
mod stillness;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, unbounded};

use super::{FrontFailure, FrontId, FrontSettings, Proxy, ProxyReport, Upstream, start};

const FRONT: FrontId = FrontId(3);
/// The key of a run that is never offered.
const NO_RUN: u64 = 99;
/// What must happen happens in this time, or the test fails.
const LIMIT: Duration = Duration::from_secs(20);

#[expect(clippy::disallowed_methods, reason = "the clock of the test")]
fn now() -> Instant {
    Instant::now()
}

/// A front on a port of its own.
struct Fronted {
    proxy: Proxy,
    port: u16,
    reports: Receiver<ProxyReport>,
}

impl Fronted {
    fn new() -> Self {
        Self::with_wait(LIMIT)
    }

    fn with_wait(wait: Duration) -> Self {
        Self::with(wait, now)
    }

    fn with(wait: Duration, clock: fn() -> Instant) -> Self {
        let (told, reports) = unbounded();
        let mut proxy = start(clock, move |report| told.send(report).unwrap()).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let listeners = vec![listener];
        proxy.open(FRONT, FrontSettings { name: "web".into(), listeners, wait, is_local: true });
        Self { proxy, port, reports }
    }

    /// Returns a front, its only instance, which is run 1, and the two connections of a request that has reached it.
    fn with_request(request: &str) -> (Self, TinyServer, SocketEnd, SocketEnd) {
        let mut front = Self::new();
        let instance = TinyServer::new();
        front.offer(1, instance.port);
        let mut client = front.connect();
        client.send(request);
        let mut taken = instance.accept();
        taken.head();
        (front, instance, client, taken)
    }

    /// Offers a run; its number is its key.
    fn offer(&mut self, number: u16, port: u16) {
        self.proxy.offer(FRONT, Upstream { key: u64::from(number), number, port });
    }

    fn fail(&mut self) {
        self.fail_with("the last line".to_owned());
    }

    fn fail_with(&mut self, line: String) {
        let lines = vec![line];
        let failure = FrontFailure { cause: "web.1 failed: exited with code 73".into(), lines };
        self.proxy.fail(FRONT, Some(failure));
    }

    fn connect(&self) -> SocketEnd {
        SocketEnd::new(TcpStream::connect(("127.0.0.1", self.port)).unwrap())
    }

    /// Sends bytes on a new connection, and returns all that comes until it is closed.
    fn told(&self, bytes: &str) -> String {
        let mut client = self.connect();
        client.send(bytes);
        client.rest()
    }

    /// Returns when the thread has taken all that was there for it to take: what is ready together with an order may come
    /// behind it, and not behind the next.
    fn turn(&mut self) {
        for _ in 0..2 {
            self.proxy.withdraw(NO_RUN);
            assert_eq!(self.report(), ProxyReport::Withdrawn(NO_RUN));
        }
    }

    fn report(&self) -> ProxyReport {
        self.reports.recv_timeout(LIMIT).unwrap()
    }
}

/// An instance, whose connections the test takes one by one.
struct TinyServer {
    listener: TcpListener,
    port: u16,
}

impl TinyServer {
    fn new() -> Self {
        Self::on("127.0.0.1:0")
    }

    fn on(address: &str) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { listener, port }
    }

    fn accept(&self) -> SocketEnd {
        SocketEnd::new(self.listener.accept().unwrap().0)
    }

    /// Answers each request of each connection with `name`, for ever.
    fn serve(self, name: &'static str) {
        std::thread::spawn(move || {
            for stream in self.listener.incoming().map_while(Result::ok) {
                std::thread::spawn(move || {
                    let mut end = SocketEnd::new(stream);
                    while end.try_head().is_some() {
                        end.send(&answer(name));
                    }
                });
            }
        });
    }
}

/// An answer with a body of known length.
fn answer(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// One end of a connection.
struct SocketEnd {
    stream: TcpStream,
    input: Vec<u8>,
}

impl SocketEnd {
    fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_write_timeout(Some(LIMIT)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, input: Vec::new() }
    }

    fn send(&mut self, bytes: &str) {
        self.stream.write_all(bytes.as_bytes()).unwrap();
    }

    /// Reads once; `false` at the end.
    fn more(&mut self) -> bool {
        let mut buffer = [0; 4096];
        let count = match self.stream.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => 0,
            Err(error) => panic!("{error} after {:?}", self.input.escape_ascii().to_string()),
        };
        self.input.extend_from_slice(&buffer[..count]);
        count > 0
    }

    /// Reads so many bytes.
    fn take(&mut self, count: usize) -> String {
        while self.input.len() < count {
            assert!(self.more(), "ended after {:?}", self.input.escape_ascii().to_string());
        }
        String::from_utf8(self.input.drain(..count).collect()).unwrap()
    }

    /// Reads up to the end of a head; `None` if the connection ends first.
    fn try_head(&mut self) -> Option<String> {
        loop {
            if let Some(at) = memchr::memmem::find(&self.input, b"\r\n\r\n") {
                return Some(self.take(at + 4));
            }
            if !self.more() {
                return None;
            }
        }
    }

    fn head(&mut self) -> String {
        self.try_head().expect("a head")
    }

    /// Reads an answer with a length, and returns its first line and its body.
    fn answer(&mut self) -> (String, String) {
        let head = self.head();
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let body = self.take(length.expect("a length").parse().unwrap());
        (head.lines().next().unwrap().to_owned(), body)
    }

    /// Asks, and returns the body of the answer.
    fn ask(&mut self, host: &str) -> String {
        self.send(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        self.answer().1
    }

    /// Reads to the end.
    fn rest(&mut self) -> String {
        while self.more() {}
        String::from_utf8(std::mem::take(&mut self.input)).unwrap()
    }

    fn shut(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Ends both directions at once, whatever is under way.
    fn reset(self) {
        let reset = nix::libc::linger { l_onoff: 1, l_linger: 0 };
        nix::sys::socket::setsockopt(&self.stream, nix::sys::socket::sockopt::Linger, &reset)
            .unwrap();
    }
}

const GET: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
