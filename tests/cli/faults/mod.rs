//! What goes wrong around pm: it says so, ends in order, and neither hangs, leaks nor loses a line.

use crate::sandbox::{End, Invocation, Sandbox, has, has_program};

mod disk;
mod killed;
mod runtime_folder;
mod stopped;
mod streams;
mod surroundings;

/// Is about to run a shell script that may mount what it likes without anyone seeing it. `None`, said explicitly,
/// where that is not permitted. `$PM` is the program under test.
pub(crate) fn with_mounts(app: &Sandbox, script: &str) -> Option<Invocation> {
    let unshare = |script: &str| {
        let invocation = app.command("unshare", ["--mount", "sh", "-ec", script]);
        invocation.env("PM", crate::sandbox::PM)
    };
    let is_there = has_program("unshare")
        && has("right to mount", unshare("mount -t tmpfs tmpfs .").run().end == End::Code(0));
    is_there.then(|| unshare(script))
}
