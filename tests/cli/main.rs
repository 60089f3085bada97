//! Integration tests.
mod examples;
mod http;
mod sandbox;
mod sandbox_itself;
