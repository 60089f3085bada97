//! Numbers on the command line, read for clap, which names the text itself.

use std::num::NonZeroU16;

/// Reads a process id.
pub(super) fn pid(text: &str) -> Result<i32, String> {
    let pid = text.parse().ok().filter(|pid| *pid > 0);
    pid.ok_or_else(|| "not a process id".to_owned())
}

/// Reads how many instances are replaced at a time.
pub(super) fn batch(text: &str) -> Result<NonZeroU16, String> {
    text.parse().map_err(|_| format!("not a number of instances from 1 to {}", u16::MAX))
}

/// Reads the number of a kept run.
pub(super) fn run_number(text: &str) -> Result<i32, String> {
    let number = text.parse().ok().filter(|number| *number != 0);
    number.ok_or_else(|| "not the number of a run: `pm logs --runs` lists them".to_owned())
}
