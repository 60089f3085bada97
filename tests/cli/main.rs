//! Integration tests.
mod env_command;
mod files;
mod lines;
mod log;
mod output;
mod restart;
mod run;
mod sandbox;
mod sandbox_itself;
mod start;
