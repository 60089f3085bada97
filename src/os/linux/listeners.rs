//! Who listens on TCP ports, and who has taken a connection of one. The kernel is asked for the sockets that are wanted
//! alone (sock_diag(7)): /proc/net/tcp has all connections, which takes milliseconds on a large machine. Only /proc tells
//! which process holds a socket (proc(5)).

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;

use nix::libc::{
    AF_INET, AF_INET6, IPPROTO_TCP, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR,
};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};

use nix::unistd::{Pid, getpgid};

use super::processes;
use crate::app::lint::Holder;

/// TCP_LISTEN of linux/tcp_states.h.
const LISTEN: u8 = 10;
/// TCP_ESTABLISHED, TCP_FIN_WAIT1, TCP_FIN_WAIT2 and TCP_CLOSE_WAIT of linux/tcp_states.h: a connection that its program
/// may have open, whichever side has said that it sends no more.
const CONNECTED: [u8; 4] = [1, 4, 5, 8];
/// SOCK_DIAG_BY_FAMILY of linux/sock_diag.h.
const BY_FAMILY: u16 = 20;
/// The size of nlmsghdr.
const HEADER: usize = 16;
/// The size of inet_diag_req_v2, behind the header.
const REQUEST: usize = 56;
/// Offset of the port in inet_diag_msg, in network order.
const PORT_AT: usize = 4;
/// Offset of the inode in inet_diag_msg, its last field.
const INODE_AT: usize = 68;
/// Buffer size; the kernel's answers are smaller.
const ROOM: usize = 32 << 10;

/// The listening sockets, by port.
#[derive(Debug, Default)]
pub(crate) struct Listeners(Vec<Socket>);

/// Which sockets are asked for.
#[derive(Clone, Copy, Debug)]
enum SocketQuery {
    /// Those that listen.
    Listeners,
    /// Connections whose port on this side is this one.
    Connections(u16),
}

impl SocketQuery {
    fn states(self) -> &'static [u8] {
        match self {
            Self::Listeners => &[LISTEN],
            Self::Connections(_) => &CONNECTED,
        }
    }

    fn has(self, state: u8, port: u16) -> bool {
        let is_of_port = match self {
            Self::Listeners => true,
            Self::Connections(own) => own == port,
        };
        is_of_port && self.states().contains(&state)
    }

    /// Reads what there is now, of both address families.
    fn read(self) -> Vec<Socket> {
        match ask(AF_INET, self) {
            // A machine without IPv6 has none.
            Some(all) => [all, ask(AF_INET6, self).unwrap_or_default()].concat(),
            None => of_tables(self),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Socket {
    port: u16,
    inode: u64,
}

impl Listeners {
    /// Whether this system can tell.
    pub(crate) const CAN_TELL: bool = true;

    /// Reads the current listening sockets.
    pub(crate) fn read() -> Self {
        let mut all = SocketQuery::Listeners.read();
        all.sort_unstable_by_key(|socket| socket.port);
        Self(all)
    }

    /// Returns whether any process listens on a port, on any address.
    pub(crate) fn has(&self, port: u16) -> bool {
        self.0.binary_search_by_key(&port, |socket| socket.port).is_ok()
    }

    /// Returns whether a process holds a socket that listens on this port. Sockets of another user's process are not
    /// seen.
    pub(crate) fn is_held_by(&self, port: u16, pid: Pid) -> bool {
        let held = inodes_of(pid.as_raw().cast_unsigned());
        self.0.iter().any(|socket| socket.port == port && held.contains(&socket.inode))
    }

    /// Returns the processes that hold sockets of these ports; a socket may be held by several. Processes of other
    /// users are not seen. It reads every descriptor of every process.
    pub(crate) fn holders(&self, ports: &[u16]) -> Vec<(u16, Holder)> {
        let wanted: Vec<_> = self.0.iter().filter(|socket| ports.contains(&socket.port)).collect();
        let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
        let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let mut pids: Vec<u32> = pids.collect();
        pids.sort_unstable();
        let mut found = Vec::new();
        for pid in pids {
            let inodes = inodes_of(pid);
            let of_this = wanted.iter().filter(|socket| inodes.contains(&socket.inode));
            for socket in of_this {
                let program = processes::own_name(pid);
                let holder = Holder { pid, program, instance: None };
                found.push((socket.port, holder));
            }
        }
        found
    }
}

/// The ports that instances of a session listen on.
#[derive(Debug)]
pub(crate) struct InstancePorts {
    listeners: Listeners,
    /// What is left of a group whose processes have lost their parents, with the group.
    orphans: Vec<(Pid, Pid)>,
}

impl InstancePorts {
    /// Looks at this moment, for the session of this process id.
    pub(crate) fn look(session: Pid) -> Self {
        let group = |pid: Pid| Some((getpgid(Some(pid)).ok()?, pid));
        let children = processes::children_of(session).into_iter().filter_map(group);
        // A leader is no orphan.
        let orphans = children.filter(|(group, pid)| group != pid).collect();
        Self { listeners: Listeners::read(), orphans }
    }

    /// Returns the ports, in order, on which a leader, its descendants and the orphans of its group listen. Of another
    /// user's process that is not seen.
    pub(crate) fn of(&self, leader: Pid) -> Option<Vec<u16>> {
        let mut ports = Vec::new();
        for held in self.sockets_of(leader) {
            let sockets = self.listeners.0.iter().filter(|socket| held.contains(&socket.inode));
            ports.extend(sockets.map(|socket| socket.port));
        }
        ports.sort_unstable();
        ports.dedup();
        Some(ports)
    }

    /// Returns whether one of these processes holds a socket. `None`: nothing of any can be seen.
    pub(crate) fn holds(&self, leader: Pid, inode: u64) -> Option<bool> {
        let mut all = self.sockets_of(leader).filter(|sockets| !sockets.is_empty()).peekable();
        let is_seen = all.peek().is_some() || can_see(leader);
        is_seen.then(|| all.any(|sockets| sockets.contains(&inode)))
    }

    /// Returns the port that a socket listens on.
    pub(super) fn port_of(&self, inode: u64) -> Option<u16> {
        self.listeners.0.iter().find(|socket| socket.inode == inode).map(|socket| socket.port)
    }

    /// Returns whether one of these processes has taken a connection of a port: one that nobody has taken yet belongs to
    /// no process.
    pub(super) fn has_connection(&self, leader: Pid, port: u16) -> bool {
        let connections = SocketQuery::Connections(port).read();
        let is_one = |inode: &u64| connections.iter().any(|socket| socket.inode == *inode);
        !connections.is_empty() && self.sockets_of(leader).flatten().any(|inode| is_one(&inode))
    }

    /// Returns the sockets of a leader, of each descendant, and of each orphan of its group.
    fn sockets_of(&self, leader: Pid) -> impl Iterator<Item = Vec<u64>> {
        self.processes_of(leader).map(|pid| inodes_of(pid.as_raw().cast_unsigned()))
    }

    /// Returns a leader, its descendants, and the orphans of its group.
    pub(super) fn processes_of(&self, leader: Pid) -> impl Iterator<Item = Pid> {
        let of_group = self.orphans.iter().filter(move |(group, _)| *group == leader);
        let roots = of_group.map(|(_, pid)| *pid).chain([leader]);
        roots.flat_map(|root| [vec![root], processes::descendants_of(root)].concat())
    }
}

/// Returns whether the descriptors of a process may be read.
fn can_see(pid: Pid) -> bool {
    fs::read_dir(format!("/proc/{pid}/fd")).is_ok()
}

/// Returns the sockets that a process has open; none if it is gone or may not be read.
fn inodes_of(pid: u32) -> Vec<u64> {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let links = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    links.filter_map(|link| inode(link.as_os_str().as_bytes())).collect()
}

/// Returns the descriptors that a process has of one socket; none if it is gone or may not be read.
pub(super) fn descriptors_of(pid: Pid, socket: u64) -> Vec<u64> {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let number = |file: fs::DirEntry| {
        let link = fs::read_link(file.path()).ok()?;
        let is_it = inode(link.as_os_str().as_bytes()) == Some(socket);
        is_it.then(|| file.file_name().to_str()?.parse().ok())?
    };
    files.flatten().filter_map(number).collect()
}

/// Returns the inode of `socket:[4711]`.
fn inode(link: &[u8]) -> Option<u64> {
    let number = link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// Asks the kernel for sockets of an address family. `None`: there is no answer.
fn ask(family: i32, query: SocketQuery) -> Option<Vec<Socket>> {
    let kind = SockProtocol::NetlinkSockDiag;
    let flags = SockFlag::SOCK_CLOEXEC;
    let link = socket(AddressFamily::Netlink, SockType::Datagram, flags, kind).ok()?;
    send(link.as_raw_fd(), &request(u8::try_from(family).ok()?, query), MsgFlags::empty()).ok()?;
    let mut sockets = Vec::new();
    let mut answer = vec![0; ROOM];
    loop {
        // The kernel has begun its answer when `send` returns, and continues while it is read.
        let length = recv(link.as_raw_fd(), &mut answer, MsgFlags::MSG_DONTWAIT).ok()?;
        if take(answer.get(..length)?, &mut sockets)? == Dump::Complete {
            return Some(sockets);
        }
    }
}

fn request(family: u8, query: SocketQuery) -> [u8; HEADER + REQUEST] {
    let mut request = [0; HEADER + REQUEST];
    let length = u32::try_from(request.len()).unwrap_or(u32::MAX);
    request[..4].copy_from_slice(&length.to_ne_bytes());
    request[4..6].copy_from_slice(&BY_FAMILY.to_ne_bytes());
    let flags = u16::try_from(NLM_F_REQUEST | NLM_F_DUMP).unwrap_or(u16::MAX);
    request[6..8].copy_from_slice(&flags.to_ne_bytes());
    request[HEADER] = family;
    request[HEADER + 1] = IPPROTO_TCP.to_le_bytes()[0];
    let states = query.states().iter().fold(0_u32, |all, state| all | 1 << state);
    request[HEADER + 4..HEADER + 8].copy_from_slice(&states.to_ne_bytes());
    if let SocketQuery::Connections(port) = query {
        request[HEADER + 8..HEADER + 10].copy_from_slice(&port.to_be_bytes());
    }
    request
}

/// Whether more follows.
#[derive(Debug, PartialEq, Eq)]
enum Dump {
    Complete,
    Partial,
}

/// Parses a part of the answer. `None`: it is an error, or malformed.
fn take(mut part: &[u8], sockets: &mut Vec<Socket>) -> Option<Dump> {
    while !part.is_empty() {
        let length = u32::from_ne_bytes(*part.first_chunk()?);
        let length = usize::try_from(length).ok().filter(|length| *length >= HEADER)?;
        let kind = i32::from(u16::from_ne_bytes(*part.get(4..)?.first_chunk()?));
        if kind == NLMSG_DONE {
            return Some(Dump::Complete);
        }
        if kind == NLMSG_ERROR {
            return None;
        }
        let message = part.get(HEADER..length)?;
        sockets.push(Socket {
            port: u16::from_be_bytes(*message.get(PORT_AT..)?.first_chunk()?),
            inode: u64::from(u32::from_ne_bytes(*message.get(INODE_AT..)?.first_chunk()?)),
        });
        // Each begins at a multiple of four.
        part = part.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(Dump::Partial)
}

/// Reads the tables of all sockets, if the kernel cannot be asked (a container without netlink).
fn of_tables(query: SocketQuery) -> Vec<Socket> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
    tables.iter().flatten().flat_map(|table| of_table(table, query)).collect()
}

/// Returns the sockets that are wanted, from a table of /proc/net.
fn of_table(table: &str, query: SocketQuery) -> Vec<Socket> {
    let socket = |line: &str| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (_, port) = fields.next()?.rsplit_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        let state = u8::from_str_radix(fields.nth(1)?, 16).ok()?;
        query.has(state, port).then_some(())?;
        Some(Socket { port, inode: fields.nth(5)?.parse().ok()? })
    };
    table.lines().skip(1).filter_map(socket).collect()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn who_listens_is_found_on_each_address_and_by_its_process() {
        for address in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"] {
            // A machine without IPv6 has no such address.
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let port = listener.local_addr().unwrap().port();
            let listeners = Listeners::read();
            assert!(listeners.has(port), "{address}");
            let holders = listeners.holders(&[port]);
            let own = holders.iter().find(|(_, holder)| holder.pid == std::process::id());
            let Some((of, holder)) = own else { panic!("{address}: {holders:?}") };
            assert_eq!(*of, port, "{address}");
            assert_ne!(holder.program, "");
            drop(listener);
            // A child that another test has just forked holds it until it has become its program.
            while Listeners::read().has(port) {}
        }
    }

    #[test]
    fn the_ports_of_an_instance_are_those_that_its_processes_listen_on_and_no_others() {
        let one = TcpListener::bind("127.0.0.1:0").unwrap();
        let two = TcpListener::bind("127.0.0.1:0").unwrap();
        let seen = InstancePorts::look(Pid::parent()).of(Pid::this()).unwrap();
        for listener in [&one, &two] {
            assert!(seen.contains(&listener.local_addr().unwrap().port()), "{seen:?}");
        }
        assert!(seen.is_sorted());
        // Its parent has them by its child.
        let port = one.local_addr().unwrap().port();
        assert!(InstancePorts::look(Pid::parent()).of(Pid::parent()).unwrap().contains(&port));
        let mut stranger = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let other = Pid::from_raw(stranger.id().cast_signed());
        assert_eq!(InstancePorts::look(Pid::this()).of(other), Some(Vec::new()));
        assert_eq!(InstancePorts::look(Pid::this()).holds(other, socket_of(&one)), Some(false));
        drop(stranger.stdin.take());
        stranger.wait().unwrap();
        let own = InstancePorts::look(Pid::parent());
        assert_eq!(own.holds(Pid::this(), socket_of(&one)), Some(true));
        assert_eq!(own.holds(other, socket_of(&one)), None);
    }

    fn socket_of(socket: &impl AsFd) -> u64 {
        nix::sys::stat::fstat(socket).unwrap().st_ino
    }

    #[test]
    fn the_tables_say_the_same_as_the_kernel_that_is_asked() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let of_port = |sockets: Vec<Socket>| {
            sockets.into_iter().filter(|socket| socket.port == port).collect::<Vec<_>>()
        };
        for query in [SocketQuery::Listeners, SocketQuery::Connections(port)] {
            let tables = of_port(of_tables(query));
            let asked = of_port(ask(AF_INET, query).unwrap_or_else(|| tables.clone()));
            assert_eq!(asked, tables, "{query:?}");
            assert_eq!(asked.len(), usize::from(matches!(query, SocketQuery::Listeners)));
        }
        let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (taken, _) = listener.accept().unwrap();
        let taken = [Socket { port, inode: socket_of(&taken) }];
        let query = SocketQuery::Connections(port);
        assert_eq!(of_tables(query), taken);
        assert_eq!(ask(AF_INET, query).unwrap_or_else(|| taken.to_vec()), taken);
        drop(client);
    }

    #[test]
    fn more_sockets_than_one_answer_holds_are_all_found() {
        let listeners: Vec<_> =
            (0..300).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let found = Listeners::read();
        for listener in &listeners {
            assert!(found.has(listener.local_addr().unwrap().port()));
        }
    }

    #[test]
    fn a_broken_answer_is_none() {
        let mut sockets = Vec::new();
        assert_eq!(take(&[], &mut sockets), Some(Dump::Partial));
        let header = |length: u32, kind: i32| {
            let kind = u16::try_from(kind).unwrap();
            [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10]].concat()
        };
        assert_eq!(take(&header(16, NLMSG_DONE), &mut sockets), Some(Dump::Complete));
        for broken in
            [header(16, NLMSG_ERROR), header(0, 20), header(999, 20), header(16, 20), vec![1]]
        {
            assert_eq!(take(&broken, &mut sockets), None, "{broken:?}");
        }
        assert_eq!(sockets, []);
    }

    #[test]
    fn the_socket_table_is_read_by_port_and_state() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            \x20  0: 0100007F:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1282 1 0 100 0\n\
            \x20  1: 0100007F:1388 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 77 1 0 100 0\n\
            \x20  2: 00000000000000000000000001000000:1389 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 88 1 0 100 0\n\
            broken\n";
        let sockets = [Socket { port: 5000, inode: 1282 }, Socket { port: 5001, inode: 88 }];
        assert_eq!(of_table(table, SocketQuery::Listeners), sockets);
        let connection = [Socket { port: 5000, inode: 77 }];
        assert_eq!(of_table(table, SocketQuery::Connections(5000)), connection);
        assert_eq!(of_table(table, SocketQuery::Connections(5001)), []);
    }
}
