//! The clients that are attached to the terminal of a run, which decide its size.

use crate::control::server::ClientId;
use crate::os::pty::WindowSize;

/// The attached clients of one terminal, with the size that each can show.
#[derive(Debug, Default)]
pub(super) struct Viewers(Vec<(ClientId, WindowSize)>);

impl Viewers {
    /// Adds a client, or sets its new size.
    pub(super) fn enter(&mut self, client: ClientId, size: WindowSize) {
        self.leave(client);
        self.0.push((client, size));
    }

    /// Returns whether the client was one of them.
    pub(super) fn leave(&mut self, client: ClientId) -> bool {
        let before = self.0.len();
        self.0.retain(|(id, _)| *id != client);
        self.0.len() < before
    }

    /// Returns the largest size that all of them can show, as in tmux(1) with `window-size smallest`. `None` if no
    /// client is attached.
    pub(super) fn size(&self) -> Option<WindowSize> {
        self.0.iter().map(|(_, size)| *size).reduce(|one, other| WindowSize {
            rows: one.rows.min(other.rows),
            columns: one.columns.min(other.columns),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_as_large_as_all_who_look_at_it_can_show() {
        let size = |rows, columns| WindowSize { rows, columns };
        let (one, two, stranger) = (ClientId(1), ClientId(2), ClientId(3));
        let mut viewers = Viewers::default();
        assert_eq!(viewers.size(), None);
        viewers.enter(one, size(50, 100));
        viewers.enter(two, size(40, 200));
        assert_eq!(viewers.size(), Some(size(40, 100)));
        viewers.enter(one, size(30, 300));
        assert_eq!(viewers.size(), Some(size(30, 200)));
        assert!(!viewers.leave(stranger));
        assert_eq!(viewers.size(), Some(size(30, 200)));
        assert!(viewers.leave(one));
        assert_eq!(viewers.size(), Some(size(40, 200)));
        assert!(viewers.leave(two));
        assert_eq!(viewers.size(), None);
    }
}
