//! The codes of errors, from the list that `--json` prints them by.

use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::json::schema;

/// Returns a paragraph for each code.
pub(super) fn codes() -> String {
    let mut roff = Roff::new();
    for (code, meaning) in schema::codes() {
        roff.control("TP", []);
        roff.text([bold(code)]);
        roff.text([roman(meaning)]);
    }
    roff.to_roff()
}
