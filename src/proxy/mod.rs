//! One address for the N instances of a process type: a front that listens, and passes each request to an instance.
//!
//! One thread, `proxy`, serves all fronts with non-blocking sockets and level-triggered readiness. It knows no process
//! and no application, only *upstreams*: a port on loopback, with the key and the number of who serves
//! there. It is told which of them may get requests ([`Proxy::offer`]), which get no more ([`Proxy::withdraw`]), and
//! which are over ([`Proxy::cut`]).
//!
//! HTTP/1.x is balanced by request: heads are read whole, judged by RFC 9112, and written anew, so that nobody behind
//! the front sees a byte of framing that the front has understood otherwise. What is ambiguous is refused with 400.
//! What is not HTTP/1 by its first bytes is passed as it is, as a whole connection.

pub mod balance;
pub mod body;
mod engine;
mod figures;
pub mod head;
pub mod host;
pub mod page;
mod slab;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded, unbounded};

use crate::os::poller::Waker;
use engine::{Engine, ProxyOrder};
use figures::{FrontCounters, InstanceCounters};
pub use figures::{FrontFigures, InstanceFigures, SECONDS};

/// Which front; whoever opens it gives the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FrontId(pub usize);

/// What a front is to be.
#[derive(Debug)]
pub struct FrontSettings {
    /// The process type: `NAME.2.localhost` is its second instance.
    pub name: String,
    /// Where it takes connections. Bound and listening; the proxy makes them non-blocking.
    pub listeners: Vec<TcpListener>,
    /// How long a request waits for an instance that answers.
    pub wait: Duration,
    /// Whether only this machine can reach it: otherwise no page shows a line of the application.
    pub is_local: bool,
}

/// One run of an instance that may get requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Which run: no two runs ever have the same key.
    pub key: u64,
    /// The instance's number in its process type, from 1.
    pub number: u16,
    /// Where it listens, on 127.0.0.1 or on ::1.
    pub port: u16,
}

/// Why no instance of a front answers, for the page that requests get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontFailure {
    /// In a sentence: `web.1 failed: exited with code 73`.
    pub cause: String,
    /// The last lines of its output, oldest first; the page shows the last 20.
    pub lines: Vec<String>,
}

/// What the proxy tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyReport {
    /// The run with this key, which was withdrawn, has no request in flight any more: each has been answered to its
    /// last byte, or is lost. Told once for each [`Proxy::withdraw`], also of a key that was never offered.
    Withdrawn(u64),
    /// Requests of this front have waited as long as they may. They get their page with [`Proxy::explain`], or a second
    /// later without a reason.
    Overdue(FrontId),
}

/// The thread that serves all fronts. Dropping it ends the thread, and closes all sockets.
#[derive(Debug)]
pub struct Proxy {
    orders: Sender<ProxyOrder>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
    counters: BTreeMap<FrontId, Counters>,
}

/// What is counted for one front. It stays when the front is closed: what is in flight then is counted to its end.
#[derive(Debug)]
struct Counters {
    is_open: bool,
    front: Arc<FrontCounters>,
    instances: BTreeMap<u16, Arc<InstanceCounters>>,
}

/// Starts the thread, with no front yet. `now` reads the clock; `report` is called from the thread, and must not block.
///
/// # Errors
/// Where the system has no more threads or descriptors.
pub fn start(
    now: fn() -> Instant,
    report: impl Fn(ProxyReport) + Send + 'static,
) -> io::Result<Proxy> {
    let (orders, taken) = unbounded();
    let (engine, waker) = Engine::new(now, Box::new(report), taken)?;
    let thread = std::thread::Builder::new().name("proxy".into()).spawn(move || engine.run())?;
    Ok(Proxy { orders, waker, thread: Some(thread), counters: BTreeMap::new() })
}

impl Proxy {
    /// Opens a front. For one that is open already it takes the new settings, and keeps the listeners that it has if
    /// `listeners` is empty; requests and connections are untouched.
    pub fn open(&mut self, front: FrontId, settings: FrontSettings) {
        let counters = self.counters.entry(front).or_insert_with(|| Counters {
            is_open: true,
            front: Arc::new(FrontCounters::new()),
            instances: BTreeMap::new(),
        });
        counters.is_open = true;
        let counters = Arc::clone(&counters.front);
        self.order(ProxyOrder::Open(front, settings, counters));
    }

    /// Closes the listeners of a front; all that its clients and upstreams have open, when the last of its runs was cut.
    pub fn close(&mut self, front: FrontId) {
        if let Some(counters) = self.counters.get_mut(&front) {
            counters.is_open = false;
        }
        self.order(ProxyOrder::Close(front));
    }

    /// Closes the listeners of a front, and nothing else. Returns when they are closed, which takes the thread no longer than
    /// what it is at: from then on their address can be had again.
    pub fn unlisten(&self, front: FrontId) {
        let (done, closed) = bounded(0);
        self.order(ProxyOrder::Unlisten(front, done));
        // Nothing is ever sent: it ends when the other end is dropped, also by a thread that is no more.
        let _ = closed.recv();
    }

    /// Lets a run have requests from now on. It is not asked whether it listens before there is a request: who refuses a
    /// connection is passed over, and asked again. Without a front of this id it does nothing.
    pub fn offer(&mut self, front: FrontId, upstream: Upstream) {
        let Some(counters) = self.counters.get_mut(&front) else { return };
        let counters = Arc::clone(counters.instances.entry(upstream.number).or_default());
        self.order(ProxyOrder::Offer(front, upstream, counters));
    }

    /// Gives a run no more requests, and closes its idle connections. [`ProxyReport::Withdrawn`] follows as soon as no
    /// request is in flight on it. Websockets and passed connections go on until [`Proxy::cut`].
    pub fn withdraw(&mut self, key: u64) {
        self.order(ProxyOrder::Withdraw(key));
    }

    /// The run is over: what it has written is passed on, and what is then still open is closed. Also withdraws it where
    /// that has not been done, without a report.
    pub fn cut(&mut self, key: u64) {
        self.order(ProxyOrder::Cut(key));
    }

    /// All instances of the front have failed for good, and requests that wait get the page at once; or, with `None`,
    /// an instance may become ready again. An offer says so, too.
    pub fn fail(&mut self, front: FrontId, failure: Option<FrontFailure>) {
        self.order(ProxyOrder::Fail(front, failure));
    }

    /// Says why no instance is ready, to the requests whose time is over.
    pub fn explain(&mut self, front: FrontId, why: FrontFailure) {
        self.order(ProxyOrder::Explain(front, why));
    }

    /// Returns the counters of all open fronts, in the order of their ids. Does not wait for the thread.
    #[must_use]
    pub fn figures(&self) -> Vec<FrontFigures> {
        let of_front = |(front, counters): (&FrontId, &Counters)| {
            let instances = counters.instances.iter();
            let instances = instances.map(|(number, counters)| counters.figures(*number)).collect();
            counters.front.figures(*front, instances)
        };
        self.counters.iter().filter(|(_, counters)| counters.is_open).map(of_front).collect()
    }

    fn order(&self, order: ProxyOrder) {
        // The thread takes orders until it is told to end; where the system has failed it, there is nobody to tell.
        let _ = self.orders.send(order);
        self.waker.wake();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.order(ProxyOrder::End);
        if let Some(thread) = self.thread.take() {
            // It has ended, by itself or by a panic, which was told where it happened.
            let _ = thread.join();
        }
    }
}
