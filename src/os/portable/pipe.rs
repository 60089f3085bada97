//! Pipes, of which these systems tell nothing, and which splice nothing.

use std::io;
use std::os::fd::AsFd;

/// What the largest pipe of these systems holds (FreeBSD and macOS: 64 KiB; OpenBSD and NetBSD: 16 KiB).
const LARGEST_PIPE: usize = 64 << 10;

/// Returns how many bytes a pipe can hold; these systems do not tell of one.
pub(crate) fn pipe_holds(_pipe: impl AsFd) -> usize {
    LARGEST_PIPE
}

/// What cannot be had here: bytes are copied instead.
#[derive(Debug)]
pub(crate) enum SplicePipe {}

impl SplicePipe {
    /// Makes none.
    ///
    /// # Errors
    /// Always.
    pub(crate) fn new() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Returns nothing: there is none.
    pub(crate) fn held(&self) -> usize {
        match *self {}
    }

    /// Does nothing: there is none.
    ///
    /// # Errors
    /// None.
    pub(crate) fn fill(&mut self, _socket: impl AsFd, _most: usize) -> io::Result<usize> {
        match *self {}
    }

    /// Does nothing: there is none.
    ///
    /// # Errors
    /// None.
    pub(crate) fn drain(&mut self, _socket: impl AsFd) -> io::Result<()> {
        match *self {}
    }
}
