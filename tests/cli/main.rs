//! Integration tests.
mod demo;
mod group;
mod guard;
mod limits;
mod node_cluster;
mod sandbox;
mod sandbox_itself;
mod signals;
mod stop;
mod strays;
mod terminal;
