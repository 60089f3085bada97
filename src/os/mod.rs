//! The imperative shell: what touches processes, /proc and cgroups.

pub mod cgroup;
pub mod machine;
pub mod meter;
pub(crate) mod proc_tree;
