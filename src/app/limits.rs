//! Limits of a process type, and how their values are written.

use std::fmt;

use super::size::Size;

/// What the kernel holds the processes of an instance to. `None`: what pm itself has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Limit of open files per process (RLIMIT_NOFILE).
    pub open_files: Option<u64>,
    /// How far it stands back for others.
    pub nice: Option<Nice>,
    /// How much CPU it may use.
    pub cpus: Option<CpuLimit>,
}

/// When a log is renamed, and how many of those stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// The length in bytes that it does not exceed but for one line; 0: it is never renamed.
    pub size: u64,
    /// How many renamed ones stay: `pm.log.1` is the newest.
    pub keep: u64,
}

/// The memory that an instance may use, all its processes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// How much.
    pub size: Size,
    /// What happens when it stays over that.
    pub action: MemoryAction,
}

/// What happens to an instance that stays over its budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum MemoryAction {
    /// It is stopped gracefully and started again
    Restart,
    /// A message says so, once
    Warn,
    /// It is killed, and started again as after a crash
    Kill,
}

/// What garbage collection is to save.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Gc {
    /// Memory: small heaps, collected often
    Size,
    /// Time: large young generations, collected late or by several threads
    Speed,
}

/// How much CPU an instance may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuLimit {
    /// Thousandths of a CPU, on any of them: `2`, `1.5` (the cgroup's `cpu.max`).
    Time {
        /// Thousandths of one CPU, at least 1.
        thousandths: u32,
    },
    /// These CPUs by number, both included: `0-3`, `2-2` (affinity).
    Numbers {
        /// The first.
        first: u16,
        /// The last.
        last: u16,
    },
}

/// A text that is no [`CpuLimit`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is neither a number of CPUs such as `1.5` nor a range such as `0-3`")]
pub struct CpuLimitError {
    /// What was typed.
    pub text: String,
}

impl CpuLimit {
    /// Reads `2`, `1.5` or `0-3`.
    pub fn parse(text: &str) -> Result<Self, CpuLimitError> {
        let limit = match text.trim().split_once('-') {
            Some((first, last)) => range(first, last),
            None => thousandths(text.trim()).map(|thousandths| Self::Time { thousandths }),
        };
        limit.ok_or_else(|| CpuLimitError { text: text.to_owned() })
    }
}

fn range(first: &str, last: &str) -> Option<CpuLimit> {
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some(CpuLimit::Numbers { first, last })
}

/// Reads a number without a sign, which `parse` would let pass.
fn number(text: &str) -> Option<u16> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn thousandths(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.is_empty() || fraction.len() > 3 {
        return None;
    }
    let scale = [1000, 100, 10, 1].get(fraction.len()).copied()?;
    let sum = u32::from(number(whole)?) * 1000 + u32::from(number(fraction)?) * scale;
    (sum > 0).then_some(sum)
}

impl fmt::Display for CpuLimit {
    /// Writes it as it is read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time { thousandths } if thousandths % 1000 == 0 => {
                write!(f, "{}", thousandths / 1000)
            }
            Self::Time { thousandths } => {
                let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
                f.write_str(text.trim_end_matches('0'))
            }
            Self::Numbers { first, last } => write!(f, "{first}-{last}"),
        }
    }
}

/// How far an instance stands back for others, from -20 (first) to 19 (last), as in nice(1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nice(i8);

/// A text that is no [`Nice`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a niceness from -20 to 19")]
pub struct NiceError {
    /// What was typed.
    pub text: String,
}

impl Nice {
    /// Reads a whole number from -20 to 19.
    pub fn parse(text: &str) -> Result<Self, NiceError> {
        let number = text.trim().parse().ok().filter(|number| (-20..=19).contains(number));
        number.map(Self).ok_or_else(|| NiceError { text: text.to_owned() })
    }

    /// Returns the number.
    pub fn get(self) -> i8 {
        self.0
    }
}

impl fmt::Display for Nice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_and_written_alike() {
        for text in ["2", "1.5", "0.25", "0.001", "0-3", "2-2"] {
            assert_eq!(CpuLimit::parse(text).map(|limit| limit.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "0", "0.0", "-1", "1.", ".5", "1.2345", "3-1", "a-b", "+1", "1e3", "70000"]
        {
            assert!(CpuLimit::parse(text).is_err(), "{text}");
        }
    }
}
