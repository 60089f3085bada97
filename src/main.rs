//! The binary: what was typed and where, in; an exit code, out.

use std::io::{self, Write};
use std::process::ExitCode;

use pm::cli::sources::Sources;

fn main() -> ExitCode {
    if pm::os::has_served_as_watchdog(std::env::args_os().next().as_deref()) {
        return ExitCode::SUCCESS;
    }
    match Sources::of_this_process() {
        Ok(sources) => ExitCode::from(pm::cli::main(std::env::args_os().collect(), &sources)),
        Err(error) => {
            // A full or closed stderr leaves nobody to tell.
            let _ = writeln!(io::stderr(), "error: cannot find the current folder: {error}");
            ExitCode::FAILURE
        }
    }
}
