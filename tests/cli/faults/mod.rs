//! What goes wrong around pm: it says so, ends in order, and neither hangs, leaks nor loses a line.

mod stopped;
