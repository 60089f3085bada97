//! The pump, as the other threads see it.

use crossbeam_channel::Sender;

use crate::os::poller::Waker;
use crate::output::message::PumpCommand;
use crate::output::writer::WriteProgress;

/// How the other threads reach the pump.
#[derive(Clone, Debug)]
pub struct PumpHandle {
    pub(super) sender: Sender<PumpCommand>,
    pub(super) waker: Waker,
    pub(super) progress: WriteProgress,
}

impl PumpHandle {
    /// Hands a message over for the next [`Self::wake`]; never blocks. A pump that is gone has nobody
    /// to tell.
    pub fn post(&self, message: PumpCommand) {
        // It only fails when the pump is gone.
        let _ = self.sender.send(message);
    }

    /// Lets the pump see what was posted. One wake-up for many messages: each costs a context switch.
    pub fn wake(&self) {
        self.waker.wake();
    }

    /// Returns how many bytes the reader of stdout has taken.
    pub fn progress(&self) -> u64 {
        self.progress.bytes()
    }
}
