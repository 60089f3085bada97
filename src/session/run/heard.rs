//! What a session does on a signal, and when the process or the root that it depends on is gone.

use super::SessionLoop;
use crate::os::lifetime::LifetimeEvent;
use crate::os::signals::SignalEvent;
use crate::supervisor::Event;

impl SessionLoop {
    /// Takes a signal. Returns what the supervisor is to know.
    pub(super) fn heard(&mut self, event: SignalEvent) -> Option<Event> {
        match event {
            SignalEvent::Signal(signal) => Some(Event::Signalled(signal)),
            SignalEvent::Resized => {
                self.resize();
                self.resize_attached();
                self.screen.redraw();
                None
            }
            SignalEvent::Continued => {
                self.screen.enter();
                None
            }
            SignalEvent::Child => {
                self.children.hear();
                None
            }
            SignalEvent::Lifetime(event) => Some(match event {
                LifetimeEvent::ProcessEnded => Event::OwnerEnded { pid: self.owner },
                LifetimeEvent::RootRemoved => Event::RootRemoved,
                LifetimeEvent::RootRestored => {
                    self.watching.look_again();
                    Event::RootRestored
                }
            }),
        }
    }
}
