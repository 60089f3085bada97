//! Integration tests.
<<<<<<< HEAD
mod examples;
mod http;
=======
mod demo;
mod group;
mod guard;
mod limits;
mod node_cluster;
>>>>>>> h-it2
mod sandbox;
mod sandbox_itself;
mod signals;
mod stop;
mod strays;
mod terminal;
