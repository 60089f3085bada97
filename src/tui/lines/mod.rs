//! The output of instances as lines: kept, measured and coloured.

mod layout;
mod state;
mod store;

pub(super) use layout::{RowSpans, Wrapping, rows_of};
pub(super) use state::{plain, spans};
pub(super) use store::{LineStore, PushedLine, StoredLine};
