//! Responses to a client, in a bounded queue. A client that does not read loses lines, and is told how many.

use std::fmt;
use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender};

use super::proto::{self, Response};

/// What waits for one client at most, in bytes; a single message may be longer.
const QUEUE_LIMIT: usize = 4 << 20;
/// What a message costs besides its bytes.
const ITEM_COST: usize = 64;
/// One write, where there is as much.
const WRITE_SIZE: usize = 64 << 10;

/// The way back to a client. The connection ends when the last one is dropped and all is sent.
#[derive(Clone, Debug)]
pub struct Outbox {
    sender: Sender<QueueItem>,
    fill: Arc<QueueFill>,
    input_sink: Sender<InputSink>,
}

/// Takes what an attached client types from its connection, and returns when the client has left or sends
/// what nobody understands.
pub struct InputSink(pub Box<dyn FnOnce(&UnixStream) + Send>);

#[derive(Debug)]
enum QueueItem {
    Bytes(Vec<u8>),
    /// Output was lost here: the number of lines, or [`CLOSED`].
    Gap(Arc<AtomicU64>),
}

/// The gap was told; what is lost from then on is another.
const CLOSED: u64 = u64::MAX;

/// What waits for a client, for the thread that writes it.
pub(super) struct Queue {
    items: Receiver<QueueItem>,
    fill: Arc<QueueFill>,
}

/// Returns the way to a client, what comes on it, and where its input sink will come.
pub(super) fn open() -> (Outbox, Queue, Receiver<InputSink>) {
    // Bounded by `fill`.
    let (sender, items) = crossbeam_channel::unbounded();
    let fill = Arc::new(QueueFill::default());
    let (input_sink, input_sinks) = crossbeam_channel::bounded(1);
    (Outbox { sender, fill: Arc::clone(&fill), input_sink }, Queue { items, fill }, input_sinks)
}

/// How full a queue is, and the gap at its end.
#[derive(Debug, Default)]
struct QueueFill {
    bytes: AtomicUsize,
    gap: Mutex<Option<Arc<AtomicU64>>>,
}

impl Outbox {
    /// Lets the client type from now on.
    pub fn attach(&self, input_sink: InputSink) {
        // A client makes one request, and so has one sink.
        let _ = self.input_sink.try_send(input_sink);
    }

    /// Sends a response; never blocks.
    pub fn respond(&self, response: Response) {
        // A queue that is full belongs to a client that does not read.
        let _ = self.send(proto::line(response), 0);
    }

    /// Sends bytes, which are this number of lines; never blocks. If the queue is full they are lost, and the
    /// client is told how many lines, at the place where they would have stood. Returns whether they go.
    pub fn send(&self, bytes: Vec<u8>, lines: u64) -> bool {
        let mut gap = self.fill.gap.lock().unwrap_or_else(PoisonError::into_inner);
        let cost = bytes.len() + ITEM_COST;
        let before = self.fill.bytes.fetch_add(cost, Ordering::AcqRel);
        // A writer that is gone has nobody to send to.
        if before == 0 || before + cost <= QUEUE_LIMIT {
            let _ = self.sender.send(QueueItem::Bytes(bytes));
            *gap = None;
            return true;
        }
        self.fill.bytes.fetch_sub(cost, Ordering::AcqRel);
        self.widen(&mut gap, lines);
        false
    }

    /// Returns whether nothing waits for the client.
    pub fn is_idle(&self) -> bool {
        self.fill.bytes.load(Ordering::Acquire) == 0
    }

    /// Tells the client, in its turn, how many lines are lost.
    pub fn report_loss(&self, lines: u64) {
        let mut gap = self.fill.gap.lock().unwrap_or_else(PoisonError::into_inner);
        self.widen(&mut gap, lines);
    }

    fn widen(&self, gap: &mut Option<Arc<AtomicU64>>, lines: u64) {
        let add = |lost: u64| (lost != CLOSED).then(|| lost + lines);
        let is_open = |gap: &Arc<AtomicU64>| {
            gap.fetch_update(Ordering::AcqRel, Ordering::Acquire, add).is_ok()
        };
        if !gap.as_ref().is_some_and(is_open) {
            let opened = Arc::new(AtomicU64::new(lines));
            *gap = Some(Arc::clone(&opened));
            let _ = self.sender.send(QueueItem::Gap(opened));
        }
    }
}

impl fmt::Debug for InputSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InputSink")
    }
}

impl Queue {
    /// Writes what comes until nobody sends any more, then ends the connection.
    pub(super) fn write_to(self, mut stream: &UnixStream) {
        let mut batch = Vec::new();
        for first in &self.items {
            let mut message = Some(first);
            while let Some(part) = message {
                match part {
                    QueueItem::Bytes(bytes) => {
                        self.fill.bytes.fetch_sub(bytes.len() + ITEM_COST, Ordering::AcqRel);
                        // All that is kept of the output may come as one: it is not copied.
                        match batch.is_empty() {
                            true => batch = bytes,
                            false => batch.extend(bytes),
                        }
                    }
                    QueueItem::Gap(gap) => {
                        // A part of a line is counted when the rest of it is lost, too.
                        let lines = gap.swap(CLOSED, Ordering::AcqRel);
                        if lines > 0 {
                            batch.extend(proto::line(Response::Lost { lines }));
                        }
                    }
                }
                message = if batch.len() < WRITE_SIZE { self.items.try_recv().ok() } else { None };
            }
            if stream.write_all(&batch).is_err() {
                break;
            }
            batch.clear();
            batch.shrink_to(2 * WRITE_SIZE);
        }
        let _ = stream.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_after_a_gap_was_told_is_another_gap() {
        let (outbox, Queue { items, .. }, _input_sinks) = open();
        let told = || match items.try_recv() {
            Ok(QueueItem::Gap(gap)) => gap.swap(CLOSED, Ordering::AcqRel),
            other => panic!("no gap: {other:?}"),
        };
        outbox.report_loss(1);
        outbox.report_loss(2);
        assert_eq!(told(), 3);
        outbox.report_loss(4);
        assert_eq!(told(), 4);
        assert!(items.is_empty());
    }
}
