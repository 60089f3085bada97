//! stdout of `pm logs`: written in batches; a reader that has enough is no failure.

use std::io::ErrorKind;

use crate::cli::json::print;
use crate::error::Error;

/// Written together.
const BATCH: usize = 64 << 10;

/// Takes what was written.
pub(super) type WriteOut = Box<dyn FnMut(&[u8]) -> Result<(), Error>>;

/// What waits to be written.
pub(super) struct Out {
    /// What is appended to.
    pub(super) bytes: Vec<u8>,
    sink: WriteOut,
    error: Option<Error>,
    is_closed: bool,
}

impl Out {
    /// Makes one that writes to stdout.
    pub(super) fn stdout() -> Self {
        Self::to(Box::new(print))
    }

    /// Makes one that writes there.
    pub(super) fn to(sink: WriteOut) -> Self {
        Self { bytes: Vec::new(), sink, error: None, is_closed: false }
    }

    /// Writes where there is enough. Returns false where nobody reads it.
    pub(super) fn pass_on(&mut self) -> bool {
        if self.bytes.len() >= BATCH {
            self.write();
        }
        !self.is_closed
    }

    /// Writes everything. Returns whether anybody reads it.
    ///
    /// # Errors
    /// It cannot be written, but for a reader that is gone: that has enough.
    pub(super) fn flush(&mut self) -> Result<bool, Error> {
        self.write();
        match self.error.take() {
            Some(error) => Err(error),
            None => Ok(!self.is_closed),
        }
    }

    fn write(&mut self) {
        if !self.is_closed && !self.bytes.is_empty() {
            match (self.sink)(&self.bytes) {
                Ok(()) => {}
                Err(Error::Output { source }) if source.kind() == ErrorKind::BrokenPipe => {
                    self.is_closed = true;
                }
                Err(error) => {
                    self.is_closed = true;
                    self.error = Some(error);
                }
            }
        }
        self.bytes.clear();
        self.bytes.shrink_to(2 * BATCH);
    }
}
