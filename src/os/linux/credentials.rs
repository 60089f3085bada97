//! The sender of a datagram over a Unix socket, from the kernel (unix(7), SCM_CREDENTIALS).

use std::io::{self, IoSliceMut};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, UnixCredentials, recvmsg, setsockopt, sockopt,
};
use nix::unistd::Pid;

/// Largest datagram that is read. sd_notify(3) sends smaller ones.
const LONGEST: usize = 4096;

/// Makes the kernel add the sender to each datagram from now on.
pub(crate) fn demand(socket: &UnixDatagram) -> io::Result<()> {
    Ok(setsockopt(socket, sockopt::PassCred, &true)?)
}

/// Returns the next datagram and its sender; `None` if the sender is in another PID namespace. Descriptors sent with it
/// are closed.
pub(crate) fn receive(socket: &UnixDatagram) -> io::Result<(Vec<u8>, Option<Pid>)> {
    let mut buffer = vec![0; LONGEST];
    let mut space = nix::cmsg_space!(UnixCredentials);
    let (length, sender) = {
        let mut slices = [IoSliceMut::new(&mut buffer)];
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
        let message = recvmsg::<()>(socket.as_raw_fd(), &mut slices, Some(&mut space), flags)?;
        let sender = message.cmsgs().ok().and_then(|mut all| {
            all.find_map(|one| match one {
                ControlMessageOwned::ScmCredentials(credentials) => Some(credentials.pid()),
                _ => None,
            })
        });
        (message.bytes, sender)
    };
    buffer.truncate(length);
    Ok((buffer, sender.filter(|pid| *pid > 0).map(Pid::from_raw)))
}
