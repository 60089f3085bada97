//! Integration tests: the built binary, as a user runs it. They see processes by Linux's own means, also
//! where pm is built without them (`--cfg pm_portable`).

#![cfg(target_os = "linux")]

mod attach;
mod check;
mod completions;
mod config;
mod control;
mod daemon;
mod demo;
mod depends_on;
mod duplicate;
mod env_command;
mod export;
mod faults;
mod files;
mod group;
mod guard;
mod help;
mod json;
mod kept;
mod kept_logs;
mod keys;
mod leak;
mod lifetime;
mod limits;
mod lines;
mod log;
mod log_files;
mod logs;
mod manual;
mod measured;
mod metrics;
mod node_cluster;
mod orphans;
mod output;
mod ports;
mod proxy;
mod proxy_load;
mod proxy_streams;
mod pty;
mod readiness;
mod readme;
mod resources;
mod restart;
mod rolling;
mod run;
mod sandbox;
mod sandbox_itself;
mod scale;
mod screen;
mod sessions;
mod share_port;
mod signals;
mod stack;
mod start;
mod stop;
mod terminal;
mod terminal_restored;
mod trace;
#[cfg(feature = "ui")]
mod ui;
mod up;
mod wait;
mod watch;
mod webpack;
