//! What the user types, on its way to the session.
//!
//! The keyboard is read whatever the program does, so that the key that detaches is always seen. What the
//! session does not take at present waits here.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};

use crate::control::frame;
use crate::os::pty::WindowSize;

/// As many bytes wait at most. Beyond that the keyboard is dead, and says so with a bell.
const WAITING: usize = 16 << 20;
/// One frame of keys: what a terminal takes of a line.
const FRAME: usize = 4 << 10;

#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// A frame, of which some may be gone already.
    frame: VecDeque<u8>,
    /// They go before keys: they are no use to a later screen.
    sizes: VecDeque<WindowSize>,
    keys: VecDeque<u8>,
    lost: usize,
}

impl Outgoing {
    /// Takes what was typed. Returns false where there is no room for it.
    pub(super) fn push(&mut self, keys: &[u8]) -> bool {
        let has_room = self.keys.len() + keys.len() <= WAITING;
        if has_room {
            self.keys.extend(keys);
        } else {
            self.lost += keys.len();
        }
        has_room
    }

    /// Takes the size of the terminal.
    pub(super) fn resize(&mut self, size: WindowSize) {
        self.sizes = [size].into();
    }

    /// Has the program draw its screen again, which it does where it gets another size: it is told the right one next.
    pub(super) fn redraw(&mut self, size: WindowSize) {
        let rows = size.rows.saturating_sub(1).max(1);
        self.sizes = [WindowSize { rows, ..size }, size].into();
    }

    /// Returns whether anything waits.
    pub(super) fn is_waiting(&self) -> bool {
        !self.frame.is_empty() || !self.sizes.is_empty() || !self.keys.is_empty()
    }

    /// Returns how many of the typed bytes did not get away, more or less: a frame has a head.
    pub(super) fn unsent(&self) -> usize {
        self.frame.len() + self.keys.len() + self.lost
    }

    /// Sends what a stream that does not block takes. Returns false where the session is gone.
    pub(super) fn send(&mut self, mut stream: impl Write) -> io::Result<bool> {
        while self.fill() {
            match stream.write(self.frame.as_slices().0) {
                Ok(count) => drop(self.frame.drain(..count)),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock => return Ok(true),
                    ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => return Ok(false),
                    _ => return Err(error),
                },
            }
        }
        Ok(true)
    }

    /// Makes the next frame where the last one is sent. Returns whether there is one.
    fn fill(&mut self) -> bool {
        if self.frame.is_empty() {
            if let Some(WindowSize { rows, columns }) = self.sizes.pop_front() {
                self.frame.extend(frame::of_size(rows, columns));
            } else if !self.keys.is_empty() {
                let keys: Vec<u8> = self.keys.drain(..self.keys.len().min(FRAME)).collect();
                self.frame.extend(frame::of_keys(&keys));
            }
        }
        !self.frame.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes this number of bytes, and then no more at present.
    struct SlowWriter {
        taken: Vec<u8>,
        room: usize,
    }

    impl Write for SlowWriter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room);
            self.room -= count;
            self.taken.extend_from_slice(&bytes[..count]);
            if count == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(count) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_session_that_takes_little_at_a_time_gets_all_in_whole_frames() {
        let (mut outgoing, mut slow) =
            (Outgoing::default(), SlowWriter { taken: Vec::new(), room: 5 });
        let typed = vec![b'x'; FRAME + 1];
        assert!(outgoing.push(&typed));
        assert!(outgoing.send(&mut slow).unwrap());
        assert_eq!(outgoing.unsent(), FRAME + 4 - 5);
        // A size stands behind the frame that has begun, and before what was typed behind that.
        outgoing.resize(WindowSize { rows: 9, columns: 9 });
        outgoing.redraw(WindowSize { rows: 3, columns: 4 });
        while outgoing.is_waiting() {
            slow.room = 7;
            assert!(outgoing.send(&mut slow).unwrap());
        }
        let sizes = [frame::of_size(2, 4), frame::of_size(3, 4)].concat();
        let frames = [frame::of_keys(&typed[..FRAME]), sizes, frame::of_keys(b"x")];
        assert!(slow.taken == frames.concat());
        assert_eq!(outgoing.unsent(), 0);
    }

    #[test]
    fn what_has_no_room_is_counted() {
        let mut outgoing = Outgoing::default();
        assert!(outgoing.push(&vec![b'x'; WAITING]));
        assert!(!outgoing.push(b"abc"));
        assert_eq!(outgoing.unsent(), WAITING + 3);
    }
}
