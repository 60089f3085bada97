//! The one thread that owns all pipes and stdout: it waits, reads up to 64 KiB, splits, renders, and writes
//! once per batch. A slow reader of stdout blocks it here, which slows the writers as a pipe
//! would; the control thread never waits for it without a limit.

mod at_terminal;
mod commands;
mod crash;
mod handle;
mod kept;
mod logs;
mod open_pipe;
mod status;

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use jiff::tz::TimeZone;
use nix::errno::Errno;
use nix::sys::uio::readv;
use nix::unistd::isatty;

use super::batch::Batch;
use super::counts::OutputCount;
use super::line_matcher::LineMatcher;
use super::log::TypeLogs;
use super::message::{PumpCommand, PumpEvent};
use super::render::{LogFormat, OutputSource, Renderer};
use super::subscription::{Chunk, Subscriptions};
use super::writer::{WriteProgress, Writer};
use crate::app::{InstanceId, RunId};
use crate::os::pipe::pipe_holds;
use crate::os::poller::{FdReady, Interest, Poller, READABLE, WOKEN};
use at_terminal::AttachedRun;
use kept::OutputCopy;
use open_pipe::OpenPipe;
use status::StatusView;

pub use handle::PumpHandle;

/// One read; also what a pipe holds by default (pipe(7)).
const READ: usize = 64 << 10;
/// How many pipes one wait tells of.
const TOLD_AT_ONCE: usize = 64;
/// The token of stdout, which is waited for only to see that it loses its reader.
const STDOUT: u64 = WOKEN - 1;
/// Silence after which an unfinished line is shown: a prompt.
const SILENCE: Duration = Duration::from_millis(100);
/// A terminal holds at most 64 KiB (Linux, tty_buffer.c) and gives 4 KiB a read.
const TERMINAL_READS: usize = 17;

/// The pump's state; it lives on its own thread.
pub struct Pump<F: Fn(PumpEvent), W> {
    poller: Poller,
    inbox: Receiver<PumpCommand>,
    report: F,
    pipes: HashMap<u64, OpenPipe>,
    keys: HashMap<RunId, u64>,
    /// How much each instance has written, where that is counted.
    counts: HashMap<InstanceId, OutputCount>,
    /// Of runs that are opened next.
    expected: HashMap<RunId, LineMatcher>,
    next_key: u64,
    renderer: Renderer,
    type_logs: Option<TypeLogs>,
    subscriptions: Subscriptions,
    batch: Batch<W>,
    kept: OutputCopy,
    /// The line below the output.
    status: StatusView,
    /// The run that has the terminal for itself.
    attached: Option<AttachedRun>,
    /// Somebody wants to know that a program may wait for input.
    reports_prompts: bool,
    /// Nothing has been silent enough before: the next look at what was there for [`SILENCE`].
    next_look: Option<Instant>,
    buffer: Box<[u8]>,
    folded: Vec<u8>,
}

impl<F, W> Pump<F, W>
where
    F: Fn(PumpEvent) + Send + 'static,
    W: AsFd + From<OwnedFd> + Send + 'static,
{
    /// Starts the pump on its own thread; `zone` is that of the times it shows. It ends at the first wake-up
    /// without a handle that could post.
    pub fn start(
        format: LogFormat,
        zone: TimeZone,
        sources: Vec<OutputSource>,
        stdout: W,
        report: F,
    ) -> io::Result<(PumpHandle, JoinHandle<()>)> {
        let (poller, waker) = Poller::new(TOLD_AT_ONCE)?;
        // Tells when the reader goes away while nothing is written. Files cannot be waited for (EPERM).
        let _ = poller.add(STDOUT, &stdout, Interest::default());
        let is_terminal = isatty(&stdout).unwrap_or(false);
        let (sender, inbox) = crossbeam_channel::unbounded();
        let progress = WriteProgress::default();
        let handle = PumpHandle { sender, waker, progress: progress.clone() };
        let mut subscriptions = Subscriptions::default();
        sources.iter().for_each(|_| subscriptions.expect());
        let pump = Self {
            poller,
            inbox,
            report,
            pipes: HashMap::new(),
            keys: HashMap::new(),
            counts: HashMap::new(),
            expected: HashMap::new(),
            next_key: 0,
            renderer: Renderer::new(format, zone, sources, is_terminal),
            type_logs: None,
            subscriptions,
            batch: Batch::new(Writer::new(stdout, progress)),
            kept: OutputCopy::default(),
            status: StatusView::default(),
            attached: None,
            reports_prompts: false,
            next_look: None,
            buffer: vec![0; READ].into_boxed_slice(),
            folded: Vec::new(),
        };
        let thread = std::thread::Builder::new().name("output".into()).stack_size(256 << 10);
        let thread = thread.spawn(move || pump.run())?;
        Ok((handle, thread))
    }

    fn run(mut self) {
        let mut told = Vec::with_capacity(TOLD_AT_ONCE);
        loop {
            told.clear();
            if let Err(error) = self.wait(&mut told) {
                (self.report)(PumpEvent::OutputLost(io::ErrorKind::Other, error.to_string()));
                return;
            }
            self.renderer.tick();
            if told.iter().any(|ready| ready.token == WOKEN) {
                // Before the messages are taken, so that none that comes meanwhile goes unnoticed.
                self.poller.take_wakeups();
            }
            // Before any pipe: what was said before a signal stands before what came of it.
            if !self.listen() {
                return;
            }
            for ready in &told {
                match ready.token {
                    WOKEN => {}
                    // A pipe without a reader is told as an error, and a socket as a hang-up.
                    STDOUT if ready.is_over => self.lose_stdout(),
                    STDOUT => {}
                    key => self.read(key),
                }
            }
            if self.next_look.is_some_and(|at| now() >= at) {
                self.look_for_silence();
            }
            self.write();
            // Who reads what is kept finds all of it.
            self.subscriptions.ring();
        }
    }

    /// Waits until something is to be read, or is due.
    fn wait(&mut self, told: &mut Vec<FdReady>) -> io::Result<()> {
        let next = self.next_look.into_iter().chain(self.status.next()).min();
        let limit = next.map(|next| next.saturating_duration_since(now()));
        let stdout = &*self.batch.writer();
        let stdout =
            (!stdout.is_lost()).then(|| (STDOUT, stdout.fd().as_fd(), Interest::default()));
        let pipes = self.pipes.iter().map(|(key, source)| (*key, source.pipe.as_fd(), READABLE));
        self.poller.wait(limit, pipes.chain(stdout), told)
    }

    /// Does what is due after silence. Only then is every source looked at, however often they write.
    fn look_for_silence(&mut self) {
        self.show_prompts();
        let is_due = |since: &mut Instant| since.elapsed() >= SILENCE;
        for source in self.pipes.values_mut() {
            if source.long_since.take_if(is_due).is_some() {
                source.lines.shrink();
            }
        }
        let since = |pipe: &OpenPipe| [pipe.waiting_since, pipe.long_since];
        let oldest = self.pipes.values().flat_map(since).flatten().min();
        self.next_look = oldest.map(|since| since + SILENCE);
    }

    /// Reads once from a pipe that has something, or whose writers are all gone.
    fn read(&mut self, key: u64) {
        let Some(source) = self.pipes.get_mut(&key) else { return };
        let id = source.run.instance;
        // What a terminal adds is taken away first.
        let slots =
            if source.terminal.is_none() { self.subscriptions.slots(id, READ) } else { None };
        let is_kept = slots.is_some();
        let count = match slots {
            Some(mut slots) => readv(&source.pipe, &mut slots),
            None => nix::unistd::read(&source.pipe, &mut self.buffer),
        };
        match count {
            Ok(0) => return self.close(key),
            Ok(count) => {
                let name = self.renderer.name_of(id).unwrap_or_default();
                let at = self.renderer.millisecond();
                if is_kept {
                    let parts = self.subscriptions.filled(id, name, at, count);
                    self.kept.output(source.ring, at, parts);
                    for bytes in parts {
                        source.was_read(bytes, &self.report);
                        let (label, lines) = (source.label, &mut source.lines);
                        let newlines = self.renderer.push(label, lines, bytes, &mut self.batch);
                        source.count.add(bytes, newlines);
                        logs::copy(&mut self.type_logs, &mut source.copy, bytes);
                    }
                } else {
                    let mut bytes = &self.buffer[..count];
                    source.was_read(bytes, &self.report);
                    if let Some(fold) = &mut source.terminal {
                        let chunk = [Chunk { name, at, bytes }];
                        source.viewers.iter().for_each(|viewer| (viewer.send)(&chunk));
                        self.folded.clear();
                        fold.push(bytes, &mut self.folded);
                        bytes = &self.folded;
                    }
                    let lines = &mut source.lines;
                    let attached = self.attached.as_mut().filter(|it| it.run == source.run);
                    self.kept.output(source.ring, at, [bytes, &[]]);
                    self.subscriptions.push(id, name, at, bytes);
                    let newlines = match attached {
                        Some(attached) => {
                            attached.show(&self.buffer[..count], &mut self.batch);
                            // What it leaves unfinished is shown afterwards.
                            lines.push(bytes, |_| {});
                            None
                        }
                        None => self.renderer.push(source.label, lines, bytes, &mut self.batch),
                    };
                    source.count.add(&self.buffer[..count], newlines);
                    logs::copy(&mut self.type_logs, &mut source.copy, bytes);
                }
            }
            Err(Errno::EAGAIN | Errno::EINTR) => return,
            // Nothing else can be read from it: the same as its end.
            Err(_) => return self.close(key),
        }
        source.wait_from_now(self.reports_prompts, &mut self.next_look);
    }

    /// The pipe ended: the unfinished line is a line.
    fn close(&mut self, key: u64) {
        if let Some(mut source) = self.pipes.remove(&key) {
            self.renderer.end(source.label, &mut source.lines, &mut self.batch);
            if let (Some(logs), Some(copy)) = (&mut self.type_logs, source.copy.take()) {
                logs.end(copy);
            }
            let id = source.run.instance;
            let name = self.renderer.name_of(id).unwrap_or_default();
            self.subscriptions.end_run(id, name, self.renderer.millisecond());
            self.kept.ended(source.ring, self.renderer.millisecond());
            self.keys.remove(&source.run);
            // It is waited for no more, being closed.
            drop(source.pipe);
            (self.report)(PumpEvent::Closed(source.run));
        }
    }

    /// Reads what the pipe or the terminal of an ended run holds, no more than it can hold: whoever still
    /// writes into it does not count.
    fn drop_run(&mut self, run: RunId) {
        let Some(&key) = self.keys.get(&run) else { return };
        let reads = self.pipes.get(&key).map_or(0, |source| match source.terminal {
            Some(_) => TERMINAL_READS,
            None => pipe_holds(&source.pipe) / READ + 1,
        });
        for _ in 0..reads {
            self.read(key);
        }
        self.close(key);
    }

    /// Shows the unfinished lines that have been silent. A pipe that has something after all is read
    /// instead: a wait tells of no more than [`TOLD_AT_ONCE`] pipes, and a slow reader of stdout may
    /// have held the pump up.
    fn show_prompts(&mut self) {
        let is_due = |since: Instant| since.elapsed() >= SILENCE;
        let due = self.pipes.iter().filter(|(_, source)| source.waiting_since.is_some_and(is_due));
        let due: Vec<u64> = due.map(|(key, _)| *key).collect();
        for key in due {
            self.read(key);
            let Some(source) = self.pipes.get_mut(&key) else { continue };
            if source.waiting_since.is_some_and(is_due) {
                if self.reports_prompts && source.may_ask() {
                    (self.report)(PumpEvent::Prompted(source.run));
                }
                if self.attached.as_ref().is_none_or(|attached| attached.run != source.run) {
                    self.renderer.prompt(source.label, &mut source.lines, &mut self.batch);
                }
                if let (Some(logs), Some(copy)) = (&mut self.type_logs, &mut source.copy) {
                    logs.silence(copy);
                }
                source.waiting_since = None;
                if source.matcher.take_if(LineMatcher::silence).is_some() {
                    (self.report)(PumpEvent::Matched(source.run));
                }
            }
        }
    }

    fn write(&mut self) {
        if let Some(loss) = self.kept.loss() {
            self.say(loss);
        }
        let erase = self.draw_status();
        if let Err(error) = self.batch.flush() {
            (self.report)(PumpEvent::OutputLost(error.kind(), error.to_string()));
        }
        if let Some(erase) = erase {
            self.batch.stand(erase);
        }
        self.write_logs();
    }

    fn lose_stdout(&mut self) {
        if !self.batch.writer().is_lost() {
            self.batch.writer().lose();
            let kind = io::ErrorKind::BrokenPipe;
            (self.report)(PumpEvent::OutputLost(kind, kind.to_string()));
        }
        // It would be told at every wait.
        self.poller.remove(self.batch.writer().fd());
    }
}

/// A bug that ends this thread must end the session too: nobody would read the pipes.
impl<F: Fn(PumpEvent), W> Drop for Pump<F, W> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let error = "the output thread failed".to_owned();
            (self.report)(PumpEvent::OutputLost(io::ErrorKind::Other, error));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "silence is measured where bytes are read")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod prompt_tests;
#[cfg(test)]
mod screen_tests;
#[cfg(test)]
mod tests;
