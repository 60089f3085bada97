//! Passes what an attached client types to the terminal of a run.
//!
//! Nothing is dropped for a program that reads slowly: what its terminal does not take waits in the [`Console`], and
//! what exceeds its limit waits in the client.

use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::console::{self, Console};
use crate::control::frame::{self, Frame};
use crate::control::outbox::InputSink;
use crate::control::server::ClientId;
use crate::os::pty::WindowSize;

/// One read of what a client sends.
const READ: usize = 16 << 10;

/// Returns the input sink of a client on this terminal.
pub(crate) fn for_console(console: Arc<Console>, client: ClientId) -> InputSink {
    InputSink(Box::new(move |stream| {
        // It ends with the client.
        let _ = take(stream, &console, client);
        console.flush_in_background();
    }))
}

/// Reads from the client until it leaves.
fn take(mut stream: &UnixStream, console: &Console, client: ClientId) -> io::Result<()> {
    let mut frames = Vec::new();
    let mut chunk = vec![0; READ];
    loop {
        if wait(stream, console)? {
            match stream.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(count) => frames.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            let used = each(&frames, |typed| match typed {
                Frame::Keys(keys) => console.write(keys),
                Frame::Size { rows, columns } => {
                    console.set_viewer_size(client, WindowSize { rows, columns });
                }
            })?;
            frames.drain(..used);
        }
    }
}

/// Handles every complete frame. Returns how many bytes these were.
fn each(bytes: &[u8], mut take: impl FnMut(Frame<'_>)) -> io::Result<usize> {
    let mut used = 0;
    while let Some((head, rest)) = bytes[used..].split_first_chunk() {
        let length = frame::length(*head);
        let Some(body) = rest.get(..length) else { break };
        take(frame::parse(*head, body).ok_or(ErrorKind::InvalidData)?);
        used += head.len() + length;
    }
    Ok(used)
}

/// Waits for the client (unless the limit of waiting input is reached) and for the terminal (if input waits), and
/// writes input to the terminal. Returns whether the client has sent something.
fn wait(stream: &UnixStream, console: &Console) -> io::Result<bool> {
    let is_full = console.is_full();
    // poll always reports a hang-up.
    let of_client = if is_full { PollFlags::empty() } else { PollFlags::POLLIN };
    let mut fds = vec![PollFd::new(stream.as_fd(), of_client)];
    if console.pending() > 0 {
        fds.push(PollFd::new(console.as_fd(), PollFlags::POLLOUT));
    }
    match poll(&mut fds, PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(error.into()),
    }
    match fds.get(1) {
        Some(terminal) if console::has_hung_up(terminal) => console.discard(),
        Some(terminal) if terminal.any().unwrap_or(false) => console.flush(),
        _ => {}
    }
    let says_something = fds[0].any().unwrap_or(false);
    if says_something && is_full {
        // It has left, and there is no room for its last input.
        return Err(ErrorKind::BrokenPipe.into());
    }
    Ok(says_something)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::thread;

    use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};

    use super::*;
    use crate::os::pty;

    /// Returns a terminal that passes on what it gets, the end that the program has, and a client's end of
    /// its connection.
    fn terminal() -> (Arc<Console>, std::fs::File, UnixStream, thread::JoinHandle<()>) {
        let (master, slave) = pty::open_pair().unwrap();
        let mut modes = tcgetattr(&slave).unwrap();
        cfmakeraw(&mut modes);
        tcsetattr(&slave, SetArg::TCSANOW, &modes).unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let console = Arc::new(Console::new(master));
        let InputSink(take) = for_console(Arc::clone(&console), ClientId(1));
        let taking = thread::spawn(move || take(&ours));
        (console, slave.into(), theirs, taking)
    }

    #[test]
    fn a_program_that_reads_late_gets_all_that_was_typed_also_by_one_who_left() {
        let (_console, mut program, mut client, taking) = terminal();
        let typed: Vec<u8> = (0..400_000_u32).map(|n| b'a' + (n % 23) as u8).collect();
        client.write_all(&frame::of_keys(&typed)).unwrap();
        drop(client);
        // The client's thread ends, although nothing was read.
        taking.join().unwrap();
        let mut read = vec![0; typed.len()];
        program.read_exact(&mut read).unwrap();
        assert!(read == typed, "it is not what was typed");
    }

    #[test]
    fn what_a_program_never_reads_is_bounded_and_ends_with_its_terminal() {
        let (console, program, mut client, taking) = terminal();
        client.set_nonblocking(true).unwrap();
        let frame = frame::of_keys(&[b'x'; 4096]);
        let mut sent = 0;
        let is_stuck = |client: &UnixStream| {
            let mut fds = [PollFd::new(client.as_fd(), PollFlags::POLLOUT)];
            poll(&mut fds, 300_u16) == Ok(0)
        };
        while !(console.is_full() && is_stuck(&client)) {
            while let Ok(count) = client.write(&frame[sent % frame.len()..]) {
                sent += count;
            }
            assert!(sent < 8 << 20, "{sent} bytes were taken");
        }
        drop(client);
        taking.join().unwrap();
        let waiting = console.pending();
        assert!(waiting > 1 << 19, "{waiting} bytes wait for the program");
        drop(program);
        while Arc::strong_count(&console) > 1 {
            thread::yield_now();
        }
        assert_eq!(console.pending(), 0);
    }

    #[test]
    fn a_client_stays_when_the_program_is_gone_and_its_output_may_still_come() {
        let (console, program, mut client, taking) = terminal();
        drop(program);
        for _ in 0..100 {
            client.write_all(&frame::of_keys(&[b'x'; 4096])).unwrap();
        }
        client.set_nonblocking(true).unwrap();
        let answer = client.read(&mut [0]).unwrap_err();
        assert_eq!(answer.kind(), ErrorKind::WouldBlock, "it is still connected");
        assert!(!taking.is_finished());
        drop(client);
        taking.join().unwrap();
        assert_eq!(console.pending(), 0);
    }

    #[test]
    fn frames_are_taken_whole_however_they_come() {
        let bytes = [frame::of_size(3, 4), frame::of_keys(b"ab"), frame::of_keys(b"")].concat();
        let mut all = Vec::new();
        let mut kept = Vec::new();
        for byte in &bytes {
            kept.push(*byte);
            let used = each(&kept, |typed| all.push(format!("{typed:?}")));
            kept.drain(..used.unwrap());
        }
        assert_eq!(all, ["Size { rows: 3, columns: 4 }", "Keys([97, 98])",]);
        assert!(each(&[9, 0, 0], |_| {}).is_err());
    }
}
