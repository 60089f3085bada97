//! The data plane: bytes in, lines out. It knows instances by id and name, and no lifecycle.
//!
//! One thread ([`pump`]) owns every pipe and stdout, so that no channel, copy or lock stands between
//! what a child writes and the terminal, and lines cannot mix.

mod escape;
mod filter;
mod fold;
pub mod follow;
mod glance;
pub mod json;
pub mod line;
mod lines;
mod message;
mod modes;
pub mod pump;
mod ready;
pub mod render;
pub mod ring;
mod screen;
mod style;
pub mod writer;

pub use filter::Piece;
pub use follow::{Follower, Part, Watcher};
pub use lines::Lines;
pub use message::{FromPump, Say, Speaker, ToPump, Tone};
pub use modes::{CALM, Modes};
pub use pump::{Pump, PumpHandle};
pub use render::{Form, Look};
pub use screen::Voice;
