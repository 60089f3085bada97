//! Who is at the other end of a connection.

use std::io;
use std::os::unix::net::UnixStream;

/// Returns the effective user of who has connected.
///
/// # Errors
/// The system does not tell.
#[cfg(target_os = "linux")]
pub(super) fn uid(stream: &UnixStream) -> io::Result<u32> {
    use nix::sys::socket::{getsockopt, sockopt};
    Ok(getsockopt(stream, sockopt::PeerCredentials)?.uid())
}

/// Returns the effective user of who has connected.
///
/// # Errors
/// The system does not tell.
#[cfg(not(target_os = "linux"))]
pub(super) fn uid(stream: &UnixStream) -> io::Result<u32> {
    Ok(nix::unistd::getpeereid(stream)?.0.as_raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_end_of_a_pair_is_this_user() {
        let (one, _other) = UnixStream::pair().unwrap();
        assert_eq!(uid(&one).unwrap(), nix::unistd::geteuid().as_raw());
    }
}
