//! What to do about each error.

use std::io;
use std::path::Path;

use super::{Alternative, Error};

impl Error {
    /// Returns what to do about it, as a sentence without a full stop.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::ProcfileRead { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "create a Procfile with lines such as `web: node server.js`, or name one with `-f`".into()
            }
            Self::ProcfileRead { source, .. } if source.kind() == io::ErrorKind::IsADirectory => {
                "name a file with `-f`, or the application's folder with `-d`".into()
            }
            Self::EnvFileRead { source, .. } if source.kind() == io::ErrorKind::IsADirectory => {
                "name a file with `-e`".into()
            }
            Self::ConfigRead { source, .. } if source.kind() == io::ErrorKind::IsADirectory => {
                "name a file with `--config`".into()
            }
            Self::ProcfileRead { source, .. }
            | Self::EnvFileRead { source, .. }
            | Self::ConfigRead { source, .. }
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                "make the file readable to you".into()
            }
            Self::ProcfileLine { hint, .. } | Self::EnvFileLine { hint, .. } => (*hint).to_owned(),
            Self::ProcfileMissing { instead: Alternative::Procfile(path), .. } => {
                format!("name it with `-f {}`", word(path))
            }
            Self::ProcfileMissing { instead: Alternative::Package { script, .. }, .. } => {
                let script = script.as_deref().unwrap_or("NAME");
                format!("create a Procfile with a line such as `web: npm run {script}`, or name one with `-f`")
            }
            Self::ProcfileEmpty { .. } => "write one process type per line: `web: node server.js`".into(),
            Self::EnvFileRead { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "a file named with `-e` must exist; only the default `.env` is optional".into()
            }
            Self::Root { .. } => "name the application's folder with `-d`, or its Procfile with `-f`".into(),
            Self::ConfigRead { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "a pm.toml named with `--config` must exist; only the one in the root is optional".into()
            }
            Self::PortRange { .. } => "choose a lower base with `-p`".into(),
            Self::OpenFiles { .. } => "raise the limit with `ulimit -n`, or ask for fewer instances".into(),
            Self::CommandNotFound { .. } => {
                "name a process type of the Procfile or a program on PATH; use `-c` for shell text".into()
            }
            Self::NoSession { .. } => "start one with `pm start`, or name its folder with `-d`".into(),
            Self::NothingKept { .. } => {
                "a session keeps its output on a terminal, with `--daemon`, and with `--keep 64M`".into()
            }
            Self::NoRun { known, .. } if known.is_empty() => "no runs are kept for this folder".into(),
            Self::NoRun { known, .. } => {
                let known: Vec<_> = known.iter().map(u32::to_string).collect();
                format!("the kept runs are {}; `pm logs --runs` describes them", known.join(", "))
            }
            Self::AlreadyRuns { running } => {
                let name = running.first().map_or("NAME", |(name, _)| name.as_str());
                format!(
                    "`pm restart {name}` restarts it; `pm start --another` starts a second session anyway"
                )
            }
            Self::PartlyKnown { down, unknown } => {
                let known: Vec<_> = down.iter().map(|(name, _)| name.as_str()).collect();
                format!(
                    "run `pm start {}` to start what is stopped there, then `pm start {}`",
                    known.join(" "),
                    unknown.join(" ")
                )
            }
            Self::NoControl { .. } | Self::RuntimeFolder { .. } => {
                "make the folder accessible only to you (`chmod 700`), or set XDG_RUNTIME_DIR to another".into()
            }
            Self::NoStateFolder => "set HOME, or set XDG_STATE_HOME to a folder of your own".into(),
            Self::StateFolder { .. } => {
                "make the folder yours and writable, or set XDG_STATE_HOME to another".into()
            }
            Self::PortsFile { .. } => {
                "repair the file, or remove it and let pm choose new ports; `-p N` works without it".into()
            }
            Self::NoBase { path, .. } => format!(
                "remove roots that you no longer need from `{}`, or choose a base with `-p`",
                path.display()
            ),
            Self::WhichSession { .. } => "choose one with `--session PID`".into(),
            Self::Usage { hint, .. } | Self::NotInTime { hint, .. } => hint.clone(),
            Self::Refused { hint, .. }
            | Self::UnknownName { hint, .. }
            | Self::PortTaken { hint, .. }
            | Self::ConfigLine { hint, .. } => return hint.clone(),
            Self::NoOwner { .. } => {
                "`--with` takes the id of a running process: `--with $$` names the shell".into()
            }
            Self::NotASignal { .. } => "write a name such as `USR1` or a number".into(),
            Self::CommandNotExecutable { source, .. }
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                "make it executable with `chmod +x`".into()
            }
            _ => return None,
        };
        Some(hint)
    }
}

/// Returns a path as it is typed in a shell.
fn word(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "-_./+,:@%".contains(c);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
