//! How the shells ask, where clap's own script does not do.
//!
//! bash cuts `--procfile=sub/Pro` and `web=2` in pieces: pm's script puts them together, and gives bash back
//! the piece that it asked for. zsh loads a script from its `fpath` at the first Tab: pm's answers that Tab.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use clap_complete::env::{self, EnvCompleter};

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
        env::Bash.write_complete(cmd, args, current_dir, buf)
    }
}

/// zsh, with `source <(pm completions zsh)` or as the file `_pm` of a folder of completions.
pub(super) struct Zsh;

impl EnvCompleter for Zsh {
    fn name(&self) -> &'static str {
        "zsh"
    }

    fn is(&self, name: &str) -> bool {
        name == self.name()
    }

    fn write_registration(
        &self,
        var: &str,
        name: &str,
        bin: &str,
        completer: &str,
        buf: &mut dyn Write,
    ) -> io::Result<()> {
        env::Zsh.write_registration(var, name, bin, completer, buf)?;
        buf.write_all(b"[[ $funcstack[1] != _pm ]] || _clap_dynamic_completer_pm\n")
    }

    fn write_complete(
        &self,
        cmd: &mut clap::Command,
        args: Vec<OsString>,
        current_dir: Option<&Path>,
        buf: &mut dyn Write,
    ) -> io::Result<()> {
        env::Zsh.write_complete(cmd, args, current_dir, buf)
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
