//! Who is asked: a kept connection of the least busy run, or a new one; the next run where one refuses.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, SockaddrStorage, connect, recv, socket,
};

use super::Engine;
use super::client::Stage;
use super::front::{Admission, RETRY};
use super::link::InstanceLink;
use super::wire::Wire;
use crate::proxy::FrontId;
use crate::proxy::slab::PlaceId;

/// What came of a try to connect.
enum Dialled {
    Up(TcpStream),
    /// The system says later.
    Pending(TcpStream),
    /// Nobody listens there.
    Refused,
    /// It cannot be tried now: there are no descriptors.
    Short,
}

impl Engine {
    /// Gives the client's request to a run, or lets it wait. With `is_again` a kept connection has failed it.
    pub(super) fn dispatch(&mut self, id: PlaceId, is_again: bool) {
        let now = self.now;
        loop {
            let Some(client) = self.clients.get_mut(id) else { return };
            let Some(ask) = client.ask.as_mut() else { return };
            let Some(front) = self.fronts.get_mut(&client.front) else { return };
            let Some(place) = front.choose(ask.number(), now) else {
                self.wait_for_run(id);
                return;
            };
            let key = front.runs[place].upstream.key;
            let may_reuse = !is_again && ask.request.is_some();
            let is_idempotent = ask.request.is_some_and(|request| request.is_idempotent);
            if may_reuse && let Some(link) = self.kept_link(id, key, is_idempotent) {
                self.ask_over(id, link, key);
                return;
            }
            if self.dial(id, place) {
                return;
            }
        }
    }

    /// Returns a kept connection to a run, the one that was used last. One that must not fail is looked at first.
    fn kept_link(&mut self, client: PlaceId, key: u64, is_idempotent: bool) -> Option<PlaceId> {
        let front = self.clients.get(client)?.front;
        loop {
            let (_, id) = self.fronts.get_mut(&front)?.run(key)?.idle.pop_back()?;
            let is_alive = self.links.get(id).is_some_and(|link| {
                let mut byte = [0];
                is_idempotent
                    || recv(link.wire.stream().as_raw_fd(), &mut byte, MsgFlags::MSG_PEEK)
                        == Err(Errno::EAGAIN)
            });
            if is_alive {
                return Some(id);
            }
            self.close_link(id);
        }
    }

    /// Connects to a run. Returns whether the request is with it, or waits; otherwise it has refused.
    fn dial(&mut self, id: PlaceId, place: usize) -> bool {
        let now = self.now;
        let Some(client) = self.clients.get(id) else { return true };
        let Some(began) = client.ask.as_ref().map(|ask| ask.began) else { return true };
        let front_id = client.front;
        let Some(front) = self.fronts.get_mut(&front_id) else { return true };
        let run = &mut front.runs[place];
        let (port, key) = (run.upstream.port, run.upstream.key);
        let has_refused = run.admission != Admission::Open;
        let mut dialled = dial(port, run.is_v6);
        if matches!(dialled, Dialled::Refused) {
            run.is_v6 = !run.is_v6;
            dialled = dial(port, run.is_v6);
        }
        let is_v6 = run.is_v6;
        let (stream, is_connecting) = match dialled {
            Dialled::Up(stream) => (stream, false),
            Dialled::Pending(stream) => (stream, true),
            Dialled::Refused => {
                run.admission = Admission::Refused(now + RETRY);
                return false;
            }
            Dialled::Short => {
                self.wait_for_run(id);
                return true;
            }
        };
        let link = self.links.insert_with(|link| InstanceLink {
            wire: Wire::new(stream, link.token(super::IS_LINK)),
            front: front_id,
            key,
            client: Some(id),
            is_v6,
            is_connecting,
            is_reused: false,
        });
        if is_connecting {
            if has_refused {
                run.admission = Admission::Tried(link);
            }
            let until = began + front.wait;
            self.enqueue(id, until);
        } else {
            self.admit(front_id, key);
        }
        self.ask_over(id, link, key);
        true
    }

    /// Takes note that a run takes connections, which others may wait for.
    fn admit(&mut self, front: FrontId, key: u64) {
        let now = self.now;
        let Some(front) = self.fronts.get_mut(&front) else { return };
        let admission =
            front.run(key).map(|run| std::mem::replace(&mut run.admission, Admission::Open));
        if admission.is_some_and(|before| before != Admission::Open) {
            front.look(now);
        }
    }

    /// Sends a request over a connection, or keeps it until that is made.
    fn ask_over(&mut self, id: PlaceId, link_id: PlaceId, key: u64) {
        let Some(client) = self.clients.get_mut(id) else { return };
        let Some(link) = self.links.get_mut(link_id) else { return };
        let Some(ask) = client.ask.as_mut() else { return };
        link.client = Some(id);
        client.link = Some(link_id);
        client.stage = if ask.request.is_some() { Stage::Asking } else { Stage::Passed };
        ask.upstream = Some(key);
        if ask.request.is_some()
            && let Some(run) = self.fronts.get_mut(&client.front).and_then(|front| front.run(key))
        {
            run.in_flight += 1;
            run.counters.begin();
        }
        if link.is_connecting {
            link.wire.keep(&ask.held);
            return;
        }
        link.wire.send(&ask.held);
    }

    /// Takes the outcome of a connect that was pending.
    pub(super) fn end_of_connect(&mut self, link_id: PlaceId, client: PlaceId) {
        let now = self.now;
        let Some(link) = self.links.get_mut(link_id) else { return };
        let has_failed = !matches!(link.wire.stream().take_error(), Ok(None));
        let (front, key) = (link.front, link.key);
        if !has_failed {
            link.is_connecting = false;
            link.wire.flush(&mut self.pipes);
            self.admit(front, key);
            self.advance(client);
            return;
        }
        let is_v6 = link.is_v6;
        if let Some(run) = self.fronts.get_mut(&front).and_then(|front| front.run(key)) {
            run.has_refused(is_v6, now);
        }
        self.take_back(client);
        self.dispatch(client, true);
        self.advance(client);
    }
}

/// Connects without waiting. Loopback answers at once, in most cases.
fn dial(port: u16, is_v6: bool) -> Dialled {
    let tried = if is_v6 {
        connect_to(SocketAddr::from((Ipv6Addr::LOCALHOST, port)), AddressFamily::Inet6)
    } else {
        connect_to(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), AddressFamily::Inet)
    };
    match tried {
        Ok((stream, true)) => Dialled::Up(stream),
        Ok((stream, false)) => Dialled::Pending(stream),
        Err(error) if is_shortage(error, is_v6) => Dialled::Short,
        Err(_) => Dialled::Refused,
    }
}

/// Returns whether an error of connect(2) says that something has run out here, and nothing of who is to listen. Without
/// ports there is no address to connect from; but on a machine without IPv6 there is none for ::1 at any time.
fn is_shortage(error: Errno, is_v6: bool) -> bool {
    match error {
        Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM => true,
        Errno::EADDRNOTAVAIL => !is_v6,
        _ => false,
    }
}

/// Returns the stream, and whether it is connected already.
fn connect_to(address: SocketAddr, family: AddressFamily) -> Result<(TcpStream, bool), Errno> {
    let socket = new_socket(family)?;
    let is_up = match connect(socket.as_raw_fd(), &SockaddrStorage::from(address)) {
        Ok(()) => true,
        Err(Errno::EINPROGRESS) => false,
        Err(error) => return Err(error),
    };
    let stream = TcpStream::from(socket);
    // Without it, small pieces of an answer wait for the acknowledgement of others; it works all the same.
    let _ = stream.set_nodelay(true);
    Ok((stream, is_up))
}

/// Returns a socket that never blocks, and that no child inherits.
#[cfg(all(target_os = "linux", not(pm_portable)))]
fn new_socket(family: AddressFamily) -> Result<OwnedFd, Errno> {
    socket(family, SockType::Stream, SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC, None)
}

/// Returns a socket that never blocks, and that no child inherits.
#[cfg(not(all(target_os = "linux", not(pm_portable))))]
fn new_socket(family: AddressFamily) -> Result<OwnedFd, Errno> {
    use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
    let made = socket(family, SockType::Stream, SockFlag::empty(), None)?;
    fcntl(&made, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    fcntl(&made, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_ipv6_refuses_and_one_without_descriptors_does_not() {
        for error in [Errno::EADDRNOTAVAIL, Errno::ENETUNREACH, Errno::EAFNOSUPPORT] {
            assert!(!is_shortage(error, true), "{error}");
        }
        assert!(is_shortage(Errno::EADDRNOTAVAIL, false), "all ports are taken");
        for (error, is_v6) in
            [(Errno::EMFILE, false), (Errno::EMFILE, true), (Errno::ENOBUFS, true)]
        {
            assert!(is_shortage(error, is_v6), "{error}");
        }
        assert!(!is_shortage(Errno::ECONNREFUSED, false));
    }
}
