//! There is no portable call that limits a process to some of the CPUs.

use std::io;

/// A set of CPUs, which cannot be made here.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cpus {}

impl Cpus {
    /// Refuses to make a set.
    ///
    /// # Errors
    /// Always.
    pub(crate) fn of(first: u16, last: u16) -> io::Result<Self> {
        let text = format!(
            "pm cannot restrict a process to CPUs on this system (`--cpus {first}-{last}`)"
        );
        Err(io::Error::new(io::ErrorKind::Unsupported, text))
    }

    /// Limits the calling process to these CPUs.
    pub(crate) fn hold(&self) -> io::Result<()> {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_cpus_is_refused_in_words() {
        let error = Cpus::of(0, 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "pm cannot restrict a process to CPUs on this system (`--cpus 0-1`)"
        );
    }
}
