//! `pm attach`: the terminal of one instance.

use std::io;

mod outgoing;
mod terminal;

use super::args::AttachArgs;
use super::find;
use crate::cli::diagnostics;
use crate::cli::sources::Sources;
use crate::error::Error;
use terminal::Ended;

/// Shows the terminal and types on it, until Ctrl-] or its end.
pub(crate) fn attach(args: &AttachArgs, sources: &Sources) -> Result<i32, Error> {
    let names = std::slice::from_ref(&args.name);
    let session = find::one(&args.target, sources, names, find::has_instances)?;
    let chosen = find::chosen(&session.report, names)?;
    let [at] = chosen[..] else {
        let all: Vec<_> =
            chosen.iter().map(|at| session.report.instances[*at].name.as_str()).collect();
        return Err(Error::Refused {
            reason: format!("`{}` is not a single instance", args.name),
            hint: Some(format!("choose one of {}", all.join(", "))),
        });
    };
    let name = &session.report.instances[at].name;
    if !io::IsTerminal::is_terminal(&io::stdin()) || !sources.stdout_is_terminal {
        return Err(Error::Usage {
            reason: "`pm attach` needs a terminal for its input and output".to_owned(),
            hint: format!("`pm logs -f {}` shows the output without one", args.name),
        });
    }
    diagnostics::release();
    // In raw mode a line feed goes straight down.
    let begin = || diagnostics::note(&format!("attached to {name}; Ctrl-] detaches\r"));
    match terminal::attach(&session.endpoint.socket, name, begin)? {
        Ended::Detached { unsent: 0 } => diagnostics::note(&format!("detached from {name}")),
        Ended::Detached { unsent } => diagnostics::note(&format!(
            "detached from {name}; it did not read the last {unsent} bytes that were typed, and they are lost"
        )),
        Ended::Over => diagnostics::note(&format!("{name} has ended")),
        Ended::Signal(signal) => return Ok(128 + signal.0),
        Ended::Unseen => {}
    }
    Ok(0)
}
