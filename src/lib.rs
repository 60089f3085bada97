//! `pm` runs a Procfile application.

pub mod app;
pub mod cli;
pub mod error;
pub mod export;
pub(crate) mod os;
pub mod output;
pub mod supervisor;
