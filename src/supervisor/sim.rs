//! A virtual world for the supervisor: clock, children and a readable trace.
