//! Who has sent a datagram over a Unix socket, as the kernel says it (unix(7), SCM_CREDENTIALS).

use std::io::{self, IoSliceMut};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, UnixCredentials, recvmsg, setsockopt, sockopt,
};
use nix::unistd::Pid;

/// More than sd_notify(3) ever sends.
const LONGEST: usize = 4096;

/// Has the kernel name the sender of each datagram from now on.
pub(crate) fn demand(socket: &UnixDatagram) -> io::Result<()> {
    Ok(setsockopt(socket, sockopt::PassCred, &true)?)
}

/// Returns the next datagram and its sender, `None` where that is in another pid namespace. Descriptors that come with
/// it are closed.
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
