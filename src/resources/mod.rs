//! What an instance may use, and how its runtime is told: budgets, heaps, garbage collection, CPUs.
//! Pure but for [`cpus`]; watching and enforcing is the business of `os`.

pub mod budget;
pub mod command;
pub mod cpus;
pub mod runtime;

pub use budget::{Share, share};
