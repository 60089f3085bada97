//! What must hold of every input that comes from a person, a file, a child or a socket, whatever its bytes.
//!
//! One function a target. It takes raw bytes and panics where something that must hold does not. The tests
//! beside this module and the fuzz targets in `fuzz/` call the same functions; they know nothing of either.

use std::path::Path;

pub mod command;
pub mod control_protocol;
pub mod dot_foreman;
pub mod env_file;
pub mod formation;
pub mod http_message;
pub mod line_splitter;
pub mod pm_toml;
pub mod procfile;
pub mod quoting;
mod text;

/// A name of `fuzz/fuzz_targets` and `fuzz/corpus`, and what must hold.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 10] = [
    ("command", command::holds),
    ("control_protocol", control_protocol::holds),
    ("dot_foreman", dot_foreman::holds),
    ("env_file", env_file::holds),
    ("formation", formation::holds),
    ("http_message", http_message::holds),
    ("line_splitter", line_splitter::holds),
    ("pm_toml", pm_toml::holds),
    ("procfile", procfile::holds),
    ("quoting", quoting::holds),
];

/// The name that messages about an input have.
fn path() -> &'static Path {
    Path::new("INPUT")
}
