//! pm.toml: read, or refused with a place inside the text.

use pm::config::pm_toml::parse;

use super::path;
use super::text::{config_error_is_sound, read_in_the_same_way};

/// What must hold of every text that is read as a pm.toml.
pub fn holds(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    match read_in_the_same_way(|| parse(text, path())) {
        Err(error) => config_error_is_sound(&error, text),
        Ok(file) => {
            let types: Vec<&str> = file.layer.types.keys().map(String::as_str).collect();
            assert_eq!(file.check_names(&types, path()), Ok(()));
            // A Procfile without any of them.
            match file.check_names(&[], path()) {
                Ok(()) => assert!(types.is_empty(), "{types:?} are nowhere"),
                Err(error) => config_error_is_sound(&error, text),
            }
        }
    }
}
