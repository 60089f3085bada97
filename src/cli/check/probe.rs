//! Asks the system what the lints want to know: is there such a program, can a port be had.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::path::Path;

use nix::unistd::{AccessFlags, access};

use crate::app::lint::{Holder, Lookup, PortState};

/// Where the shell looks when PATH is not set (dash's own default).
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Looks a program up, as the shell in the root would. A name with a slash is a path from the root.
pub(super) fn program(name: &str, path: Option<&OsStr>, root: &Path) -> Lookup {
    if name.contains('/') {
        return state(&root.join(name));
    }
    let folders = std::env::split_paths(path.unwrap_or(OsStr::new(DEFAULT_PATH)));
    let states: Vec<Lookup> = folders.map(|folder| state(&root.join(folder).join(name))).collect();
    if states.contains(&Lookup::Found) {
        Lookup::Found
    } else if state(&root.join("node_modules/.bin").join(name)) == Lookup::Found {
        Lookup::InNodeModules
    } else if states.contains(&Lookup::NotExecutable) {
        Lookup::NotExecutable
    } else {
        Lookup::Missing
    }
}

fn state(path: &Path) -> Lookup {
    if !path.is_file() {
        Lookup::Missing
    } else if access(path, AccessFlags::X_OK).is_ok() {
        Lookup::Found
    } else {
        Lookup::NotExecutable
    }
}

/// Says whether a port can be had, by listening there for a moment.
pub(super) fn port(port: u16) -> PortState {
    let addresses: [IpAddr; 3] =
        [Ipv4Addr::LOCALHOST.into(), Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::LOCALHOST.into()];
    for address in addresses {
        match TcpListener::bind((address, port)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                return PortState::Taken(holder(port));
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return PortState::Forbidden;
            }
            // A machine without IPv6, or without a network: nobody can be there either.
            Err(_) => {}
        }
    }
    PortState::Free
}

/// Finds who listens on a port: the socket's inode in /proc/net, then who has it open (proc(5)).
/// `None` for a process of another user, and on systems without /proc.
fn holder(port: u16) -> Option<Holder> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"]
        .map(|path| fs::read_to_string(path).unwrap_or_default());
    let links: Vec<String> = tables
        .iter()
        .flat_map(|table| listening(table, port))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    fs::read_dir("/proc").ok()?.flatten().find_map(|process| {
        let pid: u32 = process.file_name().to_str()?.parse().ok()?;
        let files = fs::read_dir(process.path().join("fd")).ok()?.flatten();
        let mut targets = files.filter_map(|file| fs::read_link(file.path()).ok());
        let is_holder =
            targets.any(|target| links.iter().any(|link| target.as_os_str() == link.as_str()));
        let program = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
        is_holder.then(|| Holder { pid, program: program.trim_end().to_owned() })
    })
}

/// Returns the inodes of the sockets that listen on a port, from a table of /proc/net.
fn listening(table: &str, port: u16) -> Vec<u64> {
    /// TCP_LISTEN of linux/tcp_states.h, as the table writes it.
    const LISTEN: &str = "0A";
    let inode = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (_, local_port) = fields.get(1)?.rsplit_once(':')?;
        let is_it = *fields.get(3)? == LISTEN && u16::from_str_radix(local_port, 16) == Ok(port);
        if is_it { fields.get(9)?.parse().ok() } else { None }
    };
    table.lines().skip(1).filter_map(inode).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn programs_are_looked_up_as_the_shell_does() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for (name, mode) in
            [("bin/run", 0o755), ("bin/text", 0o644), ("node_modules/.bin/next", 0o755)]
        {
            fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            fs::write(root.join(name), "").unwrap();
            fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        let table = [
            ("run", Lookup::Found),
            ("./bin/run", Lookup::Found),
            ("./bin/text", Lookup::NotExecutable),
            ("text", Lookup::NotExecutable),
            ("next", Lookup::InNodeModules),
            ("nope", Lookup::Missing),
            ("./nope", Lookup::Missing),
            ("bin", Lookup::Missing),
        ];
        for (name, expected) in table {
            assert_eq!(
                program(name, Some(OsStr::new("/nonexistent:bin")), root),
                expected,
                "{name}"
            );
        }
        assert_eq!(program("sh", None, root), Lookup::Found);
    }

    #[test]
    fn a_port_that_this_process_holds_is_taken_by_this_process() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let number = listener.local_addr().unwrap().port();
        let PortState::Taken(holder) = port(number) else { panic!("{number} is taken") };
        if cfg!(target_os = "linux") {
            assert_eq!(holder.map(|holder| holder.pid), Some(std::process::id()));
        }
    }

    #[test]
    fn the_socket_table_is_read_by_port_and_state() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            \x20  0: 0100007F:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1282 1 0 100 0\n\
            \x20  1: 0100007F:1388 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 77 1 0 100 0\n\
            \x20  2: 00000000:1389 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 88 1 0 100 0\n\
            broken\n";
        assert_eq!(listening(table, 5000), [1282]);
        assert_eq!(listening(table, 5001), [88]);
        assert!(listening(table, 1).is_empty());
    }
}
