//! The output of the command of a probe, whose last line is shown.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::app::text::printable;

/// How much of the end of the output is kept, in bytes.
const KEPT: usize = 1 << 10;
/// How much of the last line is shown, in characters.
const LONGEST: usize = 200;

/// Reads as it comes, so that the command never waits for a reader.
#[derive(Debug, Default)]
pub(super) struct CommandOutput {
    /// `None` at its end.
    pipe: Option<File>,
    end: Vec<u8>,
}

impl CommandOutput {
    /// Begins to read the pipe, unless it cannot be made non-blocking.
    pub(super) fn new(pipe: OwnedFd) -> Self {
        let is_ready = fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).is_ok();
        Self { pipe: is_ready.then(|| File::from(pipe)), end: Vec::new() }
    }

    /// Returns what to wait for, until its end.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Reads what is there.
    pub(super) fn read(&mut self) {
        let mut buffer = [0; 4096];
        while let Some(pipe) = &mut self.pipe {
            match pipe.read(&mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(count) => {
                    self.end.extend_from_slice(&buffer[..count]);
                    let excess = self.end.len().saturating_sub(KEPT);
                    self.end.drain(..excess);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => self.pipe = None,
            }
        }
    }

    /// Returns the last line that is not empty, for a person.
    pub(super) fn last_line(&mut self) -> Option<String> {
        self.read();
        let text = String::from_utf8_lossy(&self.end);
        let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
        let short: String = line.chars().take(LONGEST).collect();
        Some(printable(&short))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_last_line_is_told_and_the_writer_never_waits() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut output = CommandOutput::new(reader.into());
        assert_eq!(output.last_line(), None);
        for _ in 0..100 {
            writer.write_all(&[b'x'; 4096]).unwrap();
            output.read();
        }
        writer.write_all(b"\nno such host\x1b[0m\n\n").unwrap();
        assert_eq!(output.last_line().as_deref(), Some(r"no such host\u{1b}[0m"));
        assert!(output.fd().is_some());
        drop(writer);
        output.read();
        assert!(output.fd().is_none(), "its end is not waited for again and again");
    }
}
