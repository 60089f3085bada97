//! .foreman: read, or refused with a place inside the text.

use pm::config::foreman::parse;

use super::path;
use super::text::{config_error_is_sound, is_one_line, read_in_the_same_way};

/// What must hold of every text that is read as a .foreman.
pub fn holds(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    match read_in_the_same_way(|| parse(text, path())) {
        // A line of YAML may end with a CR, too.
        Err(error) => {
            config_error_is_sound(&error, &text.replace("\r\n", "\n").replace('\r', "\n"));
        }
        Ok(read) => {
            for warning in read.warnings {
                let count = text.split(['\n', '\r']).count();
                assert!((1..=count).contains(&warning.line), "beyond the text: {warning:?}");
                is_one_line(&warning.message);
                warning.hint.as_deref().map(is_one_line);
            }
        }
    }
}
