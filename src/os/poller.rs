//! Waits until one of many descriptors is ready, or another thread wakes it: with epoll(7) on Linux, elsewhere with
//! poll(2), which gets all descriptors at each wait.

pub(crate) use super::system::poller::{Poller, Waker};

/// What of a descriptor is waited for. Errors and the end of both directions are always told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interest {
    pub(crate) read: bool,
    pub(crate) write: bool,
}

/// Waits for something to read, or the end.
pub(crate) const READABLE: Interest = Interest { read: true, write: false };

/// What a descriptor is ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FdReady {
    /// The token that it was added with.
    pub(crate) token: u64,
    pub(crate) read: bool,
    pub(crate) write: bool,
    /// Both directions are over, or it is broken; of a pipe, the other end is closed.
    pub(crate) is_over: bool,
}

/// The token of the wake-ups of other threads.
pub(crate) const WOKEN: u64 = u64::MAX;

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_tells_of_wakeups_of_bytes_and_of_the_end_and_of_nothing_else() {
        let (mut poller, waker) = Poller::new(4).unwrap();
        let (reader, mut writer) = std::io::pipe().unwrap();
        poller.add(7, &reader, READABLE).unwrap();
        let wait = |poller: &mut Poller| {
            let mut told = Vec::new();
            let all = std::iter::once((7, reader.as_fd(), READABLE));
            poller.wait(Some(Duration::ZERO), all, &mut told).unwrap();
            told
        };
        assert_eq!(wait(&mut poller), []);
        waker.wake();
        waker.wake();
        assert_eq!(wait(&mut poller).iter().map(|ready| ready.token).collect::<Vec<_>>(), [WOKEN]);
        poller.take_wakeups();
        assert_eq!(wait(&mut poller), []);
        writer.write_all(b"a").unwrap();
        let ready = FdReady { token: 7, read: true, write: false, is_over: false };
        assert_eq!(wait(&mut poller), [ready]);
        drop(writer);
        // What another test starts has a copy of that end until its program begins.
        let mut told = wait(&mut poller);
        while told == [ready] {
            std::thread::yield_now();
            told = wait(&mut poller);
        }
        assert_eq!(told, [FdReady { is_over: true, ..ready }]);
    }
}
