//! The sender of a datagram is not known here.

use std::io;
use std::os::unix::net::UnixDatagram;

use nix::unistd::Pid;

/// Largest datagram that is read. sd_notify(3) sends smaller ones.
const LONGEST: usize = 4096;

/// Does nothing.
pub(crate) fn demand(_socket: &UnixDatagram) -> io::Result<()> {
    Ok(())
}

/// Returns the next datagram; its sender is not known.
pub(crate) fn receive(socket: &UnixDatagram) -> io::Result<(Vec<u8>, Option<Pid>)> {
    let mut buffer = vec![0; LONGEST];
    let length = socket.recv(&mut buffer)?;
    buffer.truncate(length);
    Ok((buffer, None))
}
