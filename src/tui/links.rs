//! Connections to sessions. One request is one connection (see [`crate::control::proto`]).

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use super::event::UiEvent;
use super::older::InstanceOutput;
use crate::control::client;
use crate::control::frame;
use crate::control::incoming::{Incoming, Item};
use crate::control::proto::{FiguresQuery, LogQuery, Request, Response};

/// Lines of each instance that are asked for at first: all that a session keeps.
const HISTORY: usize = 2000;
/// So many reads of one connection, and then something else has its turn.
const READS: usize = 64;
/// So many bytes wait for a program that does not read; what is typed beyond is lost.
const TYPED: usize = 1 << 20;

/// What a connection is for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum LinkPurpose {
    Status,
    Output,
    Terminal,
    /// What is said when it is done.
    Change(String),
}

/// A connection.
#[derive(Debug)]
struct Link {
    session: usize,
    purpose: LinkPurpose,
    stream: UnixStream,
    incoming: Incoming,
    /// The name of the instance whose bytes come next, and when they were read.
    name: Option<(String, i64)>,
    /// Frames that were not sent yet.
    outgoing: VecDeque<u8>,
    is_attached: bool,
    is_over: bool,
}

/// All connections.
#[derive(Debug)]
pub(super) struct Links {
    sockets: Vec<PathBuf>,
    /// Each of them was asked for figures before.
    was_asked: Vec<bool>,
    open: Vec<Link>,
}

impl Links {
    pub(super) fn new(sockets: Vec<PathBuf>) -> Self {
        Self { was_asked: vec![false; sockets.len()], sockets, open: Vec::new() }
    }

    fn connect(
        &mut self,
        session: usize,
        purpose: LinkPurpose,
        request: Request,
    ) -> io::Result<()> {
        let mut stream = UnixStream::connect(&self.sockets[session])?;
        stream.set_write_timeout(Some(client::RESPONSE_TIMEOUT))?;
        client::send(&mut stream, request)?;
        stream.set_nonblocking(true)?;
        self.open.push(Link {
            session,
            purpose,
            stream,
            incoming: Incoming::default(),
            name: None,
            outgoing: VecDeque::new(),
            is_attached: false,
            is_over: false,
        });
        Ok(())
    }

    /// Asks a session what its instances do and use, unless it has still to answer: the first time also for what it has
    /// kept of the time before. Returns whether it is there.
    pub(super) fn ask_figures(&mut self, session: usize) -> bool {
        let is_asked = |link: &Link| link.session == session && link.purpose == LinkPurpose::Status;
        if self.open.iter().any(is_asked) {
            return true;
        }
        let past = !std::mem::replace(&mut self.was_asked[session], true);
        let query = FiguresQuery { pss: false, details: false, past };
        self.connect(session, LinkPurpose::Status, Request::Figures(query)).is_ok()
    }

    /// Asks a session for its output, from what is kept on.
    pub(super) fn follow(&mut self, session: usize) -> io::Result<()> {
        let query = LogQuery { names: Vec::new(), lines: HISTORY, follow: true, bell: false };
        self.connect(session, LinkPurpose::Output, Request::Logs(query))
    }

    /// Asks a session for a change.
    pub(super) fn change(
        &mut self,
        session: usize,
        request: Request,
        done: String,
    ) -> io::Result<()> {
        self.connect(session, LinkPurpose::Change(done), request)
    }

    /// Connects the terminal of an instance.
    pub(super) fn attach(
        &mut self,
        session: usize,
        name: String,
        (rows, columns): (u16, u16),
    ) -> io::Result<()> {
        self.detach();
        self.connect(session, LinkPurpose::Terminal, Request::Attach { name, rows, columns })
    }

    /// Lets go of the terminal.
    pub(super) fn detach(&mut self) {
        self.open.retain(|link| link.purpose != LinkPurpose::Terminal);
    }

    /// Types into the terminal.
    pub(super) fn type_keys(&mut self, keys: &[u8]) {
        self.push_frames(&frame::of_keys(keys));
    }

    /// Gives the terminal another size.
    pub(super) fn resize(&mut self, rows: u16, columns: u16) {
        self.push_frames(&frame::of_size(rows, columns));
    }

    fn push_frames(&mut self, frames: &[u8]) {
        let is_terminal = |link: &&mut Link| link.purpose == LinkPurpose::Terminal;
        if let Some(link) = self.open.iter_mut().find(is_terminal)
            && link.outgoing.len() + frames.len() <= TYPED
        {
            link.outgoing.extend(frames);
            link.send();
        }
    }

    /// Returns the descriptors to wait for, each with whether it must take something.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = (BorrowedFd<'_>, bool)> {
        let one = |link: &Link| link.is_attached && !link.outgoing.is_empty();
        self.open.iter().map(move |link| (link.stream.as_fd(), one(link)))
    }

    /// Reads what has come, and gives each event to `take`.
    pub(super) fn read(&mut self, mut take: impl FnMut(UiEvent)) {
        for link in &mut self.open {
            link.send();
            link.read(&mut take);
        }
        self.open.retain(|link| !link.is_over);
    }
}

impl Link {
    fn send(&mut self) {
        while self.is_attached && !self.outgoing.is_empty() {
            match self.stream.write(self.outgoing.as_slices().0) {
                Ok(count) => drop(self.outgoing.drain(..count)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // What is broken is seen by the next read.
                Err(_) => return,
            }
        }
    }

    fn read(&mut self, take: &mut impl FnMut(UiEvent)) {
        for _ in 0..READS {
            let before = self.incoming.len();
            let is_open = self.incoming.read(&self.stream).unwrap_or(false);
            let has_read = self.incoming.len() > before;
            loop {
                match self.incoming.next() {
                    Ok(Some(item)) => self.item(item, take),
                    Ok(None) => break,
                    // A session of another pm says what nobody understands.
                    Err(_) => {
                        self.end(take);
                        return;
                    }
                }
            }
            if !is_open {
                return self.end(take);
            }
            if self.is_over || !has_read {
                return;
            }
        }
    }

    fn item(&mut self, item: Item, take: &mut impl FnMut(UiEvent)) {
        match item {
            Item::Bytes(bytes) => {
                let (name, at) = self.name.take().unwrap_or_default();
                take(match self.purpose {
                    LinkPurpose::Terminal => UiEvent::Screen(bytes),
                    _ => UiEvent::Output(self.session, InstanceOutput { name, at, bytes }),
                });
            }
            Item::Response(Response::Output { name, at, .. }) => self.name = Some((name, at)),
            Item::Response(Response::Status(report)) => {
                self.is_over = true;
                take(UiEvent::Reported(self.session, report));
            }
            Item::Response(Response::Attached) => {
                self.is_attached = true;
                take(UiEvent::Attached);
                self.send();
            }
            Item::Response(Response::Lost { lines }) => take(UiEvent::Lost(lines)),
            Item::Response(Response::Done) => {
                if let LinkPurpose::Change(done) = &self.purpose {
                    take(UiEvent::Answered(done.clone()));
                }
                self.is_over = true;
            }
            Item::Response(Response::Failed { failures }) => {
                let one =
                    failures.iter().map(|failure| format!("{}: {}", failure.name, failure.why));
                self.refused(one.collect::<Vec<_>>().join("; "), take);
            }
            Item::Response(Response::Refused { reason, hint }) => {
                let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
                self.refused(format!("{reason}{hint}"), take);
            }
            Item::Response(Response::Warning { text }) => take(UiEvent::Answered(text)),
        }
    }

    fn refused(&mut self, text: String, take: &mut impl FnMut(UiEvent)) {
        self.is_over = true;
        take(match self.purpose {
            LinkPurpose::Terminal => UiEvent::Detached(Some(text)),
            _ => UiEvent::Answered(text),
        });
    }

    /// Takes the end of the connection.
    fn end(&mut self, take: &mut impl FnMut(UiEvent)) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        match &self.purpose {
            // A session closes neither while it runs.
            LinkPurpose::Status | LinkPurpose::Output => take(UiEvent::Ended(self.session)),
            LinkPurpose::Terminal => take(UiEvent::Detached(None)),
            LinkPurpose::Change(_) => {}
        }
    }
}
