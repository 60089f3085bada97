//! Integration tests: the built binary, as a user runs it.

mod check;
mod config;
mod demo;
mod env_command;
mod export;
mod files;
mod group;
mod guard;
mod help;
mod leak;
mod limits;
mod lines;
mod log;
mod node_cluster;
mod output;
mod resources;
mod restart;
mod run;
mod sandbox;
mod sandbox_itself;
mod signals;
mod start;
mod stop;
mod strays;
mod terminal;
mod webpack;
