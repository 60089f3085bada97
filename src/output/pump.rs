//! The one thread that owns all pipes and stdout: wait, read up to 64 KiB, split, render, and one
//! write for the batch. A slow reader of stdout blocks it here, which slows the writers as a pipe
//! would; the control thread never waits for it without a limit.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use jiff::tz::TimeZone;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::uio::readv;
use nix::unistd::isatty;

use super::batch::Batch;
use super::crlf::Fold;
use super::lines::Lines;
use super::message::{FromPump, Say, Speaker, ToPump, Tone};
use super::ready::{Key, Knocker, Ready, Waiter, pipe_holds};
use super::render::Form;
use super::screen::{Screen, Show, Voice};
use super::subscription::{Archive, Part, Watcher};
use super::writer::{Progress, Writer};
use crate::app::RunId;

/// One read; also what a pipe holds by default (pipe(7)).
const READ: usize = 64 << 10;
/// Silence after which an unfinished line is shown: a prompt.
const SILENCE: Duration = Duration::from_millis(100);
/// A terminal holds at most 64 KiB (Linux, tty_buffer.c) and gives 4 KiB a read.
const TERMINAL_READS: usize = 17;

/// How the other threads reach the pump.
#[derive(Clone, Debug)]
pub struct PumpHandle {
    sender: Sender<ToPump>,
    knocker: Knocker,
    progress: Progress,
}

impl PumpHandle {
    /// Hands a message over for the next [`Self::wake`]; never blocks. A pump that is gone has nobody
    /// to tell.
    pub fn post(&self, message: ToPump) {
        // It only fails when the pump is gone.
        let _ = self.sender.send(message);
    }

    /// Lets the pump see what was posted. One wake-up for many messages: each costs a context switch.
    pub fn wake(&self) {
        self.knocker.knock();
    }

    /// Returns how many bytes the reader of stdout has taken.
    pub fn progress(&self) -> u64 {
        self.progress.bytes()
    }
}

struct Source {
    run: RunId,
    pipe: OwnedFd,
    show: Show,
    lines: Lines,
    /// It is a terminal, which ends lines in its own way.
    terminal: Option<Fold>,
    watchers: Vec<Watcher>,
    /// When bytes last came, while a line is unfinished.
    waiting_since: Option<Instant>,
    /// When bytes last came to a line that needs much memory, which is given back some time later.
    long_since: Option<Instant>,
}

/// The pump's state; it lives on its own thread.
pub struct Pump<F: Fn(FromPump), W> {
    waiter: Waiter,
    inbox: Receiver<ToPump>,
    tell: F,
    sources: HashMap<u64, Source>,
    keys: HashMap<RunId, u64>,
    next_key: u64,
    screen: Screen,
    archive: Archive,
    batch: Batch<W>,
    /// Nothing has been silent enough before: the next look at what was there for [`SILENCE`].
    next_look: Option<Instant>,
    buffer: Box<[u8]>,
    folded: Vec<u8>,
}

impl<F: Fn(FromPump) + Send + 'static, W: AsFd + Send + 'static> Pump<F, W> {
    /// Starts the pump on its own thread; `zone` is that of the times it shows. It ends at the first wake-up
    /// without a handle that could post.
    pub fn start(
        form: Form,
        zone: TimeZone,
        voices: Vec<Voice>,
        stdout: W,
        tell: F,
    ) -> io::Result<(PumpHandle, JoinHandle<()>)> {
        let (waiter, knocker) = Waiter::new(&stdout)?;
        let is_terminal = isatty(&stdout).unwrap_or(false);
        let (sender, inbox) = crossbeam_channel::unbounded();
        let progress = Progress::default();
        let handle = PumpHandle { sender, knocker, progress: progress.clone() };
        let mut archive = Archive::default();
        voices.iter().for_each(|_| archive.expect());
        let pump = Self {
            waiter,
            inbox,
            tell,
            sources: HashMap::new(),
            keys: HashMap::new(),
            next_key: 0,
            screen: Screen::new(form, zone, voices, is_terminal),
            archive,
            batch: Batch::new(Writer::new(stdout, progress)),
            next_look: None,
            buffer: vec![0; READ].into_boxed_slice(),
            folded: Vec::new(),
        };
        let thread = std::thread::Builder::new().name("output".into()).stack_size(256 << 10);
        let thread = thread.spawn(move || pump.run())?;
        Ok((handle, thread))
    }

    fn run(mut self) {
        let mut ready = Ready::new();
        loop {
            let sources = self.sources.iter().map(|(key, source)| (*key, source.pipe.as_fd()));
            match self.waiter.wait(&mut ready, self.timeout(), self.batch.writer().fd(), sources) {
                Ok(()) => {}
                Err(Errno::EINTR) => continue,
                Err(error) => {
                    (self.tell)(FromPump::OutputLost(io::ErrorKind::Other, error.to_string()));
                    return;
                }
            }
            self.screen.tick();
            if ready.keys().any(|key| key == Key::Knock) {
                // Before the messages are taken, so that none that comes meanwhile goes unnoticed.
                self.waiter.open_door();
            }
            // Before any pipe: what was said before a signal stands before what came of it.
            if !self.listen() {
                return;
            }
            for key in ready.keys() {
                match key {
                    Key::Knock => {}
                    Key::Stdout => self.lose_stdout(),
                    Key::Source(key) => self.read(key),
                }
            }
            if self.next_look.is_some_and(|at| now() >= at) {
                self.look_for_silence();
            }
            self.write();
        }
    }

    /// Returns how long the next wait may take.
    fn timeout(&self) -> Option<Duration> {
        let left = self.next_look?.saturating_duration_since(now());
        // Rounded up, so that the wait does not end just before it is due.
        Some(left + Duration::from_micros(999))
    }

    /// Does what is due after silence. Only then is every source looked at, however often they write.
    fn look_for_silence(&mut self) {
        self.show_prompts();
        let is_due = |since: &mut Instant| since.elapsed() >= SILENCE;
        for source in self.sources.values_mut() {
            if source.long_since.take_if(is_due).is_some() {
                source.lines.shrink();
            }
        }
        let since = |source: &Source| [source.waiting_since, source.long_since];
        let oldest = self.sources.values().flat_map(since).flatten().min();
        self.next_look = oldest.map(|since| since + SILENCE);
    }

    /// Takes every message. Returns false when all handles are gone.
    fn listen(&mut self) -> bool {
        loop {
            match self.inbox.try_recv() {
                Ok(ToPump::Open(run, pipe)) => self.open(run, pipe),
                Ok(ToPump::Voice(voice)) => {
                    if self.screen.add(voice) {
                        self.archive.expect();
                    }
                }
                Ok(ToPump::Subscribe(follower)) => {
                    self.archive.subscribe(follower, |id| self.screen.name_of(id));
                }
                Ok(ToPump::Watch(run, watcher)) => self.watch(run, watcher),
                Ok(ToPump::Unsubscribe(id)) => {
                    self.archive.unsubscribe(id);
                    for source in self.sources.values_mut() {
                        source.watchers.retain(|watcher| watcher.id != id);
                    }
                }
                Ok(ToPump::Forget(id)) => self.archive.forget(id),
                Ok(ToPump::Say(say)) => self.say(say),
                Ok(ToPump::Drop(run)) => self.drop_run(run),
                Ok(ToPump::Flush(done)) => {
                    self.write();
                    self.archive.close();
                    self.sources.values_mut().for_each(|source| source.watchers.clear());
                    // Who asked may have stopped waiting.
                    let _ = done.send(());
                }
                Err(crossbeam_channel::TryRecvError::Empty) => return true,
                Err(crossbeam_channel::TryRecvError::Disconnected) => {
                    self.write();
                    return false;
                }
            }
        }
    }

    /// Shows a line of pm's own. It stands in the log of the instance that it is about.
    fn say(&mut self, say: Say) {
        let at = self.screen.millisecond();
        match say.speaker {
            Speaker::Instance(id) => {
                let name = self.screen.name_of(id).unwrap_or_default();
                self.archive.say(id, name, at, &say.line());
            }
            Speaker::System => self.archive.announce(at, &say.line()),
        }
        self.screen.say(say, &mut self.batch);
    }

    fn open(&mut self, run: RunId, pipe: OwnedFd) {
        let key = self.next_key;
        let opened = fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
            .and_then(|_| self.waiter.add(key, &pipe));
        if let Err(error) = opened {
            let text = format!("cannot read its output: {}", io::Error::from(error));
            let speaker = Speaker::Instance(run.instance);
            let (tone, facts) = (Tone::Failure, serde_json::Map::new());
            self.say(Say { speaker, tone, event: "unreadable", text, facts });
            (self.tell)(FromPump::Closed(run));
            return;
        }
        self.next_key += 1;
        let show = self.screen.show_of(run.instance);
        let terminal = isatty(&pipe).unwrap_or(false).then(Fold::default);
        let lines = self.screen.lines_of(terminal.is_some());
        let watchers = Vec::new();
        let (waiting_since, long_since) = (None, None);
        let source =
            Source { run, pipe, show, lines, terminal, watchers, waiting_since, long_since };
        self.sources.insert(key, source);
        self.keys.insert(run, key);
    }

    /// One that is too late for the run is let go at once.
    fn watch(&mut self, run: RunId, watcher: Watcher) {
        let Some(source) = self.keys.get(&run).and_then(|key| self.sources.get_mut(key)) else {
            return;
        };
        let bytes = self.archive.glance(run.instance);
        let name = self.screen.name_of(run.instance).unwrap_or_default();
        (watcher.send)(&[Part { name, at: self.screen.millisecond(), bytes: &bytes }]);
        source.watchers.push(watcher);
    }

    /// Reads once from a pipe that has something, or whose writers are all gone.
    fn read(&mut self, key: u64) {
        let Some(source) = self.sources.get_mut(&key) else { return };
        let id = source.run.instance;
        // What a terminal adds is taken away first.
        let slots = if source.terminal.is_none() { self.archive.slots(id, READ) } else { None };
        let is_kept = slots.is_some();
        let count = match slots {
            Some(mut slots) => readv(&source.pipe, &mut slots),
            None => nix::unistd::read(&source.pipe, &mut self.buffer),
        };
        match count {
            Ok(0) => return self.close(key),
            Ok(count) => {
                let name = self.screen.name_of(id).unwrap_or_default();
                let at = self.screen.millisecond();
                if is_kept {
                    for bytes in self.archive.filled(id, name, at, count) {
                        self.screen.push(source.show, &mut source.lines, bytes, &mut self.batch);
                    }
                } else {
                    let mut bytes = &self.buffer[..count];
                    if let Some(fold) = &mut source.terminal {
                        for watcher in &source.watchers {
                            (watcher.send)(&[Part { name, at, bytes }]);
                        }
                        self.folded.clear();
                        fold.push(bytes, &mut self.folded);
                        bytes = &self.folded;
                    }
                    self.archive.push(id, name, at, bytes);
                    self.screen.push(source.show, &mut source.lines, bytes, &mut self.batch);
                }
            }
            Err(Errno::EAGAIN | Errno::EINTR) => return,
            // Nothing else can be read from it: the same as its end.
            Err(_) => return self.close(key),
        }
        source.waiting_since = source.lines.is_waiting().then(now);
        if let Some(since) = source.waiting_since {
            self.next_look.get_or_insert(since + SILENCE);
            if source.lines.is_long() {
                source.long_since = Some(since);
            }
        }
    }

    /// The pipe ended: the unfinished line is a line.
    fn close(&mut self, key: u64) {
        if let Some(mut source) = self.sources.remove(&key) {
            self.screen.end(source.show, &mut source.lines, &mut self.batch);
            let id = source.run.instance;
            let name = self.screen.name_of(id).unwrap_or_default();
            self.archive.end(id, name, self.screen.millisecond());
            self.keys.remove(&source.run);
            // It is waited for no more, being closed.
            drop(source.pipe);
            (self.tell)(FromPump::Closed(source.run));
        }
    }

    /// Reads what the pipe or the terminal of an ended run holds, no more than it can hold: whoever still
    /// writes into it does not count.
    fn drop_run(&mut self, run: RunId) {
        let Some(&key) = self.keys.get(&run) else { return };
        let reads = self.sources.get(&key).map_or(0, |source| match source.terminal {
            Some(_) => TERMINAL_READS,
            None => pipe_holds(&source.pipe) / READ + 1,
        });
        for _ in 0..reads {
            self.read(key);
        }
        self.close(key);
    }

    /// Shows the unfinished lines that have been silent. A pipe that has something after all is read
    /// instead: a wait reports no more than [`super::ready::READY`] pipes, and a slow reader of stdout may
    /// have held the pump up.
    fn show_prompts(&mut self) {
        let is_due = |since: Instant| since.elapsed() >= SILENCE;
        let due =
            self.sources.iter().filter(|(_, source)| source.waiting_since.is_some_and(is_due));
        let due: Vec<u64> = due.map(|(key, _)| *key).collect();
        for key in due {
            self.read(key);
            let Some(source) = self.sources.get_mut(&key) else { continue };
            if source.waiting_since.is_some_and(is_due) {
                self.screen.prompt(source.show, &mut source.lines, &mut self.batch);
                source.waiting_since = None;
            }
        }
    }

    fn write(&mut self) {
        if let Err(error) = self.batch.flush() {
            (self.tell)(FromPump::OutputLost(error.kind(), error.to_string()));
        }
    }

    fn lose_stdout(&mut self) {
        if !self.batch.writer().is_lost() {
            self.batch.writer().lose();
            let kind = io::ErrorKind::BrokenPipe;
            (self.tell)(FromPump::OutputLost(kind, kind.to_string()));
        }
        self.waiter.forget_stdout(self.batch.writer().fd());
    }
}

/// A bug that ends this thread must end the session too: nobody would read the pipes.
impl<F: Fn(FromPump), W> Drop for Pump<F, W> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let error = "the output thread failed".to_owned();
            (self.tell)(FromPump::OutputLost(io::ErrorKind::Other, error));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "silence is measured where bytes are read")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::InstanceId;
    use crate::output::Look;
    use crate::output::batch::BATCH;
    use std::io::{Read, Write};
    use std::sync::atomic::{AtomicBool, Ordering};

    fn run_of(process_type: u16) -> RunId {
        RunId { instance: InstanceId { process_type, number: 1 }, seq: 1 }
    }

    fn voices(types: u16) -> Vec<Voice> {
        let voice = |t| Voice { id: run_of(t).instance, name: t.to_string(), quiet: false };
        (0..types).map(voice).collect()
    }

    /// Starts a pump for so many types of one instance each, named by their number.
    fn pump(types: u16) -> (PumpHandle, io::PipeReader, Receiver<FromPump>) {
        let (reader, writer) = io::pipe().unwrap();
        let (sender, news) = crossbeam_channel::unbounded();
        let form = Form::Text(Look { color: false, timestamp: None, prefix: true, width: 1 });
        let (handle, _) =
            Pump::start(form, TimeZone::UTC, voices(types), writer, move |n| drop(sender.send(n)))
                .unwrap();
        (handle, reader, news)
    }

    #[test]
    fn the_end_of_a_run_is_told_after_its_last_line_and_a_dropped_run_loses_nothing() {
        let (handle, mut reader, news) = pump(2);
        let (ended, mut writer) = io::pipe().unwrap();
        writer.write_all(b"one\nlast").unwrap();
        drop(writer);
        let (kept_open, mut grandchild) = io::pipe().unwrap();
        grandchild.write_all(b"before the drop").unwrap();
        handle.post(ToPump::Open(run_of(0), ended.into()));
        handle.wake();
        assert_eq!(news.recv().unwrap(), FromPump::Closed(run_of(0)));
        handle.post(ToPump::Open(run_of(1), kept_open.into()));
        handle.post(ToPump::Drop(run_of(1)));
        handle.wake();
        assert_eq!(news.recv().unwrap(), FromPump::Closed(run_of(1)));
        let expected = "0 | one\n0 | last\n1 | before the drop\n";
        let mut out = vec![0; expected.len()];
        reader.read_exact(&mut out).unwrap();
        assert_eq!(String::from_utf8_lossy(&out), expected);
        assert!(grandchild.write_all(b"after").is_err(), "nobody reads a dropped run");
    }

    /// Waits until the pump has seen and written everything before this.
    fn flush(handle: &PumpHandle) {
        let (done, is_done) = crossbeam_channel::bounded(1);
        handle.post(ToPump::Flush(done));
        handle.wake();
        is_done.recv().unwrap();
    }

    /// Lets the pump end, so that its stdout does.
    fn end(handle: PumpHandle) {
        let knocker = handle.knocker.clone();
        drop(handle);
        knocker.knock();
    }

    #[test]
    fn a_flush_is_answered_when_all_is_written_and_the_wake_up_is_taken() {
        let (handle, mut reader, _news) = pump(1);
        let text = "hello".to_owned();
        let speaker = Speaker::Instance(run_of(0).instance);
        let (tone, facts) = (Tone::News, Default::default());
        handle.post(ToPump::Say(Say { speaker, tone, event: "e", text, facts }));
        flush(&handle);
        assert_eq!(handle.progress(), "0 | -- hello\n".len() as u64);
        #[cfg(all(target_os = "linux", not(pm_portable)))]
        assert!(handle.knocker.is_taken(), "else the pump would never sleep");
        end(handle);
        let mut out = String::new();
        reader.read_to_string(&mut out).unwrap();
        assert_eq!(out, "0 | -- hello\n");
    }

    #[test]
    fn pipes_that_are_open_at_a_time_are_told_apart() {
        let (handle, mut reader, news) = pump(2);
        let (first, mut to_first) = io::pipe().unwrap();
        let (second, mut to_second) = io::pipe().unwrap();
        handle.post(ToPump::Open(run_of(0), first.into()));
        handle.post(ToPump::Open(run_of(1), second.into()));
        flush(&handle);
        to_first.write_all(b"a\n").unwrap();
        drop(to_first);
        assert_eq!(news.recv().unwrap(), FromPump::Closed(run_of(0)));
        to_second.write_all(b"b\n").unwrap();
        drop(to_second);
        assert_eq!(news.recv().unwrap(), FromPump::Closed(run_of(1)));
        end(handle);
        let mut out = String::new();
        reader.read_to_string(&mut out).unwrap();
        assert_eq!(out, "0 | a\n1 | b\n");
    }

    #[cfg(all(target_os = "linux", not(pm_portable)))]
    #[test]
    fn all_that_a_pipe_holds_is_shown_when_its_run_is_dropped_small_or_large() {
        // The kernel gives small ones to a user who has very many.
        for size in [4096, 256 << 10] {
            let (handle, mut reader, _news) = pump(1);
            let (pipe, mut writer) = io::pipe().unwrap();
            let size = fcntl(&writer, FcntlArg::F_SETPIPE_SZ(size)).unwrap();
            let lines = b"line\n".repeat(usize::try_from(size).unwrap() / 5);
            writer.write_all(&lines).unwrap();
            handle.post(ToPump::Open(run_of(0), pipe.into()));
            handle.post(ToPump::Drop(run_of(0)));
            handle.wake();
            let out = std::thread::spawn(move || {
                let mut out = Vec::new();
                reader.read_to_end(&mut out).unwrap();
                out
            });
            flush(&handle);
            end(handle);
            let out = out.join().unwrap();
            assert_eq!(out.split(|byte| *byte == b'\n').count() - 1, lines.len() / 5, "{size}");
        }
    }

    #[test]
    fn a_prompt_is_shown_after_silence_and_not_before() {
        let (handle, mut reader, _news) = pump(1);
        let (pipe, mut asking) = io::pipe().unwrap();
        handle.post(ToPump::Open(run_of(0), pipe.into()));
        handle.wake();
        let before = now();
        asking.write_all(b"your name: ").unwrap();
        let mut out = [0; 15];
        reader.read_exact(&mut out).unwrap();
        assert!(before.elapsed() >= SILENCE);
        assert_eq!(&out, b"0 | your name: ");
        asking.write_all(b"Ada\n").unwrap();
        let mut out = [0; 4];
        reader.read_exact(&mut out).unwrap();
        assert_eq!(&out, b"Ada\n");
    }

    type IdlePump = Pump<fn(FromPump), std::fs::File>;

    /// Makes a pump that no thread runs, whose output goes nowhere.
    fn idle_pump(types: u16) -> (IdlePump, Progress) {
        let nowhere = std::fs::File::options().write(true).open("/dev/null").unwrap();
        let (waiter, _knocker) = Waiter::new(&nowhere).unwrap();
        let progress = Progress::default();
        let form = Form::Text(Look { color: false, timestamp: None, prefix: true, width: 1 });
        let pump = Pump {
            waiter,
            inbox: crossbeam_channel::unbounded().1,
            tell: (|_| {}) as fn(FromPump),
            sources: HashMap::new(),
            keys: HashMap::new(),
            next_key: 0,
            screen: Screen::new(form, TimeZone::UTC, voices(types), false),
            archive: Archive::default(),
            batch: Batch::new(Writer::new(nowhere, progress.clone())),
            next_look: None,
            buffer: vec![0; READ].into_boxed_slice(),
            folded: Vec::new(),
        };
        (pump, progress)
    }

    #[test]
    fn the_memory_of_a_long_line_is_given_back_when_none_has_come_for_a_while() {
        let (mut pump, _) = idle_pump(1);
        let (pipe, mut writer) = io::pipe().unwrap();
        pump.open(run_of(0), pipe.into());
        for bytes in [[b'x'; 4096]; 32].iter().chain([&[b'\n'; 4096]]) {
            writer.write_all(bytes).unwrap();
            pump.read(0);
        }
        let memory = |pump: &IdlePump| pump.sources[&0].lines.memory();
        assert!(memory(&pump) >= 32 * 4096);
        pump.look_for_silence();
        assert!(memory(&pump) >= 32 * 4096, "the next may come soon");
        assert!(pump.next_look.is_some());
        pump.sources.get_mut(&0).unwrap().long_since = now().checked_sub(2 * SILENCE);
        pump.look_for_silence();
        assert!(memory(&pump) <= 64 << 10);
        assert!(pump.next_look.is_none(), "nothing more is due");
    }

    #[test]
    fn pipes_that_filled_while_stdout_was_slow_are_not_all_taken_before_something_is_written() {
        let (mut pump, progress) = idle_pump(32);
        let mut writers = Vec::new();
        let mut held = 0;
        for t in 0..32 {
            let (pipe, mut writer) = io::pipe().unwrap();
            // Full.
            fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
            while let Ok(count) = writer.write(&[b"x".repeat(4095), b"\n".to_vec()].concat()) {
                held += count;
            }
            pump.open(run_of(t), pipe.into());
            writers.push(writer);
        }
        let long_ago = now().checked_sub(2 * SILENCE);
        pump.sources.values_mut().for_each(|source| source.waiting_since = long_ago);
        pump.show_prompts();
        let held = u64::try_from(held).unwrap();
        assert!(held > BATCH as u64);
        assert!(progress.bytes() >= held - BATCH as u64, "no more than a batch waits");
    }

    #[test]
    fn a_watcher_sees_a_terminal_as_it_is_until_it_is_let_go() {
        let (handle, mut reader, _news) = pump(1);
        let terminal = nix::pty::openpty(None, None).unwrap();
        let mut slave = std::fs::File::from(terminal.slave);
        let (sent, seen) = crossbeam_channel::unbounded();
        let watcher = |id| {
            let sent = sent.clone();
            let send = move |parts: &[Part<'_>]| {
                for part in parts {
                    let text = String::from_utf8_lossy(part.bytes).into_owned();
                    sent.send((id, part.name.to_owned(), text)).unwrap();
                }
            };
            ToPump::Watch(run_of(0), Watcher { id, send: Box::new(send) })
        };
        handle.post(ToPump::Open(run_of(0), terminal.master));
        handle.post(watcher(1));
        handle.post(watcher(2));
        flush(&handle);
        assert_eq!(seen.try_iter().count(), 2, "each sees first what is kept: nothing");
        // A flush lets watchers go: these come after it.
        handle.post(watcher(3));
        handle.post(watcher(4));
        handle.post(ToPump::Unsubscribe(4));
        handle.wake();
        slave.write_all(b"hello\n").unwrap();
        let mut out = [0; 10];
        reader.read_exact(&mut out).unwrap();
        assert_eq!(&out, b"0 | hello\n");
        let name = || "0".to_owned();
        let expected = [(3, name(), String::new()), (4, name(), String::new())];
        let (first, rest): (Vec<_>, Vec<_>) = seen.try_iter().partition(|it| it.2.is_empty());
        assert_eq!(first, expected);
        assert!(rest.iter().all(|it| it.0 == 3), "{rest:?}");
        // A terminal gives what it holds in pieces of its own.
        let pieces: Vec<&str> = rest.iter().map(|it| it.2.as_str()).collect();
        assert_eq!(pieces.concat(), "hello\r\n");
    }

    #[test]
    fn a_pump_that_fails_says_so() {
        let (_, writer) = io::pipe().unwrap();
        let (sender, news) = crossbeam_channel::unbounded();
        let tell = move |news| match news {
            FromPump::Closed(_) => std::panic::resume_unwind(Box::new("a bug")),
            lost @ FromPump::OutputLost(..) => drop(sender.send(lost)),
        };
        let form = Form::Text(Look { color: false, timestamp: None, prefix: true, width: 1 });
        let (handle, _) = Pump::start(form, TimeZone::UTC, Vec::new(), writer, tell).unwrap();
        let (pipe, _) = io::pipe().unwrap();
        handle.post(ToPump::Open(run_of(0), pipe.into()));
        handle.wake();
        let lost = FromPump::OutputLost(io::ErrorKind::Other, "the output thread failed".into());
        assert_eq!(news.iter().last(), Some(lost));
    }

    #[test]
    fn a_prompt_is_shown_although_more_pipes_are_loud_than_one_wait_reports() {
        let loud = u16::try_from(super::super::ready::READY).unwrap() + 16;
        let (handle, mut reader, _news) = pump(loud + 1);
        let mut writers = Vec::new();
        for t in 0..loud {
            let (pipe, writer) = io::pipe().unwrap();
            handle.post(ToPump::Open(run_of(t), pipe.into()));
            fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
            writers.push(writer);
        }
        let (pipe, mut asking) = io::pipe().unwrap();
        handle.post(ToPump::Open(run_of(loud), pipe.into()));
        handle.wake();
        asking.write_all(b"your name: ").unwrap();
        let shown = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let shown = &shown;
            scope.spawn(move || {
                let lines = b"loud\n".repeat(2000);
                while !shown.load(Ordering::Relaxed) {
                    for writer in &mut writers {
                        // A full pipe is as loud as can be.
                        let _ = writer.write(&lines);
                    }
                }
            });
            let mut kept = Vec::new();
            let mut buffer = vec![0; READ];
            while memchr::memmem::find(&kept, b"your name: ").is_none() {
                kept.drain(..kept.len().saturating_sub(20));
                let count = reader.read(&mut buffer).unwrap();
                kept.extend_from_slice(&buffer[..count]);
            }
            shown.store(true, Ordering::Relaxed);
        });
    }

    #[test]
    fn a_socket_whose_reader_goes_away_is_told_and_then_left_alone() {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let (sender, news) = crossbeam_channel::unbounded();
        let form = Form::Text(Look { color: false, timestamp: None, prefix: true, width: 1 });
        let tell = move |n| drop(sender.send(n));
        let (_handle, _) = Pump::start(form, TimeZone::UTC, Vec::new(), ours, tell).unwrap();
        drop(theirs);
        let told = news.recv_timeout(Duration::from_secs(10));
        assert!(matches!(told, Ok(FromPump::OutputLost(io::ErrorKind::BrokenPipe, _))), "{told:?}");
    }
}
