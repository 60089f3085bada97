//! Integration tests: the built binary, as a user runs it.

mod attach;
mod control;
mod daemon;
mod demo;
mod env_command;
mod files;
mod group;
mod guard;
mod limits;
mod lines;
mod log;
mod logs;
mod node_cluster;
mod output;
mod pty;
mod restart;
mod run;
mod sandbox;
mod sandbox_itself;
mod scale;
mod signals;
mod start;
mod stop;
mod strays;
mod terminal;
