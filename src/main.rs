//! The binary: what was typed and where, in; an exit code, out.

use std::process::ExitCode;

use pm::cli::sources::Sources;

fn main() -> ExitCode {
    match Sources::of_this_process() {
        Ok(sources) => ExitCode::from(pm::cli::main(std::env::args_os().collect(), &sources)),
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "nothing else runs yet")]
            {
                eprintln!("error: cannot find the current folder: {error}");
            }
            ExitCode::FAILURE
        }
    }
}
