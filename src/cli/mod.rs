//! Turns what was typed into what happens.
pub mod args;
pub mod check;
pub mod sources;
