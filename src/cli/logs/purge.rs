//! `pm logs --purge`: what is kept of an application is removed.

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::counted::counted;
use crate::cli::json::CommandAnswer;
use crate::state::runs::Purged;

/// The answer of `pm logs --purge`.
#[derive(Debug)]
pub(super) struct PurgeAnswer(pub(super) Purged);

/// What was removed of the runs that were kept.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::cli) struct PurgedRuns {
    /// How many runs were removed.
    removed: usize,
    /// How many still run, and stay.
    running: usize,
}

impl CommandAnswer for PurgeAnswer {
    type Object = PurgedRuns;

    fn text(&self) -> Vec<u8> {
        let Purged { removed, alive } = self.0;
        let removed = format!("removed {}", counted(removed, "run"));
        let stays = match alive {
            0 => String::new(),
            1 => "; the running session keeps its own".to_owned(),
            more => format!("; {more} running sessions keep their own"),
        };
        format!("{removed}{stays}\n").into_bytes()
    }

    fn object(self) -> PurgedRuns {
        PurgedRuns { removed: self.0.removed, running: self.0.alive }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_is_gone_and_what_stays() {
        for (removed, alive, text) in [
            (0, 0, "removed 0 runs\n"),
            (1, 0, "removed 1 run\n"),
            (4, 1, "removed 4 runs; the running session keeps its own\n"),
            (0, 2, "removed 0 runs; 2 running sessions keep their own\n"),
        ] {
            let answer = PurgeAnswer(Purged { removed, alive });
            assert_eq!(String::from_utf8(answer.text()).unwrap(), text);
        }
    }
}
