//! What must hold of any input: [`properties`], over the corpus of the fuzzers, over raw bytes, and over
//! text that is nearly right.
//!
//! `fuzz/run` runs the same functions for hours; what it finds goes to `fuzz/corpus`, and is from then on
//! part of `cargo test`.

#[expect(unreachable_pub, reason = "the fuzz targets are another crate that includes this module")]
mod properties;

mod corpus;
mod damage;
#[path = "../cli/sandbox/long.rs"]
mod long;
mod pump;
mod shell;
