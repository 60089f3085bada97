//! Subscribers of the output: they get the recent output that is kept, and then all new output, without a gap.

use std::collections::HashMap;
use std::fmt;
use std::io::IoSliceMut;

use super::history::{History, KeptChunk};
use super::plain::without_escapes;
use super::queries::without_questions;
use super::render::SYSTEM;
use crate::app::{InstanceId, select};

/// As many may follow at a time: each may hold all that is kept in its queue.
pub const MAX_SUBSCRIBERS: usize = 16;

/// Bytes of an instance, as they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// `web.1`
    pub name: &'a str,
    /// Milliseconds since 1970.
    pub at: i64,
    /// The bytes. None: a run of the instance has ended.
    pub bytes: &'a [u8],
}

/// Sends parts to a subscriber, all or none of them; never blocks. A subscriber that is too slow loses some,
/// and its queue tells it how many lines.
pub type SendChunks = Box<dyn Fn(&[Chunk<'_>]) + std::marker::Send>;

/// Someone who asks for output.
pub struct Subscriber {
    /// Names it for [`super::PumpCommand::Unsubscribe`].
    pub id: u64,
    /// Names or globs of instances; none: all.
    pub patterns: Vec<String>,
    /// Lines of each instance that are sent at first, of those that are kept.
    pub history: usize,
    /// Not what pm says of them.
    pub output_alone: bool,
    /// What comes later is sent too.
    pub follows: bool,
    /// The way to it. Dropped when nothing more comes.
    pub send: SendChunks,
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber")
            .field("id", &self.id)
            .field("patterns", &self.patterns)
            .finish()
    }
}

impl Subscriber {
    fn wants(&self, name: &str) -> bool {
        self.patterns.is_empty() || self.patterns.iter().any(|it| select::fits(it, name))
    }
}

/// Tells someone that there is more; never blocks.
pub type RingBell = Box<dyn Fn() + std::marker::Send>;

/// Someone who reads what is kept, and wants to know when there is more.
pub struct Bell {
    /// Names it for [`super::PumpCommand::Unsubscribe`].
    pub id: u64,
    /// Tells it. Dropped when nothing more comes.
    pub ring: RingBell,
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bell").field("id", &self.id).finish()
    }
}

/// Someone who sees the terminal of a run as it is.
pub struct TerminalViewer {
    /// Names it for [`super::PumpCommand::Unsubscribe`].
    pub id: u64,
    /// The way to it. Dropped at the end of the run.
    pub send: SendChunks,
}

impl fmt::Debug for TerminalViewer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TerminalViewer").field("id", &self.id).finish()
    }
}

/// Someone who asks for the last lines that an instance has written itself.
pub struct TailQuery {
    /// The instance.
    pub instance: InstanceId,
    /// A number of lines.
    pub lines: usize,
    /// The way back: called once.
    pub send: SendChunks,
}

impl fmt::Debug for TailQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TailQuery").field("instance", &self.instance).finish_non_exhaustive()
    }
}

/// A line that an instance has written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeptLine {
    /// The instance.
    pub(super) instance: InstanceId,
    /// Milliseconds since 1970.
    pub(super) at: i64,
    /// The line; only the last one of an instance may have no newline.
    pub(super) bytes: Vec<u8>,
}

/// Lines that a viewer sees at first, so that a prompt is there.
const SCREENFUL: usize = 20;

/// The history of every instance, and the subscribers.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    histories: HashMap<InstanceId, History>,
    subscribers: Vec<Subscriber>,
    bells: Vec<Bell>,
    /// How many instances share the memory.
    instances: usize,
}

impl Subscriptions {
    /// Counts one more instance.
    pub(super) fn expect(&mut self) {
        self.instances += 1;
    }

    /// Returns how many instances there are.
    pub(super) fn instances(&self) -> usize {
        self.instances
    }

    /// Keeps what was read, and passes it on.
    #[inline]
    pub(super) fn push(&mut self, id: InstanceId, name: &str, at: i64, bytes: &[u8]) {
        // Of a terminal, what was read may show nothing yet.
        if bytes.is_empty() {
            return;
        }
        let instances = self.instances;
        self.histories.entry(id).or_insert_with(|| History::one_of(instances)).push(at, bytes);
        pass_on(&self.subscribers, name, at, bytes);
    }

    /// Returns where the next read of an instance may put its bytes for [`Self::filled`], where there is such
    /// a place.
    #[inline]
    pub(super) fn slots(&mut self, id: InstanceId, most: usize) -> Option<[IoSliceMut<'_>; 2]> {
        self.histories.get_mut(&id)?.slots(most)
    }

    /// Keeps what a read has put into the slots, passes it on, and returns it.
    #[inline]
    pub(super) fn filled(
        &mut self,
        id: InstanceId,
        name: &str,
        at: i64,
        count: usize,
    ) -> [&[u8]; 2] {
        let Some(ring) = self.histories.get_mut(&id) else { return [&[]; 2] };
        let parts = ring.filled(at, count);
        for bytes in parts.into_iter().filter(|bytes| !bytes.is_empty()) {
            pass_on(&self.subscribers, name, at, bytes);
        }
        parts
    }

    /// Takes the end of a run, and of its last line: what it has left on is none of the next one's.
    pub(super) fn end_run(&mut self, id: InstanceId, name: &str, at: i64) {
        self.end(id, name, at);
        if let Some(history) = self.histories.get_mut(&id) {
            history.end_run(at);
            pass_on(&self.subscribers, name, at, b"");
        }
    }

    /// Ends the last line, where it is not.
    fn end(&mut self, id: InstanceId, name: &str, at: i64) {
        if self.histories.get(&id).is_some_and(History::is_open) {
            self.push(id, name, at, b"\n");
        }
    }

    /// Keeps a line of pm's own about the instance, and passes it on.
    pub(super) fn say(&mut self, id: InstanceId, name: &str, at: i64, text: &str) {
        // It would stand in the middle of a line.
        self.end(id, name, at);
        let (line, instances) = (format!("{text}\n").into_bytes(), self.instances);
        let history = self.histories.entry(id).or_insert_with(|| History::one_of(instances));
        history.push_notice(at, &line);
        pass_on(&self.subscribers, name, at, &line);
    }

    /// Passes a line on that is about the session to those who follow all of it.
    pub(super) fn announce(&self, at: i64, text: &str) {
        for subscriber in
            self.subscribers.iter().filter(|subscriber| subscriber.patterns.is_empty())
        {
            let bytes = format!("{text}\n").into_bytes();
            (subscriber.send)(&[Chunk { name: SYSTEM, at, bytes: &bytes }]);
        }
    }

    /// Sends what is kept, in the order it came, and takes who follows.
    pub(super) fn subscribe<'a>(
        &mut self,
        subscriber: Subscriber,
        name_of: impl Fn(InstanceId) -> Option<&'a str>,
    ) {
        let mut kept = Vec::new();
        for (id, ring) in &self.histories {
            let Some(name) = name_of(*id).filter(|name| subscriber.wants(name)) else { continue };
            let tail = match subscriber.output_alone {
                true => ring.tail_of_output(subscriber.history),
                false => ring.tail(subscriber.history),
            };
            kept.extend(tail.into_iter().map(|piece| (piece.at, *id, name, piece)));
        }
        kept.sort_by_key(|(at, id, _, _)| (*at, *id));
        let parts: Vec<_> = kept
            .iter()
            .map(|(at, _, name, piece)| Chunk { name, at: *at, bytes: &piece.bytes })
            .collect();
        // One message: its queue is empty, and takes one of any length.
        (subscriber.send)(&parts);
        if subscriber.follows && self.subscribers.len() < MAX_SUBSCRIBERS {
            self.subscribers.push(subscriber);
        }
    }

    /// Answers with the last lines of an instance, none where it has written none.
    pub(super) fn send_tail(&self, TailQuery { instance, lines, send }: &TailQuery, name: &str) {
        let history = self.histories.get(instance);
        let tail = history.map(|history| history.tail_of_output(*lines)).unwrap_or_default();
        let chunks = tail.iter().map(|KeptChunk { at, bytes }| Chunk { name, at: *at, bytes });
        send(&chunks.collect::<Vec<_>>());
    }

    /// Takes who wants to know when there is more, and tells at once that it is heard.
    pub(super) fn add_bell(&mut self, bell: Bell) {
        (bell.ring)();
        if self.bells.len() < MAX_SUBSCRIBERS {
            self.bells.push(bell);
        }
    }

    /// Tells that there is more.
    pub(super) fn ring(&self) {
        self.bells.iter().for_each(|bell| (bell.ring)());
    }

    /// Returns the last lines of an instance, as a terminal shows them.
    pub(super) fn glance(&self, id: InstanceId) -> Vec<u8> {
        let Some(ring) = self.histories.get(&id) else { return Vec::new() };
        let bytes: Vec<u8> =
            ring.tail(SCREENFUL).into_iter().flat_map(|piece| piece.bytes).collect();
        let on_terminal = |byte| if byte == b'\n' { vec![b'\r', b'\n'] } else { vec![byte] };
        without_questions(&bytes).into_iter().flat_map(on_terminal).collect()
    }

    /// Returns the last lines that an instance wrote, as text without escape sequences.
    pub(super) fn last_lines(&self, id: InstanceId, most: usize) -> Vec<String> {
        let Some(ring) = self.histories.get(&id) else { return Vec::new() };
        let bytes: Vec<u8> =
            ring.tail_of_output(most).into_iter().flat_map(|chunk| chunk.bytes).collect();
        let text = String::from_utf8_lossy(&without_escapes(&bytes)).into_owned();
        text.lines().map(str::to_owned).collect()
    }

    /// Returns the last lines that the instances of a process type wrote, in the order that they came.
    pub(super) fn last_of_type(&self, process_type: u16, count: usize) -> Vec<KeptLine> {
        let mut all = Vec::new();
        for (id, ring) in self.histories.iter().filter(|(id, _)| id.process_type == process_type) {
            let (instance, mut line) = (*id, Vec::new());
            let mut last = 0;
            for KeptChunk { at, bytes } in ring.tail_of_output(count) {
                last = at;
                for part in bytes.split_inclusive(|byte| *byte == b'\n') {
                    line.extend_from_slice(part);
                    if part.ends_with(b"\n") {
                        all.push(KeptLine { instance, at, bytes: std::mem::take(&mut line) });
                    }
                }
            }
            if !line.is_empty() {
                all.push(KeptLine { instance, at: last, bytes: line });
            }
        }
        all.sort_by_key(|line| (line.at, line.instance));
        all.split_off(all.len().saturating_sub(count))
    }

    pub(super) fn unsubscribe(&mut self, id: u64) {
        self.subscribers.retain(|subscriber| subscriber.id != id);
        self.bells.retain(|bell| bell.id != id);
    }

    /// Lets all subscribers go.
    pub(super) fn close(&mut self) {
        self.subscribers.clear();
        self.bells.clear();
    }

    pub(super) fn forget(&mut self, id: InstanceId) {
        self.histories.remove(&id);
    }
}

fn pass_on(subscribers: &[Subscriber], name: &str, at: i64, bytes: &[u8]) {
    for subscriber in subscribers.iter().filter(|subscriber| subscriber.wants(name)) {
        (subscriber.send)(&[Chunk { name, at, bytes }]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    type ReceivedParts = Arc<Mutex<Vec<String>>>;

    fn subscriber(patterns: &[&str], history: usize) -> (Subscriber, ReceivedParts) {
        let log = ReceivedParts::default();
        let to = Arc::clone(&log);
        let show = |part: &Chunk<'_>| {
            format!("{} {}", part.name, String::from_utf8_lossy(part.bytes).trim_end())
        };
        let send = move |parts: &[Chunk<'_>]| to.lock().unwrap().extend(parts.iter().map(show));
        let patterns = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
        let (output_alone, follows, send) = (false, true, Box::new(send));
        (Subscriber { id: 1, patterns, history, output_alone, follows, send }, log)
    }

    const WEB: InstanceId = InstanceId { process_type: 0, number: 1 };
    const JOB: InstanceId = InstanceId { process_type: 1, number: 1 };

    fn name_of(id: InstanceId) -> Option<&'static str> {
        Some(if id == WEB { "web.1" } else { "job.1" })
    }

    #[test]
    fn the_last_lines_of_a_type_are_those_of_all_its_instances() {
        let two = InstanceId { number: 2, ..WEB };
        let mut subscriptions = Subscriptions::default();
        for (id, at, bytes) in [
            (WEB, 1, &b"old\none "[..]),
            (two, 2, b"two\n"),
            (JOB, 3, b"other\n"),
            (WEB, 4, b"piece\nthree\n"),
            (two, 5, b"prompt: "),
        ] {
            subscriptions.push(id, "", at, bytes);
        }
        let lines = |count| -> Vec<String> {
            let lines = subscriptions.last_of_type(0, count).into_iter();
            lines.map(|line| String::from_utf8(line.bytes).unwrap()).collect()
        };
        assert_eq!(lines(4), ["two\n", "one piece\n", "three\n", "prompt: "]);
        assert_eq!(lines(9).len(), 5);
        assert!(lines(0).is_empty());
    }

    #[test]
    fn history_is_in_order_and_what_follows_comes_without_a_gap() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.push(WEB, "web.1", 1, b"a\n");
        subscriptions.push(JOB, "job.1", 2, b"b\n");
        subscriptions.push(WEB, "web.1", 3, b"c\n");
        let (all, log) = subscriber(&[], 10);
        subscriptions.subscribe(all, name_of);
        subscriptions.push(JOB, "job.1", 4, b"d\n");
        assert_eq!(*log.lock().unwrap(), ["web.1 a", "job.1 b", "web.1 c", "job.1 d"]);
        subscriptions.unsubscribe(1);
        subscriptions.push(JOB, "job.1", 5, b"e\n");
        assert_eq!(log.lock().unwrap().len(), 4);
    }

    #[test]
    fn what_pm_says_of_an_instance_is_kept_and_stands_on_lines_of_its_own() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.push(WEB, "web.1", 1, b"half");
        subscriptions.say(WEB, "web.1", 2, "exited with code 1");
        subscriptions.announce(2, "stopping");
        let (all, log) = subscriber(&[], 10);
        subscriptions.subscribe(all, name_of);
        subscriptions.announce(3, "killing");
        let (web, of_web) = subscriber(&["web"], 0);
        subscriptions.subscribe(web, name_of);
        subscriptions.announce(4, "ended");
        let expected =
            ["web.1 half", "web.1 ", "web.1 exited with code 1", "system killing", "system ended"];
        assert_eq!(*log.lock().unwrap(), expected);
        assert!(of_web.lock().unwrap().is_empty());
    }

    #[test]
    fn one_that_does_not_follow_gets_what_is_kept_and_no_more() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.push(WEB, "web.1", 1, b"a\n");
        let (once, log) = subscriber(&[], 10);
        subscriptions.subscribe(Subscriber { follows: false, ..once }, name_of);
        subscriptions.push(WEB, "web.1", 2, b"b\n");
        assert_eq!(*log.lock().unwrap(), ["web.1 a"]);
    }

    #[test]
    fn one_too_many_is_let_go_after_what_is_kept() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.push(WEB, "web.1", 1, b"a\n");
        let logs: Vec<ReceivedParts> = (0..=MAX_SUBSCRIBERS)
            .map(|_| {
                let (all, log) = subscriber(&[], 10);
                subscriptions.subscribe(all, name_of);
                log
            })
            .collect();
        subscriptions.push(WEB, "web.1", 2, b"b\n");
        let counts: Vec<usize> = logs.iter().map(|log| log.lock().unwrap().len()).collect();
        assert_eq!(counts, [[2; MAX_SUBSCRIBERS].as_slice(), &[1]].concat());
        assert_eq!(Arc::strong_count(&logs[MAX_SUBSCRIBERS]), 1, "its way is dropped");
    }

    #[test]
    fn instances_share_the_memory() {
        for (instances, kept) in [(1, 256 << 10), (64, 128 << 10), (4096, 16 << 10)] {
            let mut subscriptions = Subscriptions::default();
            (0..instances).for_each(|_| subscriptions.expect());
            for at in 0..10 {
                subscriptions.push(WEB, "web.1", at, &[b'x'; 64 << 10]);
            }
            let bytes: usize =
                subscriptions.histories[&WEB].tail(9).iter().map(|it| it.bytes.len()).sum();
            assert_eq!(bytes, kept, "{instances}");
        }
    }

    #[test]
    fn a_glance_is_the_last_twenty_lines_as_a_terminal_gets_them() {
        let mut subscriptions = Subscriptions::default();
        assert_eq!(subscriptions.glance(WEB), b"");
        subscriptions.push(WEB, "web.1", 1, &b"old\n".repeat(30));
        subscriptions.push(WEB, "web.1", 2, b"new\n> \x1b[6n");
        let expected = [&b"old\r\n".repeat(18)[..], b"new\r\n> "].concat();
        assert_eq!(subscriptions.glance(WEB), expected);
    }

    #[test]
    fn a_name_that_is_forgotten_and_a_session_that_closes_leave_nothing_behind() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.push(WEB, "web.1", 1, b"a\n");
        subscriptions.push(JOB, "job.1", 1, b"b\n");
        subscriptions.forget(WEB);
        let (all, log) = subscriber(&[], 10);
        subscriptions.subscribe(all, name_of);
        subscriptions.close();
        subscriptions.push(JOB, "job.1", 2, b"c\n");
        assert_eq!(*log.lock().unwrap(), ["job.1 b"]);
    }

    #[test]
    fn only_an_unfinished_last_line_is_ended() {
        let mut subscriptions = Subscriptions::default();
        let (all, log) = subscriber(&[], 10);
        subscriptions.subscribe(all, name_of);
        subscriptions.end(WEB, "web.1", 1);
        subscriptions.push(WEB, "web.1", 2, b"a\n");
        subscriptions.end(WEB, "web.1", 3);
        assert_eq!(*log.lock().unwrap(), ["web.1 a"]);
    }

    #[test]
    fn the_end_of_a_run_is_told_of_one_that_has_written() {
        let mut subscriptions = Subscriptions::default();
        let (all, log) = subscriber(&[], 10);
        subscriptions.subscribe(all, name_of);
        subscriptions.push(WEB, "web.1", 1, b"");
        subscriptions.end_run(WEB, "web.1", 1);
        subscriptions.push(WEB, "web.1", 2, b"a");
        subscriptions.end_run(WEB, "web.1", 3);
        // A line feed, and the end.
        assert_eq!(*log.lock().unwrap(), ["web.1 a", "web.1 ", "web.1 "]);
        let (late, log) = subscriber(&[], 10);
        subscriptions.subscribe(late, name_of);
        assert_eq!(*log.lock().unwrap(), ["web.1 a", "web.1 ", "web.1 "]);
    }

    #[test]
    fn only_what_is_asked_for_is_sent() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.push(WEB, "web.1", 1, b"a\nb\n");
        subscriptions.push(JOB, "job.1", 2, b"c\n");
        let (web, log) = subscriber(&["web"], 1);
        subscriptions.subscribe(web, name_of);
        subscriptions.push(JOB, "job.1", 3, b"d\n");
        subscriptions.push(WEB, "web.1", 3, b"e");
        subscriptions.end(WEB, "web.1", 4);
        assert_eq!(*log.lock().unwrap(), ["web.1 b", "web.1 e", "web.1 "]);
    }
}
