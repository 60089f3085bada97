//! What a pipe can hold, and pipes that pass bytes from one socket to another.

pub(crate) use super::system::pipe::{SplicePipe, pipe_holds};
