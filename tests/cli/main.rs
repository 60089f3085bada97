//! Integration tests.
mod group;
mod guard;
mod limits;
mod sandbox;
mod sandbox_itself;
mod signals;
mod stop;
mod strays;
mod terminal;
