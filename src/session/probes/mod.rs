//! Runs the probes of `ready` and `live`, on one thread that exists only while there is something to probe. It does not
//! know the state of instances: the session tells it which runs to probe, and it reports the results.
//!
//! Commands (`cmd:`) are started, killed and reaped by the session's thread, as all other processes are; this thread
//! says when.

mod command_output;
mod http;
mod notify;
mod prober;
mod subject;
mod task;
#[cfg(test)]
mod tests;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::Pid;

use crate::app::RunId;
use crate::app::readiness::{Liveness, Readiness};
use crate::os::clock;
use crate::os::job_control::keep_from;
use crate::os::notify_socket::NotifySocket;
use http::is_own_want;
use prober::Prober;

const STACK: usize = 128 << 10;

/// A run to be probed.
#[derive(Debug)]
pub(crate) struct Watched {
    /// Which run.
    pub(crate) run: RunId,
    /// `web.1`
    pub(crate) name: String,
    /// Its leader, from which its processes descend.
    pub(crate) leader: Pid,
    /// Its PORT.
    pub(crate) port: Option<u16>,
    /// The socket of its PORT that it has from pm, which listens before it runs (`share-port`): its inode.
    pub(crate) shared: Option<u64>,
    /// Its processes cannot be seen: it is a client of a container engine, which publishes the port itself.
    pub(crate) is_out_of_sight: bool,
    /// When it is ready.
    pub(crate) ready: Option<Readiness>,
    /// Whether it is alive, from when it is ready.
    pub(crate) live: Option<Liveness>,
    /// Where it sends what it says of itself.
    pub(crate) notify: Option<NotifySocket>,
}

/// What the session tells the thread.
#[derive(Debug)]
pub(crate) enum ProbeOrder {
    /// A run has started.
    Begin(Box<Watched>),
    /// A run that has started is asked from now on whether it is alive, as this says, and no longer in another way. All
    /// else that is asked of it, or heard from it, stays.
    Live(Box<Watched>),
    /// Whether a run is ready is not asked any more.
    EndStart(RunId),
    /// A line of its output has matched `log:`.
    LineSeen(RunId),
    /// The command of a `cmd:` probe was started; this is its output.
    CommandStarted(RunId, OwnedFd),
    /// The command of a `cmd:` probe has ended; `Err` says how it failed.
    CommandEnded(RunId, Result<(), String>),
    /// The command could not be started, for lack of a descriptor or a process. This says nothing about the run.
    CannotAsk(RunId, String),
    /// What came of a lookup.
    LookedUp(RunId, LookupNumber, LookupAnswer),
    /// `true`: its liveness is not checked, because a client is attached. `false`: it is checked again.
    Suspend(RunId, bool),
    /// The run stops or has ended.
    End(RunId),
}

/// A result of the probes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ProbeReport {
    /// All probes of `ready` have succeeded.
    Ready(RunId),
    /// The last answer of a probe that must still succeed.
    Answer { run: RunId, probe: String, text: String },
    /// The port of a run is held by a process that does not belong to it.
    Held { run: RunId, text: String },
    /// It has asked for more time until it is ready.
    Extended(RunId, Duration),
    /// Its status text, from sd_notify's `STATUS=`.
    Status(RunId, String),
    /// It is not alive; why.
    NotAlive(RunId, String),
    /// pm itself cannot probe the run; the reason. Reported once per run.
    CannotAsk { run: RunId, is_ready: bool, text: String },
    /// Start this command in its folder and environment; answer with [`ProbeOrder::CommandEnded`].
    StartCommand(RunId, String),
    /// The command takes too long: its group must be killed.
    KillCommand(RunId),
}

impl ProbeReport {
    /// Returns the run that it is about.
    pub(crate) fn run(&self) -> RunId {
        match self {
            Self::Ready(run)
            | Self::Answer { run, .. }
            | Self::Held { run, .. }
            | Self::CannotAsk { run, .. }
            | Self::Extended(run, _)
            | Self::Status(run, _)
            | Self::NotAlive(run, _)
            | Self::StartCommand(run, _)
            | Self::KillCommand(run) => *run,
        }
    }
}

/// Tells the lookups of a run apart: several may be under way, and the answer to one may come when nobody waits for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LookupNumber(u32);

/// What came of a lookup.
#[derive(Debug)]
pub(crate) enum LookupAnswer {
    /// The addresses of the host.
    Found(Vec<SocketAddr>),
    /// It has none; why.
    Failed(String),
    /// It could not be looked up, for lack of a descriptor or a process. This says nothing about the run.
    NotAsked(String),
}

/// A host whose addresses are needed to ask a run.
#[derive(Debug)]
struct HostLookup {
    run: RunId,
    number: LookupNumber,
    host: String,
    port: u16,
}

/// The thread, as the session sees it.
pub(crate) struct Probes {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<OrderQueue>,
    tell: Box<dyn Fn(ProbeReport) + Send + Sync>,
}

#[derive(Default)]
struct OrderQueue {
    orders: Vec<ProbeOrder>,
    /// Ends the wait of the thread; `None` while there is none.
    waker: Option<UnixStream>,
}

impl Probes {
    /// Makes it, without starting a thread. `tell` is called on that thread and must not block.
    pub(crate) fn new(tell: impl Fn(ProbeReport) + Send + Sync + 'static) -> Self {
        let queue = Mutex::new(OrderQueue::default());
        Self { shared: Arc::new(Shared { queue, tell: Box::new(tell) }) }
    }

    /// Hands an order over; never blocks. The first starts the thread.
    ///
    /// # Errors The thread cannot be started; the order is lost.
    pub(crate) fn post(&self, order: ProbeOrder) -> io::Result<()> {
        self.shared.post(order)
    }
}

impl Shared {
    fn post(self: &Arc<Self>, order: ProbeOrder) -> io::Result<()> {
        let mut queue = self.lock();
        if let Some(waker) = &mut queue.waker {
            // A full socket has woken it already.
            let _ = waker.write(&[0]);
        } else {
            if !matches!(order, ProbeOrder::Begin(_) | ProbeOrder::Live(_)) {
                return Ok(());
            }
            let (waker, woken) = UnixStream::pair()?;
            waker.set_nonblocking(true)?;
            woken.set_nonblocking(true)?;
            let shared = Arc::clone(self);
            let start = || {
                let builder = thread::Builder::new().name("probes".to_owned()).stack_size(STACK);
                builder.spawn(move || run(&shared, woken))
            };
            keep_from(start)?;
            queue.waker = Some(waker);
        }
        queue.orders.push(order);
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, OrderQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes note that the thread has ended, however it does: the next run to be probed starts another one.
struct ThreadEnd<'a>(&'a Shared);

impl Drop for ThreadEnd<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            *self.0.lock() = OrderQueue::default();
        }
    }
}

/// Carries out orders and probes, until nothing is left to probe.
fn run(shared: &Arc<Shared>, mut woken: UnixStream) {
    let _end = ThreadEnd(shared);
    let mut prober = Prober::default();
    let report = |report| (shared.tell)(report);
    let look_up = |lookup| look_up(shared, lookup);
    // When the last wait was to end.
    let mut planned = None;
    loop {
        let now = clock::instant();
        if let Some(planned) = planned {
            prober.put_off(now.saturating_duration_since(planned));
        }
        let orders = {
            let mut queue = shared.lock();
            if queue.orders.is_empty() && prober.is_empty() {
                queue.waker = None;
                return;
            }
            std::mem::take(&mut queue.orders)
        };
        for order in orders {
            prober.take(order, now, &report);
        }
        prober.ask(now, &report, &look_up);
        if prober.is_empty() {
            // There is nothing to wait for: take new orders, or end.
            planned = None;
            continue;
        }
        planned = prober.deadline();
        let timeout = match planned {
            None => PollTimeout::NONE,
            // One millisecond more, because it is rounded down.
            Some(at) => {
                let left = at.saturating_duration_since(now) + Duration::from_millis(1);
                PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
            }
        };
        let ready = {
            let mut fds = vec![PollFd::new(woken.as_fd(), PollFlags::POLLIN)];
            fds.extend(prober.interests().map(|(fd, flags)| PollFd::new(fd, flags)));
            // After an error (EINTR, lack of memory), nothing is ready.
            let _ = poll(&mut fds, timeout);
            fds.iter().map(|fd| fd.any().unwrap_or(false)).collect::<Vec<_>>()
        };
        if ready[0] {
            let mut buffer = [0; 64];
            while woken.read(&mut buffer).is_ok_and(|count| count == buffer.len()) {}
        }
        prober.advance(&ready[1..], clock::instant(), &report);
    }
}

/// Looks a host up on a thread of its own: a name server may take seconds.
fn look_up(shared: &Arc<Shared>, HostLookup { run, number, host, port }: HostLookup) {
    let told = Arc::clone(shared);
    // If the thread of the probes has ended, nothing waits for the answer.
    let tell = move |answer| drop(told.post(ProbeOrder::LookedUp(run, number, answer)));
    let tell_found = tell.clone();
    let look = move || {
        tell_found(match (host.as_str(), port).to_socket_addrs() {
            Ok(found) => LookupAnswer::Found(found.collect()),
            Err(error) if is_own_want(&error) => LookupAnswer::NotAsked(error.to_string()),
            Err(error) => LookupAnswer::Failed(error.to_string()),
        });
    };
    let started = keep_from(|| thread::Builder::new().name("lookup".to_owned()).spawn(look));
    if let Err(error) = started {
        tell(LookupAnswer::NotAsked(error.to_string()));
    }
}
