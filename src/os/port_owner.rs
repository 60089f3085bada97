//! Which process listens on a port: asked of the kernel, without a connection.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use nix::unistd::Pid;

use super::listeners::Listeners;
use super::processes;
use crate::app::lint::{Holder, HoldingInstance};

/// The listener of a port, from the point of view of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PortOwner {
    /// Nobody.
    Nobody,
    /// A process of the tree in question.
    Tree,
    /// Another process.
    Other(Holder),
    /// A process that cannot be identified: it belongs to another user, or the system does not tell.
    Hidden,
    /// Nobody can tell: this process has no descriptor left to look with. Why, for a person.
    Unknown(String),
}

/// Returns who listens on a port, on any address: a process that descends from `leader` or is in its group, or another.
/// Only in the second case it reads the descriptors of all processes.
pub(crate) fn owner_of(listeners: &Listeners, port: u16, leader: Pid) -> PortOwner {
    if !Listeners::CAN_TELL {
        return PortOwner::Hidden;
    }
    if !listeners.has(port) {
        return if_seen(PortOwner::Nobody);
    }
    let below = processes::descendants_of(leader);
    if [leader].iter().chain(&below).any(|pid| listeners.is_held_by(port, *pid)) {
        return PortOwner::Tree;
    }
    let holders = listeners.holders(&[port]);
    // An orphan in the group is no longer a descendant.
    let is_of_tree = |holder: &Holder| {
        i32::try_from(holder.pid)
            .is_ok_and(|pid| processes::descends_from(Pid::from_raw(pid), leader) == Some(true))
    };
    match holders.into_iter().map(|(_, holder)| holder).partition::<Vec<_>, _>(is_of_tree) {
        (own, _) if !own.is_empty() => PortOwner::Tree,
        (_, others) => match others.into_iter().next() {
            Some(other) => PortOwner::Other(other),
            // Whoever had it may have closed it while all were looked through.
            None if !Listeners::read().has(port) => if_seen(PortOwner::Nobody),
            None => if_seen(PortOwner::Hidden),
        },
    }
}

/// Returns what follows from seeing nothing. Without a descriptor nothing is seen of anybody.
fn if_seen(owner: PortOwner) -> PortOwner {
    match File::open("/dev/null") {
        Ok(_) => owner,
        Err(error) => PortOwner::Unknown(error.to_string()),
    }
}

/// Returns a process that listens on a port, as far as it can be seen, and what instance it is of. It reads every
/// descriptor of every process.
pub(crate) fn holder_of(port: u16) -> Option<Holder> {
    let holders = Listeners::read().holders(&[port]);
    holders.into_iter().next().map(|(_, holder)| identified(holder))
}

/// Says what instance of which session a holder is, where pm has started it.
pub(crate) fn identified(holder: Holder) -> Holder {
    Holder { instance: instance_of(holder.pid), ..holder }
}

/// Returns the instance that a process is of: its environment says so, and the session that it names is still above
/// it. What was started in a terminal that an instance once opened has the same variables, and is nobody's instance.
fn instance_of(pid: u32) -> Option<HoldingInstance> {
    let pid = Pid::from_raw(i32::try_from(pid).ok()?);
    let environment = processes::environment(pid);
    let value = |key: &[u8]| {
        let mut all = environment.split(|byte| *byte == 0);
        all.find_map(|one| one.strip_prefix(key)?.strip_prefix(b"="))
    };
    let session = std::str::from_utf8(value(b"PM_SESSION")?).ok()?.parse().ok()?;
    let name = String::from_utf8_lossy(value(b"PS")?).into_owned();
    let root = PathBuf::from(OsStr::from_bytes(value(b"PM_ROOT")?));
    let is_of_session = processes::descends_from(pid, Pid::from_raw(session)) == Some(true);
    is_of_session.then_some(HoldingInstance { name, root })
}

#[cfg(all(test, target_os = "linux", not(pm_portable)))]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_listener_is_of_the_tree_of_its_process_and_of_its_parents() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let owner = |leader| owner_of(&Listeners::read(), port, leader);
        assert_eq!(owner(Pid::this()), PortOwner::Tree);
        assert_eq!(owner(Pid::parent()), PortOwner::Tree);
        let mut stranger = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let other = owner(Pid::from_raw(stranger.id().cast_signed()));
        let PortOwner::Other(holder) = other else { panic!("{other:?}") };
        assert_eq!(holder.pid, std::process::id());
        let before = Listeners::read();
        drop(listener);
        // What another test starts has a copy of the socket until its program begins.
        while Listeners::read().has(port) {
            std::thread::yield_now();
        }
        assert_eq!(owner(Pid::this()), PortOwner::Nobody);
        assert_eq!(owner_of(&before, port, Pid::this()), PortOwner::Nobody);
        drop(stranger.stdin.take());
        stranger.wait().unwrap();
    }

    #[test]
    fn a_process_is_of_an_instance_only_while_the_session_that_it_names_is_above_it() {
        let of = |session: u32| {
            let mut cat = Command::new("cat");
            cat.env("PS", "web.1")
                .env("PM_ROOT", "/srv/app")
                .env("PM_SESSION", session.to_string());
            let mut child = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            // The kernel lets the parent go on before it shows the environment of the new program.
            child.stdin.as_mut().unwrap().write_all(b"up\n").unwrap();
            child.stdout.as_mut().unwrap().read_exact(&mut [0; 3]).unwrap();
            let holder = Holder { pid: child.id(), program: "cat".to_owned(), instance: None };
            let found = identified(holder).instance;
            drop(child.stdin.take());
            child.wait().unwrap();
            found
        };
        let web = HoldingInstance { name: "web.1".to_owned(), root: "/srv/app".into() };
        assert_eq!(of(std::process::id()), Some(web));
        assert_eq!(of(1_000_000_000), None);
    }
}
