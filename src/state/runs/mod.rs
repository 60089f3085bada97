//! What the last sessions of an application have written: `$XDG_STATE_HOME/pm/ROOT-HASH/RUN/`.
//!
//! Each session that keeps its output is a run. It has a folder, named by its number, with two files: `run`, its
//! record ([`RunRecord`]), and `output`, what its instances wrote and what pm said ([`Keeper`]).
//!
//! [`begin`] makes a run; the session holds its record and gives the pump the keeper. [`list`] and [`choose`] find
//! runs, [`Run::read`] gives their output as lines, also while it is written. [`prune`] and [`purge`] remove them.
//!
//! Of each instance a ring of bounded size is kept (`format`): at least the last 512 KiB, less where many instances
//! share the room. Bytes are kept as they were written. What pm has not lived to say is missing and nothing else:
//! every write is a part of the file that stands by itself.

mod cursor;
mod disk;
mod format;
mod keeper;
mod lines;
mod list;
mod notice;
mod reader;
mod record;
mod ring;

pub use keeper::{Keeper, RingId};
pub use list::{Purged, Run, Which, begin, choose, list, prune, purge};
pub use notice::KeptNotice;
pub use reader::{Entry, Line, LineEnd, Reader, What};
pub use record::{RunEnd, RunRecord, RunStart};

#[cfg(test)]
mod tests;
