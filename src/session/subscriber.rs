//! Sends output from the pump to a client.

use std::cell::RefCell;
use std::collections::HashSet;

use crate::control::outbox::Outbox;
use crate::control::proto::{self, Response};
use crate::output::{Chunk, RingBell, SendChunks};

/// Returns a function that sends parts of output to a client.
pub(super) fn unfiltered(outbox: Outbox) -> SendChunks {
    let send = move |parts: &[Chunk<'_>]| {
        let mut message = Vec::new();
        let mut lines = 0;
        // The end of a run is the end of its terminal, and of the connection.
        for part in parts.iter().filter(|part| !part.bytes.is_empty()) {
            lines += append(&mut message, *part);
        }
        // The client is told how much is lost.
        let _ = outbox.send(message, lines);
    };
    Box::new(send)
}

/// As [`unfiltered`], but for whole lines: after a loss, the rest of a line whose beginning was lost is dropped, too.
pub(super) fn whole_lines(outbox: Outbox) -> SendChunks {
    let torn = RefCell::new(HashSet::new());
    let send = move |parts: &[Chunk<'_>]| {
        let mut torn = torn.borrow_mut();
        let mut message = Vec::new();
        let mut lines = 0;
        for Chunk { name, at, bytes } in parts {
            let mut bytes = *bytes;
            if torn.contains(*name) {
                let Some(end) = memchr::memchr(b'\n', bytes) else { continue };
                torn.remove(*name);
                outbox.report_loss(1);
                bytes = &bytes[end + 1..];
            }
            lines += append(&mut message, Chunk { name, at: *at, bytes });
        }
        if !message.is_empty() && !outbox.send(message, lines) {
            for Chunk { name, bytes, .. } in parts {
                match bytes.ends_with(b"\n") {
                    true => torn.remove(*name),
                    false => torn.insert((*name).to_owned()),
                };
            }
        }
    };
    Box::new(send)
}

/// Returns what tells a client that there is more, where it was not told so already.
pub(super) fn bell(outbox: Outbox) -> RingBell {
    let ring = move || {
        // What waits is read later than now, and then there is more.
        if outbox.is_idle() {
            outbox.respond(Response::Output { name: String::new(), at: 0, length: 0 });
        }
    };
    Box::new(ring)
}

/// Appends what carries a part to a client, and returns its number of lines.
fn append(message: &mut Vec<u8>, Chunk { name, at, bytes }: Chunk<'_>) -> u64 {
    message.extend(proto::line(Response::Output {
        name: name.to_owned(),
        at,
        length: bytes.len(),
    }));
    message.extend_from_slice(bytes);
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::client::{Connection, Received};
    use crate::control::proto::Request;
    use crate::control::server::{ClientEvent, Server};
    use crate::control::socket_paths;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;
    use std::path::Path;

    /// Returns a client and the way to it.
    fn client(folder: &Path) -> (Connection, Outbox, Server) {
        let root = Path::new("/srv/app");
        let (sender, asked) = crossbeam_channel::unbounded();
        let (server, mut listener) =
            Server::open(folder, root, move |news| drop(sender.send(news))).unwrap();
        let socket = socket_paths::sessions(folder, root).unwrap()[0].socket.clone();
        let connection = Connection::open(&socket, Request::Status).unwrap();
        poll(&mut [PollFd::new(listener.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE).unwrap();
        listener.accept().unwrap();
        let Ok(ClientEvent::Requested(_, _, outbox)) = asked.recv() else { panic!("no request") };
        (connection, outbox, server)
    }

    #[test]
    fn after_a_loss_the_rest_of_a_line_is_not_taken_for_a_line() {
        let scratch = tempfile::tempdir().unwrap();
        let (mut connection, outbox, _server) = client(&scratch.path().join("pm"));
        let send = whole_lines(outbox);
        let bytes = [&b"end\n"[..], &vec![b'x'; 256 << 10], b"\nbegin "].concat();
        let part = Chunk { name: "web.1", at: 0, bytes: &bytes };
        for _ in 0..100 {
            send(&[part]);
        }
        let (resumed, has_resumed) = crossbeam_channel::bounded::<()>(1);
        let reader = std::thread::spawn(move || {
            loop {
                while let Received::Response(Response::Output { length, .. }) =
                    connection.receive(None).unwrap()
                {
                    connection.read_bytes(length).unwrap();
                }
                // That was a loss.
                if let Received::Response(Response::Output { length, .. }) =
                    connection.receive(None).unwrap()
                {
                    drop(resumed);
                    return connection.read_bytes(length).unwrap();
                }
            }
        });
        while has_resumed.try_recv() == Err(crossbeam_channel::TryRecvError::Empty) {
            send(&[part]);
        }
        drop(send);
        assert!(reader.join().unwrap().starts_with(b"xxx"));
    }
}
