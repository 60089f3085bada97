//! x
#![allow(dead_code)]
pub(crate) mod quote;
pub(crate) mod simple_command;
