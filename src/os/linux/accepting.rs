//! Whether a program takes connections of a listening socket that it was given: to have it is not enough, since the shell
//! before it has it, too, and the program while it boots. One that serves waits for the socket, or has a connection that it
//! has taken: clients may have come before it, so that it never waits. What each thread waits for is in /proc
//! (proc_pid_syscall(5)), and what an epoll instance is asked for in its fdinfo (proc_pid_fdinfo(5)). One that asks the
//! socket now and then and sleeps in between is known by its connections alone.

use std::ffi::c_long;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use nix::libc;
use nix::unistd::Pid;

use super::listeners::{InstancePorts, descriptors_of};
use super::processes;

/// A longer list of descriptors is read in part.
const LONGEST: usize = 4096;
/// The size of pollfd, which begins with the descriptor.
const POLLFD: usize = 8;

#[cfg(target_arch = "x86_64")]
const POLL: [c_long; 2] = [libc::SYS_poll, libc::SYS_ppoll];
#[cfg(target_arch = "x86_64")]
const SELECT: [c_long; 2] = [libc::SYS_select, libc::SYS_pselect6];
#[cfg(not(target_arch = "x86_64"))]
const POLL: [c_long; 1] = [libc::SYS_ppoll];
#[cfg(not(target_arch = "x86_64"))]
const SELECT: [c_long; 1] = [libc::SYS_pselect6];
const ACCEPT: [c_long; 2] = [libc::SYS_accept, libc::SYS_accept4];

/// What a thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ThreadWait {
    /// A connection of this descriptor.
    Accept(u64),
    /// One of this many entries at an address (poll(2)).
    Poll { address: u64, count: u64 },
    /// A descriptor below `limit` whose bit is set at an address (select(2)).
    Select { limit: u64, address: u64 },
    /// Results of a ring, in which a connection may be asked for (io_uring_enter(2)).
    Ring,
}

impl InstancePorts {
    /// Returns whether a process of this leader waits for connections of a socket, or has one. `None`: nothing of any that
    /// has the socket can be seen.
    pub(crate) fn accepts(&self, leader: Pid, inode: u64) -> Option<bool> {
        let has_one = || self.port_of(inode).is_some_and(|port| self.has_connection(leader, port));
        self.waits(leader, inode).map(|waits| waits || has_one())
    }

    fn waits(&self, leader: Pid, inode: u64) -> Option<bool> {
        let mut is_seen = false;
        for pid in self.processes_of(leader) {
            let held = descriptors_of(pid, inode);
            if held.is_empty() {
                continue;
            }
            if asks_epoll(pid, &held) {
                return Some(true);
            }
            match waits_for(pid, &held) {
                Some(true) => return Some(true),
                Some(false) => is_seen = true,
                // It may not be looked at. A shell before the program has the name of a shell.
                None if processes::own_name(pid.as_raw().cast_unsigned()) != "sh" => return None,
                None => {}
            }
        }
        Some(false).filter(|_| is_seen || self.holds(leader, inode).is_some())
    }
}

/// Returns whether an epoll instance of a process is asked for one of these descriptors.
fn asks_epoll(pid: Pid, held: &[u64]) -> bool {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    let is_epoll = |file: &fs::DirEntry| {
        fs::read_link(file.path()).is_ok_and(|link| link.as_os_str() == "anon_inode:[eventpoll]")
    };
    let mut all = files.flatten().filter(is_epoll);
    all.any(|file| {
        let path = format!("/proc/{pid}/fdinfo/{}", file.file_name().to_string_lossy());
        fs::read_to_string(path).is_ok_and(|info| targets(&info).any(|fd| held.contains(&fd)))
    })
}

/// Returns the descriptors of `tfd:        3 events: ...`.
fn targets(info: &str) -> impl Iterator<Item = u64> {
    let lines = info.lines().filter_map(|line| line.strip_prefix("tfd:"));
    lines.filter_map(|line| line.split_ascii_whitespace().next()?.parse().ok())
}

/// Returns whether a thread of a process waits for one of these descriptors. `None`: that may not be seen.
fn waits_for(pid: Pid, held: &[u64]) -> Option<bool> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let paths = threads.flatten().map(|thread| thread.path().join("syscall"));
    let calls: Vec<_> = paths.filter_map(|path| fs::read_to_string(path).ok()).collect();
    if calls.is_empty() {
        return None;
    }
    let mut waits = calls.iter().filter_map(|call| wait_of(call));
    Some(waits.any(|wait| match wait {
        ThreadWait::Accept(fd) => held.contains(&fd),
        ThreadWait::Poll { address, count } => {
            let size = usize::try_from(count).unwrap_or(LONGEST).min(LONGEST) * POLLFD;
            polled(&memory(pid, address, size)).any(|fd| held.contains(&fd))
        }
        ThreadWait::Select { limit, address } => {
            let size = usize::try_from(limit.div_ceil(64) * 8).unwrap_or(LONGEST).min(LONGEST);
            let bits = memory(pid, address, size);
            held.iter().any(|fd| *fd < limit && is_selected(&bits, *fd))
        }
        ThreadWait::Ring => true,
    }))
}

/// Returns what a thread waits for, of `NUMBER ARGUMENT ARGUMENT ...`; `None` if it runs, or waits for something else.
fn wait_of(call: &str) -> Option<ThreadWait> {
    let mut words = call.split_ascii_whitespace();
    let number: c_long = words.next()?.parse().ok()?;
    let mut argument = || u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok();
    let (first, second) = (argument()?, argument()?);
    match number {
        _ if ACCEPT.contains(&number) => Some(ThreadWait::Accept(first)),
        _ if POLL.contains(&number) => Some(ThreadWait::Poll { address: first, count: second }),
        _ if SELECT.contains(&number) => Some(ThreadWait::Select { limit: first, address: second }),
        libc::SYS_io_uring_enter => Some(ThreadWait::Ring),
        _ => None,
    }
}

/// Reads a part of the memory of a process; empty if that may not be read.
fn memory(pid: Pid, address: u64, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    let read =
        File::open(format!("/proc/{pid}/mem")).and_then(|file| file.read_at(&mut bytes, address));
    bytes.truncate(read.unwrap_or(0));
    bytes
}

/// Returns the descriptors of an array of pollfd.
fn polled(array: &[u8]) -> impl Iterator<Item = u64> {
    let numbers = array.chunks_exact(POLLFD).filter_map(|entry| entry.first_chunk());
    // A negative one is skipped by the kernel, too.
    numbers.filter_map(|number| u64::try_from(i32::from_ne_bytes(*number)).ok())
}

/// Returns whether a bit of an fd_set is set: an array of `long` in the machine's order.
fn is_selected(bits: &[u8], fd: u64) -> bool {
    let Ok(at) = usize::try_from(fd / 64 * 8) else { return false };
    let word = bits.get(at..).and_then(|rest| rest.first_chunk());
    word.is_some_and(|word| u64::from_ne_bytes(*word) >> (fd % 64) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpStream;
    use std::process::{Child, Command, Stdio};
    use std::time::Duration;

    use super::*;
    use crate::os::clock;
    use crate::os::shared_socket::{Placeholder, SharedSocket};
    use crate::skipped::{has, has_program};

    #[test]
    fn a_thread_is_known_by_its_system_call() {
        let table = [
            (
                format!("{} 0x3 0x0 0x0 0x0 0x0 0x0 0x7ffd 0x7f\n", libc::SYS_accept4),
                Some(ThreadWait::Accept(3)),
            ),
            (
                format!("{} 0x7ff0 0x2 0x0 0x0", POLL[0]),
                Some(ThreadWait::Poll { address: 0x7ff0, count: 2 }),
            ),
            (
                format!("{} 0x4 0x7ff0 0x0", SELECT[0]),
                Some(ThreadWait::Select { limit: 4, address: 0x7ff0 }),
            ),
            (format!("{} 0x5 0x1", libc::SYS_io_uring_enter), Some(ThreadWait::Ring)),
            (format!("{} 0x3 0x7ffd", libc::SYS_read), None),
            ("running\n".to_owned(), None),
            ("-1 0x7ffd 0x7f".to_owned(), None),
            (String::new(), None),
        ];
        for (call, expected) in table {
            assert_eq!(wait_of(&call), expected, "{call}");
        }
    }

    #[test]
    fn the_descriptors_of_poll_select_and_epoll_are_read() {
        let entry = |fd: i32| [&fd.to_ne_bytes()[..], &[1, 0, 0, 0]].concat();
        let array = [entry(3), entry(-1), entry(70), vec![0; 5]].concat();
        assert_eq!(polled(&array).collect::<Vec<_>>(), [3, 70]);
        let set = [(1_u64 << 3).to_ne_bytes(), (1_u64 << 6).to_ne_bytes()].concat();
        let found: Vec<_> = (0..200).filter(|fd| is_selected(&set, *fd)).collect();
        assert_eq!(found, [3, 70]);
        let info = "pos:\t0\nflags:\t02\ntfd:        3 events:       19 data: 3\ntfd:       12 events: 1\n";
        assert_eq!(targets(info).collect::<Vec<_>>(), [3, 12]);
    }

    /// A Python program that has the socket as descriptor 3. It ends with the test.
    struct PythonProgram {
        child: Child,
        socket: SharedSocket,
    }

    impl PythonProgram {
        /// Runs these lines, and returns when it has written `x`.
        fn run(socket: SharedSocket, lines: &str) -> Self {
            let mut command = Command::new("python3");
            let first = "import os, select, socket\ns = socket.socket(fileno=3)\n";
            command.args(["-ISc", &format!("{first}{lines}\nos.read(0, 1)\n")]);
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
            socket.hand_down(&mut command);
            let mut program = Self { child: command.spawn().unwrap(), socket };
            program.child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
            program
        }

        fn leader(&self) -> Pid {
            Pid::from_raw(self.child.id().cast_signed())
        }

        /// It waits for something from its last line on.
        fn waits(&mut self) {
            let path = format!("/proc/{}/syscall", self.leader());
            let limit = clock::instant() + Duration::from_secs(10);
            while !fs::read_to_string(&path).is_ok_and(|call| is_wait(&call)) {
                assert_eq!(self.child.try_wait().unwrap(), None, "it has ended");
                assert!(clock::instant() < limit, "{:?}", fs::read_to_string(&path));
            }
        }

        fn accepts(&self) -> Option<bool> {
            InstancePorts::look(Pid::this()).accepts(self.leader(), self.socket.inode())
        }
    }

    impl Drop for PythonProgram {
        fn drop(&mut self) {
            // It may have ended before.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    fn can_look() -> bool {
        let tells = fs::read_to_string("/proc/self/syscall").is_ok();
        has_program("python3") && has("/proc/PID/syscall", tells)
    }

    #[test]
    fn a_program_accepts_when_it_waits_for_the_socket_and_not_when_it_has_it() {
        if !can_look() {
            return;
        }
        let waits = [
            ("", false),
            ("s.accept()", true),
            ("p = select.poll(); p.register(0); p.register(s); p.poll()", true),
            ("p = select.poll(); p.register(0); p.poll()", false),
            ("select.select([0, s], [], [])", true),
            ("select.select([0], [], [])", false),
            ("e = select.epoll(); e.register(s); os.read(0, 1)", true),
            ("e = select.epoll(); e.register(0); e.poll()", false),
        ];
        for (wait, expected) in waits {
            let mut placeholder = Placeholder::default();
            placeholder.hold().unwrap();
            let socket = SharedSocket::listen("127.0.0.1", 0).unwrap();
            let mut program = PythonProgram::run(socket, &format!("os.write(1, b'x')\n{wait}"));
            program.waits();
            assert_eq!(program.accepts(), Some(expected), "{wait}");
        }
    }

    #[test]
    fn a_program_accepts_when_it_has_a_connection_though_it_waits_for_no_other() {
        if !can_look() {
            return;
        }
        let table = [("c, _ = s.accept()", true), ("s.accept()", false), ("", false)];
        for (lines, expected) in table {
            let mut placeholder = Placeholder::default();
            placeholder.hold().unwrap();
            let socket = SharedSocket::listen("127.0.0.1", 0).unwrap();
            let port = InstancePorts::look(Pid::this()).port_of(socket.inode()).unwrap();
            let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let mut program = PythonProgram::run(socket, &format!("{lines}\nos.write(1, b'x')"));
            program.waits();
            assert_eq!(program.accepts(), Some(expected), "{lines}");
            drop(client);
        }
    }

    fn is_wait(call: &str) -> bool {
        let number = call.split(' ').next().and_then(|number| number.parse().ok());
        let is_other = |number| {
            [libc::SYS_read, libc::SYS_epoll_wait, libc::SYS_epoll_pwait].contains(&number)
        };
        wait_of(call).is_some() || number.is_some_and(is_other)
    }
}
