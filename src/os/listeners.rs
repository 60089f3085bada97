//! Who listens on TCP ports of this machine. A system that does not tell has nobody.

pub(crate) use super::system::listeners::{InstancePorts, Listeners};
