//! Answers the questions of the lints about the system: which programs exist, which ports are free.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::{AccessFlags, access};

use crate::app::lint::{FolderState, Holder, Lookup, PortState};
use crate::os::listeners::Listeners;
use crate::os::processes;

/// Where the shell looks when PATH is not set (dash's own default).
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Looks a program up, as the shell in a folder would. A name with a slash is a path from there.
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

/// Says why /bin/sh does not even read a command, if it does not. Nothing of it is run (POSIX sh, `-n`).
pub(super) fn refusal(command: &str) -> Option<String> {
    const ERROR: &str = "syntax error";
    let mut shell = Command::new("/bin/sh");
    shell.args(["-n", "-c", command]).env_clear().stdin(Stdio::null());
    // Where there is no shell, nothing is known.
    let output = shell.output().ok().filter(|output| !output.status.success())?;
    let said = String::from_utf8_lossy(&output.stderr);
    let first = said.lines().next().unwrap_or_default();
    // `/bin/sh: 1: Syntax error: "&&" unexpected`, or another shell's own form of it.
    let at = first.to_ascii_lowercase().find(ERROR);
    let reason = at.map_or(first, |at| first[at + ERROR.len()..].trim_start_matches([':', ' ']));
    Some(reason.trim().to_owned())
}

/// Says what there is under the path of a folder. What cannot be looked at counts as found.
pub(super) fn folder(path: &Path) -> FolderState {
    match path.metadata() {
        Ok(meta) if meta.is_dir() => FolderState::Found,
        Ok(_) => FolderState::NotAFolder,
        Err(error) if error.kind() == io::ErrorKind::NotFound => FolderState::Missing,
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => FolderState::Missing,
        Err(_) => FolderState::Found,
    }
}

/// Says whether a port can be had, by listening there for a moment. Not by whom, where it is taken.
pub(in crate::cli) fn port(port: u16) -> PortState {
    let addresses: [IpAddr; 4] = [
        Ipv4Addr::LOCALHOST.into(),
        Ipv4Addr::UNSPECIFIED.into(),
        Ipv6Addr::LOCALHOST.into(),
        Ipv6Addr::UNSPECIFIED.into(),
    ];
    for address in addresses {
        match TcpListener::bind((address, port)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                return PortState::Taken(None);
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

/// Who holds the ports of the application: looked for once, where the first is taken.
pub(super) struct PortHolders<'a> {
    ports: Vec<u16>,
    /// The sessions of this folder, by their process ids.
    sessions: &'a dyn Fn() -> Vec<i32>,
    found: OnceCell<Snapshot>,
}

struct Snapshot {
    holders: Vec<(u16, Holder)>,
    processes: HashMap<i32, i32>,
    sessions: Vec<i32>,
}

impl<'a> PortHolders<'a> {
    pub(super) fn new(ports: Vec<u16>, sessions: &'a dyn Fn() -> Vec<i32>) -> Self {
        Self { ports, sessions, found: OnceCell::new() }
    }

    /// Says whether a port can be had, or who has it. A process of a session of this folder is no stranger: it
    /// is what the port is for.
    pub(super) fn state(&self, number: u16) -> PortState {
        let state = port(number);
        if state != PortState::Taken(None) {
            return state;
        }
        let found = self.found.get_or_init(|| Snapshot {
            holders: Listeners::read().holders(&self.ports),
            processes: parents(),
            sessions: (self.sessions)(),
        });
        let mut of_port = found.holders.iter().filter(|(port, _)| *port == number).peekable();
        let is_seen = of_port.peek().is_some();
        match of_port.find(|(_, holder)| !found.is_own(holder.pid)) {
            Some((_, stranger)) => PortState::Taken(Some(stranger.clone())),
            None if is_seen => PortState::Free,
            None => state,
        }
    }
}

impl Snapshot {
    /// Returns whether a process is one of the sessions, or has one above it.
    fn is_own(&self, pid: u32) -> bool {
        let above =
            std::iter::successors(i32::try_from(pid).ok(), |pid| self.processes.get(pid).copied());
        // Where process ids are used again while they are read, there may be a ring.
        above.take(self.processes.len() + 1).any(|pid| self.sessions.contains(&pid))
    }
}

/// Returns the parent of each process.
fn parents() -> HashMap<i32, i32> {
    processes::all().iter().map(|stat| (stat.pid.as_raw(), stat.parent.as_raw())).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
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
    fn a_port_that_this_process_holds_is_taken_by_this_process_unless_it_is_of_a_session_of_the_folder()
     {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let number = listener.local_addr().unwrap().port();
        let own = i32::try_from(std::process::id()).unwrap();
        let state = |sessions: &[i32]| {
            let sessions = sessions.to_vec();
            PortHolders::new(vec![number], &move || sessions.clone()).state(number)
        };
        // A child that another test has just forked holds the port, too, until it has become its program.
        let is_by_this = |state: &PortState| match state {
            PortState::Taken(holder) => {
                let pid = holder.as_ref().map(|holder| holder.pid);
                pid.is_none_or(|pid| pid == std::process::id())
            }
            PortState::Free | PortState::Forbidden => panic!("{number} is taken"),
        };
        while !is_by_this(&state(&[])) {}
        if cfg!(all(target_os = "linux", not(pm_portable))) {
            let parent = nix::unistd::getppid().as_raw();
            while state(&[own]) != PortState::Free {}
            while state(&[1_000_000_000, parent]) != PortState::Free {}
        }
        while !is_by_this(&state(&[1_000_000_000])) {}
        drop(listener);
        while state(&[]) != PortState::Free {}
    }

    #[test]
    fn the_shell_says_why_it_refuses_a_command_and_runs_nothing_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let left = dir.path().join("left");
        let refused = refusal(&format!("touch {} && && x", left.display()));
        assert!(refused.as_ref().is_some_and(|reason| reason.contains("&&")), "{refused:?}");
        assert_eq!(refusal(&format!("touch {} && x", left.display())), None);
        assert!(!left.exists());
    }
}
