//! What pm keeps between sessions, in `$XDG_STATE_HOME/pm`. Knows no session and no application: only folders, names
//! and numbers that it is given.

pub mod folder;
pub mod ports;
pub mod runs;
