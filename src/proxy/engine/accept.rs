//! New connections, as long as there are descriptors.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit};

use super::Engine;
use super::client::Client;
use super::wire::Wire;
use crate::os::poller::READABLE;
use crate::proxy::FrontId;

/// So many connections are taken before others have their turn.
const ACCEPTED_AT_ONCE: usize = 64;
/// Without a descriptor, it is tried again after this time.
const PAUSE: Duration = Duration::from_millis(100);
/// A client that says nothing for so long waits for the server to speak first.
pub(super) const SILENCE: Duration = Duration::from_secs(5);
/// Descriptors that the proxy leaves to the rest of pm, which needs them to start and to stop instances.
const LEFT_TO_OTHERS: usize = 256;
/// Below so many connections the limit is not asked for.
const FEW: usize = 128;

/// Tokens of listeners: the topmost bit, the front, and which of its listeners.
const LISTENER: u64 = 1 << 63;

/// Returns the token of a listener.
pub(super) fn token(front: FrontId, place: usize) -> u64 {
    LISTENER | (front.0 as u64) << 8 | place as u64 & 0xff
}

/// Returns the front and the listener that a token is of.
pub(super) fn of_token(token: u64) -> Option<(FrontId, usize)> {
    let bits = |bits: u64| usize::try_from(bits).unwrap_or(usize::MAX);
    (token & LISTENER != 0).then(|| (FrontId(bits((token & !LISTENER) >> 8)), bits(token & 0xff)))
}

impl Engine {
    /// Takes the connections that wait at a listener.
    pub(super) fn accept(&mut self, front: FrontId, place: usize) {
        for _ in 0..ACCEPTED_AT_ONCE {
            let Some(listener) =
                self.fronts.get(&front).and_then(|front| front.listeners.get(place))
            else {
                return;
            };
            if !self.has_room() {
                self.accept_later();
                return;
            }
            match listener.accept() {
                Ok((stream, peer)) => self.welcome(front, stream, peer),
                Err(error) => match error.raw_os_error() {
                    Some(libc_error) if is_shortage(libc_error) => {
                        self.accept_later();
                        return;
                    }
                    // Nobody waits any more, or who did has gone (accept(2): such errors are to be ignored).
                    _ => return,
                },
            }
        }
    }

    fn welcome(&mut self, front: FrontId, stream: TcpStream, peer: SocketAddr) {
        // A connection whose options cannot be set is over already.
        if stream.set_nonblocking(true).is_err() || stream.set_nodelay(true).is_err() {
            return;
        }
        let now = self.now;
        let id = self
            .clients
            .insert_with(|id| Client::new(Wire::new(stream, id.token(false)), front, peer.ip()));
        self.silent.push_back((now + SILENCE, id));
        self.arm(id);
    }

    /// Returns whether there are descriptors for one more client and the instance that it asks.
    fn has_room(&self) -> bool {
        let open = self.clients.len() + self.links.len();
        if open < FEW {
            return true;
        }
        let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        // A client needs a second descriptor for the instance: none is taken that could not be served.
        self.clients.len() * 2 + LEFT_TO_OTHERS.min(limit / 2) < limit
    }

    /// Waits for no listener for a while: they stay readable, and would wake the thread without end.
    fn accept_later(&mut self) {
        if self.accepts_at.is_some() {
            return;
        }
        for listener in self.fronts.values().flat_map(|front| &front.listeners) {
            self.poller.remove(listener);
        }
        self.accepts_at = Some(self.now + PAUSE);
    }

    /// Waits for listeners again.
    pub(super) fn accept_again(&mut self) {
        self.accepts_at = None;
        let fronts: Vec<FrontId> = self.fronts.keys().copied().collect();
        for front in fronts {
            self.listen(front);
        }
    }

    /// Waits for the listeners of a front; with those of the others, where these are not waited for.
    pub(super) fn listen(&mut self, id: FrontId) {
        let Some(front) = self.fronts.get(&id).filter(|_| self.accepts_at.is_none()) else {
            return;
        };
        let mut listeners = front.listeners.iter().enumerate();
        if listeners.any(|(place, it)| self.poller.add(token(id, place), it, READABLE).is_err()) {
            // No memory in the kernel.
            self.accept_later();
        }
    }
}

/// Returns whether an error of accept(2) says that something has run out, and not that the connection is gone.
fn is_shortage(error: i32) -> bool {
    use nix::errno::Errno;
    matches!(Errno::from_raw(error), Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM)
}
