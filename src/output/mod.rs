//! The data plane: bytes in, lines out. It knows instances by id and name, and no lifecycle.
//!
//! One thread ([`pump`]) owns every pipe and stdout, so that no channel, copy or lock stands between
//! what a child writes and the terminal, and lines cannot mix.

mod batch;
mod crlf;
mod escape;
mod filter;
pub mod history;
pub mod json;
mod lines;
mod message;
mod modes;
pub mod pump;
mod queries;
mod ready;
pub mod render;
mod screen;
pub mod splitter;
mod style;
pub mod subscription;
pub mod writer;

pub use batch::Sink;
pub use filter::Piece;
pub use lines::Lines;
pub use message::{FromPump, Say, Speaker, ToPump, Tone};
pub use modes::{CALM, Modes};
pub use pump::{Pump, PumpHandle};
pub use render::{Form, Look};
pub use screen::Voice;
pub use subscription::{Follower, Part, Watcher};
