//! The copy of a session's output that outlives it: begun, and ended with how the session ended.

use std::io;
use std::path::PathBuf;

use crate::os::clock;
use crate::output::{Notice, PumpCommand, PumpHandle};
use crate::state::folder;
use crate::state::runs::{self, RunEnd, RunRecord, RunStart};

/// What is to be kept, and where.
#[derive(Clone, Debug)]
pub(crate) struct KeepPlan {
    /// pm's state folder.
    pub(crate) state: PathBuf,
    /// The folder of this application in it.
    pub(crate) root: PathBuf,
    /// Bytes of output.
    pub(crate) bytes: u64,
    /// How many runs, including this one.
    pub(crate) runs: usize,
    /// What was typed.
    pub(crate) command: Vec<String>,
    /// The process types, and those of them whose instances have a terminal.
    pub(crate) types: [Vec<String>; 2],
}

/// A run that is kept.
#[derive(Debug)]
pub(super) struct KeptRun(RunRecord);

impl KeptRun {
    /// Begins it, and lets the pump keep what comes. Runs that are too many or too old go.
    ///
    /// # Errors
    /// Nothing is kept.
    pub(super) fn begin(plan: &KeepPlan, pump: &PumpHandle) -> io::Result<Self> {
        let now = clock::unix_milliseconds();
        let [types, terminals] = plan.types.clone();
        let (pid, command) = (std::process::id(), plan.command.clone());
        let start = RunStart { at: now, pid, command, types, terminals };
        folder::make(&plan.state)?;
        let (record, keeper) = runs::begin(&plan.root, &start, plan.bytes)?;
        pump.post(PumpCommand::Keep(Box::new(keeper)));
        runs::prune(&plan.state, &plan.root, plan.runs, now);
        Ok(Self(record))
    }

    /// Says how it ended; `verdict` is what was said of it.
    pub(super) fn end(self, code: i32, verdict: &[Notice]) {
        let lines: Vec<&str> = verdict.iter().map(|notice| notice.text.as_str()).collect();
        let verdict = (!lines.is_empty()).then(|| lines.join("; "));
        // Without it, the run ended when it last wrote.
        let _ = self.0.end(&RunEnd { at: clock::unix_milliseconds(), code, verdict });
    }
}
