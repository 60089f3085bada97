//! Identifiers that all parts share: an instance, and one of its runs.

/// One instance of a process type: `web.2`. It stays the same across restarts and scaling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId {
    /// Position of the process type in the Procfile, from 0.
    pub process_type: u16,
    /// Number of the instance, from 1.
    pub number: u16,
}

/// One life of an instance. Facts that name an older life are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId {
    /// Whose life it is.
    pub instance: InstanceId,
    /// Counts the lives of the instance, from 1.
    pub seq: u32,
}
