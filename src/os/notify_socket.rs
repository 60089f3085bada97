//! The socket that a run sends its notifications to (sd_notify(3)), and the check of the sender.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::{fs, io::ErrorKind};

use nix::unistd::Pid;

use super::processes;
use super::system::credentials;

/// A socket for the notifications of one run. Its file is removed with it.
#[derive(Debug)]
pub(crate) struct NotifySocket {
    socket: UnixDatagram,
    path: PathBuf,
}

impl NotifySocket {
    /// Makes the socket. An existing file is left from a dead session, and is replaced.
    ///
    /// # Errors
    /// The folder cannot be written, or the path is longer than a socket's may be (unix(7): 107 bytes).
    pub(crate) fn bind(path: PathBuf) -> io::Result<Self> {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let socket = UnixDatagram::bind(&path)?;
        socket.set_nonblocking(true)?;
        credentials::demand(&socket)?;
        Ok(Self { socket, path })
    }

    /// Returns the next datagram of a process that descends from `leader` or is in its group; `None` if there is none.
    /// A sender that has already ended (`systemd-notify`) cannot be checked, and is trusted: only this user may enter
    /// the folder.
    pub(crate) fn receive(&self, leader: Pid) -> Option<Vec<u8>> {
        loop {
            let (datagram, sender) = credentials::receive(&self.socket).ok()?;
            let is_stranger =
                sender.is_some_and(|pid| processes::descends_from(pid, leader) == Some(false));
            if !is_stranger {
                return Some(datagram);
            }
        }
    }
}

impl AsFd for NotifySocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for NotifySocket {
    fn drop(&mut self) {
        // The next socket of that name replaces the file.
        let _ = fs::remove_file(&self.path);
    }
}

/// Sends a notice to the service manager that pm itself runs under: a path, or with `@` in front an abstract name.
///
/// # Errors
/// Nobody reads there, or it cannot be reached.
pub(crate) fn send(socket: &OsStr, notice: &[u8]) -> io::Result<()> {
    let sender = UnixDatagram::unbound()?;
    #[cfg(target_os = "linux")]
    if let Some(name) = std::os::unix::ffi::OsStrExt::as_bytes(socket).strip_prefix(b"@") {
        use std::os::linux::net::SocketAddrExt;
        let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
        return sender.send_to_addr(notice, &address).map(drop);
    }
    sender.send_to(notice, socket).map(drop)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn notices_of_the_tree_are_heard_and_those_of_strangers_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.1.notify");
        let socket = NotifySocket::bind(path.clone()).unwrap();
        let sender = UnixDatagram::unbound().unwrap();
        sender.send_to(b"READY=1", &path).unwrap();
        assert_eq!(socket.receive(Pid::this()).as_deref(), Some(&b"READY=1"[..]));
        assert_eq!(socket.receive(Pid::this()), None);

        let mut other = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let leader = Pid::from_raw(other.id().cast_signed());
        sender.send_to(b"READY=1", &path).unwrap();
        let heard = socket.receive(leader);
        assert_eq!(heard.is_none(), cfg!(all(target_os = "linux", not(pm_portable))));
        drop(other.stdin.take());
        other.wait().unwrap();
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn the_file_of_a_dead_session_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.1.notify");
        drop(UnixDatagram::bind(&path).unwrap());
        assert!(path.exists());
        NotifySocket::bind(path).unwrap();
    }
}
