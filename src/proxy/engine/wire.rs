//! One connection: its unread input, its pending output, and the readiness that it waits for.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use super::pipes::BodyPipes;
use crate::os::pipe::SplicePipe;
use crate::os::poller::{Interest, Poller};

/// A buffer that is larger gives its memory back as soon as it is empty: 2,000 connections would keep it else.
const SMALL: usize = 4 << 10;
/// Reads of less are cheaper copied than passed through a pipe.
pub(super) const BULK: usize = 32 << 10;

/// What a read has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Got {
    /// So many bytes.
    Bytes(usize),
    /// Nothing yet.
    Nothing,
    /// The other side writes no more.
    End,
    /// The connection is broken.
    Broken,
}

/// A connection with a client or an instance.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    token: u64,
    /// What the poller waits for; `None` if it does not know the socket.
    armed: Option<Interest>,
    /// It is readable, and nobody wanted to read.
    is_noisy: bool,
    /// It is over, and nobody wanted to know.
    is_muted: bool,
    /// Bytes that have come and were not used.
    pub(super) input: Vec<u8>,
    /// Bytes that are to go, from `sent` on.
    out: Vec<u8>,
    sent: usize,
    /// What is to go before `out`: large bodies pass through a pipe, and have not been taken.
    pipe: Option<SplicePipe>,
    /// The last read brought so much that the next one is worth a pipe.
    pub(super) is_bulky: bool,
    /// The other side writes no more.
    pub(super) is_at_end: bool,
    /// Reading has failed: what has come is not all that was sent.
    pub(super) is_broken: bool,
    /// Nothing can be written any more; what was to go is lost.
    pub(super) is_deaf: bool,
    has_shut: bool,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, token: u64) -> Self {
        Self {
            stream,
            token,
            armed: None,
            is_noisy: false,
            is_muted: false,
            input: Vec::new(),
            out: Vec::new(),
            sent: 0,
            pipe: None,
            is_bulky: false,
            is_at_end: false,
            is_broken: false,
            is_deaf: false,
            has_shut: false,
        }
    }

    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Reads once.
    pub(super) fn read(&mut self, scratch: &mut [u8]) -> Got {
        loop {
            return match self.stream.read(scratch) {
                Ok(0) => {
                    self.is_at_end = true;
                    Got::End
                }
                Ok(count) => {
                    self.is_bulky = count >= BULK;
                    Got::Bytes(count)
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => Got::Nothing,
                Err(_) => {
                    self.is_at_end = true;
                    self.is_broken = true;
                    Got::Broken
                }
            };
        }
    }

    /// Reads `most` bytes at most from another connection and writes them to this one, which must be flushed, without a
    /// copy. Returns `None`, and has done nothing, where that cannot be.
    pub(super) fn relay(
        &mut self,
        from: &mut Self,
        most: usize,
        pipes: &mut BodyPipes,
    ) -> Option<Got> {
        let mut pipe = pipes.take()?;
        let got = match pipe.fill(&from.stream, most) {
            Ok(0) => {
                from.is_at_end = true;
                Some(Got::End)
            }
            Ok(count) => {
                from.is_bulky = count >= BULK;
                Some(Got::Bytes(count))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Some(Got::Nothing),
            Err(error) if is_no_splice(&error) => None,
            // It is told once: a read would take this for the end (tcp(7), SO_ERROR).
            Err(_) => {
                from.is_at_end = true;
                from.is_broken = true;
                Some(Got::Broken)
            }
        };
        self.pipe = Some(pipe);
        self.flush(pipes);
        got
    }

    /// Writes what goes at once, and keeps the rest.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        if self.is_deaf {
            return;
        }
        let written = if self.is_flushed() { self.write(bytes) } else { 0 };
        if !self.is_deaf && written < bytes.len() {
            self.out.extend_from_slice(&bytes[written..]);
        }
    }

    /// Keeps bytes to be written by the next flush.
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Writes what was kept, as far as it goes.
    pub(super) fn flush(&mut self, pipes: &mut BodyPipes) {
        if let Some(pipe) = &mut self.pipe {
            self.is_deaf |= pipe.drain(&self.stream).is_err();
            if pipe.held() > 0 && !self.is_deaf {
                return;
            }
            self.give_back(pipes);
        }
        if self.is_flushed() {
            return;
        }
        let out = std::mem::take(&mut self.out);
        self.sent += self.write(&out[self.sent..]);
        self.out = out;
        if self.is_deaf || self.sent == self.out.len() {
            self.sent = 0;
            self.out.clear();
        }
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        let mut written = 0;
        while written < bytes.len() {
            match self.stream.write(&bytes[written..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.is_deaf = true;
                    break;
                }
            }
        }
        written
    }

    /// Gives back the pipe, if there is one, with all that is in it.
    pub(super) fn give_back(&mut self, pipes: &mut BodyPipes) {
        if let Some(pipe) = self.pipe.take() {
            pipes.give_back(pipe);
        }
    }

    /// Returns whether nothing is left to go.
    pub(super) fn is_flushed(&self) -> bool {
        self.out.is_empty() && self.pipe.is_none()
    }

    /// Returns what the poller waits for.
    pub(super) fn awaited(&self) -> Option<(u64, BorrowedFd<'_>, Interest)> {
        self.armed.map(|interest| (self.token, self.stream.as_fd(), interest))
    }

    /// Tells the other side that nothing more comes. What was kept must be flushed.
    pub(super) fn shut(&mut self) {
        if !std::mem::replace(&mut self.has_shut, true) {
            // An error means that the connection is over anyway.
            let _ = self.stream.shutdown(Shutdown::Write);
        }
    }

    /// Returns whether [`Self::shut`] was called.
    pub(super) fn has_shut(&self) -> bool {
        self.has_shut
    }

    /// Notes that it is readable, or over, and that nobody wants that now.
    pub(super) fn ignore(&mut self, is_over: bool) {
        self.is_noisy = true;
        self.is_muted |= is_over;
    }

    /// Waits until a connect that is pending has an outcome.
    pub(super) fn arm_connect(&mut self, poller: &Poller) -> std::io::Result<()> {
        if self.armed.is_none() {
            let interest = Interest { read: false, write: true };
            poller.add(self.token, &self.stream, interest)?;
            self.armed = Some(interest);
        }
        Ok(())
    }

    /// Waits for what is wanted, and for what is to go. What is waited for without need stays so until it is told once:
    /// most requests change nothing here, and cost no system call.
    pub(super) fn arm(&mut self, poller: &Poller, wants_read: bool) -> std::io::Result<()> {
        let write = !self.is_flushed();
        let read = wants_read && !self.is_at_end;
        let is_noisy = std::mem::take(&mut self.is_noisy);
        let is_muted = std::mem::take(&mut self.is_muted);
        let Some(armed) = self.armed else {
            if read || write {
                let interest = Interest { read, write };
                poller.add(self.token, &self.stream, interest)?;
                self.armed = Some(interest);
            }
            return Ok(());
        };
        if is_muted && !read && !write {
            poller.remove(&self.stream);
            self.armed = None;
            return Ok(());
        }
        let keeps_reading = armed.read && !is_noisy && !self.is_at_end;
        let interest = Interest { read: read || keeps_reading, write };
        if interest != armed {
            poller.change(self.token, &self.stream, interest)?;
            self.armed = Some(interest);
        }
        Ok(())
    }

    /// Gives back memory that an empty buffer holds.
    pub(super) fn shrink(&mut self) {
        for buffer in [&mut self.input, &mut self.out] {
            if buffer.is_empty() && buffer.capacity() > SMALL {
                *buffer = Vec::new();
            }
        }
    }
}

/// Returns whether an error of splice(2) says that it cannot be done here, and nothing of the connection.
fn is_no_splice(error: &std::io::Error) -> bool {
    use ErrorKind::{Interrupted, InvalidInput, OutOfMemory, PermissionDenied, Unsupported};
    matches!(
        error.kind(),
        Interrupted | InvalidInput | OutOfMemory | PermissionDenied | Unsupported
    )
}
