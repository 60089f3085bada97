//! The binary: what was typed and where, in; an exit code, out.

use std::process::ExitCode;

use pm::cli::sources::Sources;

fn main() -> ExitCode {
    if pm::os::has_served_as_watchdog(std::env::args_os()) {
        return ExitCode::SUCCESS;
    }
    let arguments = std::env::args_os().collect();
    ExitCode::from(match Sources::of_this_process() {
        Ok(sources) => pm::cli::main(arguments, &sources),
        Err(error) => pm::cli::without_folder(&arguments, error),
    })
}
