//! What `?` shows.

/// The keys, with what they do.
pub(crate) const KEYS: &[&str] = &[
    "keys; a digit is a type, in the order of the line:",
    "  1-9  show only that type; again: all      m 1  mute that type; again: not",
    "  /    filter by regex as typed; Enter keeps it, Esc ends it",
    "  l 1  its last 50 lines, also hidden ones  p    table of pm ps",
    "  r 1  restart it; r Enter: all             s 1  stop it, or start it",
    "  + 1  - 1  scale it up or down by one      a 1  attach to it; Ctrl-] returns",
    "  c    a ruler with the time                Enter  an empty line",
    "  q    quit the session                     ?    these keys",
];
