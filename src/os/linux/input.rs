//! Whether a program waits for what is typed on its terminal.

use std::collections::HashMap;
use std::fs;
use std::os::fd::AsFd;
use std::path::Path;

use nix::libc;
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::{Pid, tcgetpgrp};

use super::processes;

/// Returns of each of these terminals whether a program of its foreground group reads it: it has taken the terminal's line
/// editing for itself, or one of its threads waits in read(2). They are pm's ends.
pub(crate) fn awaited<T: AsFd>(terminals: &[T]) -> Vec<bool> {
    let mut awaited: Vec<_> = terminals.iter().map(edits_lines).collect();
    let others = terminals.iter().zip(&awaited).enumerate().filter(|(_, (_, is))| !**is);
    let groups = others.filter_map(|(at, (terminal, _))| Some((tcgetpgrp(terminal).ok()?, at)));
    let groups: HashMap<Pid, usize> = groups.collect();
    if groups.is_empty() {
        return awaited;
    }
    for stat in processes::all() {
        if let Some(at) = groups.get(&stat.group)
            && !awaited[*at]
        {
            awaited[*at] = reads_terminal(stat.pid);
        }
    }
    awaited
}

/// Returns whether a program has taken the line editing of this terminal for itself.
pub(crate) fn edits_lines(terminal: impl AsFd) -> bool {
    tcgetattr(&terminal).is_ok_and(|modes| !modes.local_flags.contains(LocalFlags::ICANON))
}

/// Looks at what each thread waits for (proc_pid_syscall(5)). Without permission, or where the kernel does not say it,
/// nothing is found.
fn reads_terminal(pid: Pid) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    let calls =
        threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("syscall")).ok());
    let mut read = calls.filter_map(|call| read_from(&call));
    read.any(|fd| {
        let file = fs::read_link(format!("/proc/{pid}/fd/{fd}"));
        file.is_ok_and(|file| is_terminal(&file))
    })
}

fn is_terminal(file: &Path) -> bool {
    file.starts_with("/dev/pts") || file == Path::new("/dev/tty")
}

/// Returns the descriptor that a thread waits to read from: `0 0x3 0x7ffd…`.
fn read_from(call: &str) -> Option<u64> {
    let mut words = call.split_ascii_whitespace();
    let number: i64 = words.next()?.parse().ok()?;
    let first = words.next()?.strip_prefix("0x")?;
    (number == libc::SYS_read).then(|| u64::from_str_radix(first, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_waits_in_read_is_known_by_its_system_call() {
        let read = libc::SYS_read;
        let table = [
            (format!("{read} 0x0 0x7ffd 0x1 0x0 0x0 0x0 0x7ffd 0x7f\n"), Some(0)),
            (format!("{read} 0x1f 0x7ffd"), Some(31)),
            ("running\n".to_owned(), None),
            ("-1 0x7ffd 0x7f".to_owned(), None),
            (format!("{} 0x0 0x0", libc::SYS_ppoll), None),
            (String::new(), None),
        ];
        for (call, expected) in table {
            assert_eq!(read_from(&call), expected, "{call}");
        }
    }
}
