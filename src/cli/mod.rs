//! Turns what was typed into what happens.
pub mod args;
