//! `pm` runs a Procfile application.

pub mod app;
pub mod cli;
pub mod config;
pub mod control;
pub mod error;
pub mod os;
pub mod output;
pub mod resources;
pub mod supervisor;
