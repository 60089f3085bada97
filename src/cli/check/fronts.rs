//! Findings about `proxy`: ports that do not fit, a front that is open to the network, and what has no effect.

use std::path::{Path, PathBuf};

use super::as_finding;
use crate::app::lint::{Finding, Severity};
use crate::app::{App, ProcessType, Update};
use crate::cli::resolve;

/// Returns what is wrong with the fronts of an application, or doubtful.
pub(super) fn findings(app: &App, cwd: &Path) -> Vec<Finding> {
    let wrong = resolve::check_fronts(app).err().map(|error| as_finding(&error, cwd));
    wrong.into_iter().chain(app.types.iter().flat_map(doubts)).collect()
}

fn doubts(own: &ProcessType) -> Vec<Finding> {
    let name = &own.name;
    let mut found = Vec::new();
    if let Some(front) = own.front.as_ref().filter(|front| !front.is_local()) {
        let address = front.bind.map(|address| address.to_string()).unwrap_or_default();
        let message =
            format!("the proxy of `{name}` listens on {address}: other machines can reach it");
        found.push(warning(
            "proxy-open",
            message,
            "remove `proxy-bind` to keep it on this machine",
        ));
    }
    let is_rolling = own.policy.update == Update::Rolling;
    if is_rolling && own.front.is_none() && own.share_port.is_none() {
        let message =
            format!("`{name}` has `update = \"rolling\"` and neither `proxy` nor `share-port`");
        let hint = "add `proxy = true`: two runs of an instance cannot listen on one port";
        found.push(warning("rolling-without-proxy", message, hint));
    }
    found
}

fn warning(code: &'static str, message: String, hint: &str) -> Finding {
    Finding {
        severity: Severity::Warning,
        code,
        path: PathBuf::new(),
        place: None,
        message,
        hint: Some(hint.into()),
    }
}
