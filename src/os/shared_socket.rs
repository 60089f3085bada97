//! A socket that listens before any instance runs, and that each of them gets as descriptor 3, as a service manager
//! passes one (sd_listen_fds(3)). pm never accepts a connection of it: the kernel keeps those until an instance does.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::libc;
use nix::sys::stat::fstat;
use rustix::io::fcntl_dupfd_cloexec;

use super::listen;

/// The descriptor that a program gets it as (SD_LISTEN_FDS_START of sd_listen_fds(3)).
pub(crate) const NUMBER: c_int = 3;

/// A listening socket for the instances of a process type.
#[derive(Debug)]
pub(crate) struct SharedSocket {
    listener: OwnedFd,
    inode: u64,
}

impl SharedSocket {
    /// Listens on a port of a host, with SO_REUSEADDR.
    ///
    /// # Errors
    /// The host has no address, or its port cannot be had.
    pub(crate) fn listen(host: &str, port: u16) -> io::Result<Self> {
        let listener = fcntl_dupfd_cloexec(listen::on((host, port))?, NUMBER + 1)?;
        let inode = fstat(&listener)?.st_ino;
        Ok(Self { listener, inode })
    }

    /// Returns the number that all copies of it have in common, whoever holds them.
    pub(crate) fn inode(&self) -> u64 {
        self.inode
    }

    /// Makes a command start with it as descriptor [`NUMBER`]; so it is forked, and not started by posix_spawn(3).
    /// Must be called after everything else that happens in the child, except a terminal's session.
    /// The socket must be open until the command is started, and a [`Placeholder`] must be there.
    pub(super) fn hand_down(&self, command: &mut Command) {
        let own = self.listener.as_raw_fd();
        // SAFETY: between fork and exec only dup2 is called, which is async-signal-safe. What the child has as that
        // number is not used again in it: it is the placeholder, or what pm's caller left open.
        #[expect(unsafe_code, reason = "std has no way to pass a descriptor by its number")]
        unsafe {
            command.pre_exec(move || match libc::dup2(own, NUMBER) {
                -1 => Err(io::Error::last_os_error()),
                _ => Ok(()),
            });
        }
    }
}

/// Keeps descriptor [`NUMBER`] of pm itself taken, so that nothing that a child needs between fork and exec has that
/// number: std's pipe for the error of exec, pm's pipes for a terminal's session.
#[derive(Debug, Default)]
pub(crate) struct Placeholder(Option<OwnedFd>);

impl Placeholder {
    /// Takes the number, unless somebody has it: pm for longer than a start, or its caller.
    pub(crate) fn hold(&mut self) -> io::Result<()> {
        if self.0.is_none() {
            // The first free number from that on.
            let copy = fcntl_dupfd_cloexec(io::stdin(), NUMBER)?;
            self.0 = Some(copy).filter(|copy| copy.as_raw_fd() == NUMBER);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::process::Stdio;

    use nix::sys::socket::{SockaddrIn, getsockname, getsockopt, sockopt};

    use super::*;

    #[test]
    fn a_program_gets_it_as_descriptor_3_and_a_connection_waits_for_it() {
        let mut placeholder = Placeholder::default();
        placeholder.hold().unwrap();
        let socket = SharedSocket::listen("127.0.0.1", 0).unwrap();
        let address: SockaddrIn = getsockname(socket.listener.as_raw_fd()).unwrap();
        assert!(getsockopt(&socket.listener, sockopt::ReuseAddr).unwrap());
        assert!(getsockopt(&socket.listener, sockopt::AcceptConn).unwrap());
        let _client = TcpStream::connect(("127.0.0.1", address.port())).unwrap();
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", "read line; ls -i -L /proc/self/fd/3 2>/dev/null || ls -L -i /dev/fd/3"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        socket.hand_down(&mut command);
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"\n").unwrap();
        let mut text = String::new();
        child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        child.wait().unwrap();
        assert!(text.contains(&socket.inode().to_string()), "{text}");
    }

    #[test]
    fn a_port_that_somebody_has_is_an_error() {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = SharedSocket::listen("127.0.0.1", other.local_addr().unwrap().port());
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error_with_it_too() {
        let mut placeholder = Placeholder::default();
        placeholder.hold().unwrap();
        let socket = SharedSocket::listen("127.0.0.1", 0).unwrap();
        let mut command = Command::new("/nowhere/program");
        socket.hand_down(&mut command);
        assert_eq!(command.spawn().unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
