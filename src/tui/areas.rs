//! Which part of the screen is for what.

use ratatui_core::layout::Rect;

/// Columns and rows that the ui needs.
pub(super) const LEAST: (u16, u16) = (60, 12);

/// The parts of the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Areas {
    /// The session.
    pub(super) head: Rect,
    /// The instances.
    pub(super) list: Rect,
    /// The line between the list and the output.
    pub(super) rule: Rect,
    /// What is known of what is chosen.
    pub(super) title: Rect,
    /// Its output.
    pub(super) output: Rect,
    /// Keys, messages and prompts.
    pub(super) foot: Rect,
}

impl Areas {
    /// Divides a screen of so many columns and rows. `None`: it is too small.
    pub(super) fn of((columns, rows): (u16, u16), is_full: bool) -> Option<Self> {
        if columns < LEAST.0 || rows < LEAST.1 {
            return None;
        }
        let foot = Rect::new(0, rows - 1, columns, 1);
        if is_full {
            let output = Rect::new(0, 0, columns, rows - 1);
            return Some(Self { output, foot, ..Self::default() });
        }
        let width = list_width(columns);
        let (left, right) = (width + 1, columns - width - 2);
        Some(Self {
            head: Rect::new(0, 0, columns, 1),
            list: Rect::new(0, 1, width, rows - 2),
            rule: Rect::new(width, 1, 1, rows - 2),
            title: Rect::new(left + 1, 1, right, 1),
            output: Rect::new(left + 1, 2, right, rows - 3),
            foot,
        })
    }
}

/// At 80 columns: a name of nine, its state, port, memory and CPU.
fn list_width(columns: u16) -> u16 {
    (columns / 2).clamp(30, 84)
}
