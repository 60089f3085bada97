//! How the ui may look: colours and signs beyond ASCII, or without them.

use ratatui_core::buffer::Buffer;
use ratatui_core::style::{Color, Modifier, Style};

use crate::control::proto::InstanceState;

/// What the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UiLook {
    /// The locale has Unicode.
    pub unicode: bool,
    /// Colours are wanted.
    pub color: bool,
}

impl UiLook {
    /// Takes out of a picture what the terminal cannot show.
    pub(super) fn restrict(self, buffer: &mut Buffer) {
        for cell in &mut buffer.content {
            if !self.unicode && !cell.symbol().is_ascii() {
                cell.set_char('?');
            }
            if !self.color {
                (cell.fg, cell.bg) = (Color::Reset, Color::Reset);
            }
        }
    }

    /// Returns one of two texts: with signs beyond ASCII, or without.
    pub(super) fn pick<'a>(self, unicode: &'a str, ascii: &'a str) -> &'a str {
        if self.unicode { unicode } else { ascii }
    }

    /// Returns a sign for a state, its word, and its colour. Shape and word tell states apart without the colour.
    pub(super) fn state(self, state: InstanceState) -> (&'static str, &'static str, Style) {
        use InstanceState::{
            BackingOff, Blocked, Done, Failed, Ready, Starting, Stopped, Stopping, Up, Waiting,
        };
        let (unicode, ascii, word, colour) = match state {
            Ready => ("●", "*", "ready", Some(Color::Green)),
            Up => ("●", "*", "up", Some(Color::Green)),
            Starting => ("◐", "~", "starting", Some(Color::Yellow)),
            Waiting => ("◌", ".", "waiting", Some(Color::Yellow)),
            Stopping => ("◑", "~", "stopping", Some(Color::Yellow)),
            BackingOff => ("↻", "!", "backoff", Some(Color::Yellow)),
            Blocked => ("✖", "x", "BLOCKED", Some(Color::Red)),
            Failed => ("✖", "x", "FAILED", Some(Color::Red)),
            Stopped => ("○", "-", "stopped", None),
            Done => ("✓", "+", "done", None),
        };
        let style = match colour {
            Some(colour) => Style::default().fg(colour),
            None => DIM,
        };
        let style = if word == "FAILED" { style.add_modifier(Modifier::BOLD) } else { style };
        (if self.unicode { unicode } else { ascii }, word, style)
    }
}

/// What matters less.
pub(super) const DIM: Style = Style::new().add_modifier(Modifier::DIM);
/// What matters more.
pub(super) const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
/// What is chosen.
pub(super) const REVERSED: Style = Style::new().add_modifier(Modifier::REVERSED);

/// Returns the colour of the name of a process type, by its place in the Procfile.
pub(super) fn type_style(at: usize) -> Style {
    const COLOURS: [Color; 5] =
        [Color::Cyan, Color::Yellow, Color::Green, Color::Magenta, Color::Blue];
    Style::default().fg(COLOURS[at % COLOURS.len()])
}
