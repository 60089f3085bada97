//! The data plane: bytes in, lines out. It knows instances by id and name, and no lifecycle.
//!
//! One thread (`pump`) owns every pipe and stdout, so that no channel, copy or lock stands between
//! what a child writes and the terminal, and lines cannot mix.

mod assembler;
mod batch;
mod counts;
mod crlf;
mod escape;
mod filter;
mod held;
mod history;
mod line_filter;
mod line_matcher;
mod log;
mod message;
mod modes;
mod plain;
mod pump;
mod queries;
mod render;
mod splitter;
mod status_line;
mod style;
mod subscription;
mod writer;

pub use assembler::LineAssembler;
pub use batch::Sink;
pub use counts::OutputCount;
pub use filter::Fragment;
pub use history::{HISTORY_LINES, History, KeptChunk};
pub use line_filter::LineFilter;
pub use log::{OwnLog, TypeLogFolder};
pub use message::{About, ENDED, Level, Notice, PumpCommand, PumpEvent, ScreenCommand};
pub use modes::Modes;
pub use plain::without_escapes;
pub use pump::{Pump, PumpHandle};
pub use render::{
    End, EventLine, LabelId, LogFormat, Look, OutputLine, OutputSource, SYSTEM, TextRenderer,
};
pub use splitter::LineSplitter;
pub use status_line::{LineHint, StatusFacts, TypeState, TypeStatus};
pub use subscription::{
    Bell, Chunk, MAX_SUBSCRIBERS, RingBell, SendChunks, Subscriber, TailQuery, TerminalViewer,
};
