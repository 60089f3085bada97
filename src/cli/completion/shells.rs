//! How bash asks. clap's own script does not see that bash has cut `--procfile=sub/Pro` and `web=2` in
//! pieces; this one puts them together, and gives bash back the piece that it asked for.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use clap_complete::env::{Bash as Clap, EnvCompleter};

/// bash, from 3.2.
pub(super) struct Bash;

impl EnvCompleter for Bash {
    fn name(&self) -> &'static str {
        "bash"
    }

    fn is(&self, name: &str) -> bool {
        name == self.name()
    }

    fn write_registration(
        &self,
        _var: &str,
        _name: &str,
        _bin: &str,
        _completer: &str,
        buf: &mut dyn Write,
    ) -> io::Result<()> {
        buf.write_all(include_bytes!("pm.bash"))
    }

    fn write_complete(
        &self,
        cmd: &mut clap::Command,
        args: Vec<OsString>,
        current_dir: Option<&Path>,
        buf: &mut dyn Write,
    ) -> io::Result<()> {
        Clap.write_complete(cmd, args, current_dir, buf)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{PROGRAM, VARIABLE};

    #[test]
    fn the_script_of_bash_asks_the_program_through_the_variable() {
        let script = include_str!("pm.bash");
        assert!(script.contains(&format!("{VARIABLE}=bash {PROGRAM} -- ")), "{script}");
    }
}
