//! The loop, turn by turn, in the thread of the test: what is kept between two turns.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::proxy::figures::{FrontCounters, InstanceCounters};
use crate::proxy::{FrontSettings, Upstream};

const FRONT: FrontId = FrontId(0);
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[expect(clippy::disallowed_methods, reason = "the clock of the test")]
fn now() -> Instant {
    Instant::now()
}

/// A loop with a front that has no upstream yet.
struct Stepped {
    engine: Engine,
    waker: Waker,
    port: u16,
}

impl Stepped {
    fn new() -> Self {
        let (_orders, taken) = crossbeam_channel::unbounded();
        let (mut engine, waker) = Engine::new(now, Box::new(|_| ()), taken).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let wait = Duration::from_secs(60);
        let listeners = vec![listener];
        let settings = FrontSettings { name: "web".into(), listeners, wait, is_local: true };
        engine.obey(ProxyOrder::Open(FRONT, settings, Arc::new(FrontCounters::new())));
        Self { engine, waker, port }
    }

    fn offer(&mut self, port: u16) {
        let upstream = Upstream { key: 1, number: 1, port };
        let counters = Arc::new(InstanceCounters::default());
        self.engine.obey(ProxyOrder::Offer(FRONT, upstream, counters));
    }

    /// Takes turns, each of which ends at once, until it is so.
    fn until(&mut self, is_so: impl Fn(&Engine) -> bool) {
        let (begin, mut told) = (now(), Vec::new());
        while !is_so(&self.engine) {
            assert!(now() - begin < Duration::from_secs(20), "it is not so");
            self.waker.wake();
            self.engine.turn(&mut told).unwrap();
        }
    }

    fn front(engine: &Engine) -> &ServedFront {
        &engine.fronts[&FRONT]
    }
}

fn asks(engine: &Engine) -> usize {
    engine.clients.iter().filter(|client| client.ask.is_some()).count()
}

#[test]
fn each_client_waits_in_the_queue_once_however_its_connections_end() {
    let mut stepped = Stepped::new();
    // Nobody takes what is in its queue: the system says later whether a connection is made.
    let full = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    nix::sys::socket::listen(&full, nix::sys::socket::Backlog::new(0).unwrap()).unwrap();
    let address = full.local_addr().unwrap();
    let in_queue = |_| TcpStream::connect_timeout(&address, Duration::from_millis(50)).ok();
    let queue: Vec<TcpStream> = (0..8).map_while(in_queue).collect();
    stepped.offer(address.port());
    let clients: Vec<TcpStream> = std::iter::repeat_with(|| {
        let mut client = TcpStream::connect(("127.0.0.1", stepped.port)).unwrap();
        client.write_all(GET).unwrap();
        client
    })
    .take(3)
    .collect();
    let is_pending = |engine: &Engine| engine.links.iter().filter(|it| it.is_connecting).count();
    stepped.until(|engine| is_pending(engine) == 3);
    drop((queue, full));
    // At its second try, after 1 s, the system finds that nobody listens.
    stepped.until(|engine| engine.links.len() == 0);
    stepped.until(|engine| asks(engine) == 3 && Stepped::front(engine).queue.len() >= 3);
    assert_eq!(Stepped::front(&stepped.engine).queue.len(), 3);
    drop(clients);
}
