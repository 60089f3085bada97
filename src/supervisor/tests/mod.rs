//! Traces of whole sessions.
