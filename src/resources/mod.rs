//! Limits of an instance, and how its runtime is told: budgets, heaps, garbage collection, CPUs.
//! Pure except [`cpus`]; measuring and enforcing is the work of `session` and `os`.

pub mod budget;
pub mod command;
pub mod cpus;
pub mod runtime;

pub use budget::{Share, share};
