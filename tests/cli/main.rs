//! Integration tests.
mod sandbox;
mod sandbox_itself;
mod signals;
mod stop;
