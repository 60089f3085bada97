//! A TCP port that pm listens on.

use std::io;
use std::net::{TcpListener, ToSocketAddrs};

use nix::sys::socket::{Backlog, listen};

/// How many connections wait to be accepted. The kernel allows fewer where net.core.somaxconn is lower.
const BACKLOG: i32 = 4096;

/// Listens on an address, with SO_REUSEADDR, so that a port can be had again at once; close-on-exec.
///
/// # Errors
/// The host has no address, or its port cannot be had.
pub(crate) fn on(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
    // std listens with a shorter queue; a second listen(2) only changes that.
    let listener = TcpListener::bind(address)?;
    listen(&listener, Backlog::new(BACKLOG)?)?;
    Ok(listener)
}
