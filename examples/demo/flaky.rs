//! Works for FLAKY_SECONDS, then crashes on purpose with code 1, so that a restart is seen; it says so before.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

/// Between two signs of life.
const BEAT_SECONDS: u64 = 4;

fn main() -> ExitCode {
    let seconds = env::var("FLAKY_SECONDS").unwrap_or_else(|_| "12".to_owned());
    let Ok(mut left) = seconds.parse::<u64>() else {
        eprintln!("FLAKY_SECONDS `{seconds}` is not a number of seconds");
        return ExitCode::FAILURE;
    };
    let notice = format!("this program crashes on purpose in {left} s: pm restarts it");
    // A reader that has gone away ends the program, without a panic.
    if writeln!(io::stdout(), "{notice}").is_err() {
        return ExitCode::SUCCESS;
    }
    while left > 0 {
        if writeln!(io::stdout(), "all is well for {left} s more").is_err() {
            return ExitCode::SUCCESS;
        }
        let beat = left.min(BEAT_SECONDS);
        thread::sleep(Duration::from_secs(beat));
        left -= beat;
    }
    eprintln!("crashing on purpose: exiting with code 1");
    ExitCode::FAILURE
}
