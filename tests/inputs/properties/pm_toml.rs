//! pm.toml: read, or refused with a place inside the text.

use pm::config::ConfigError;
use pm::config::pm_toml::parse;

use super::path;
use super::text::is_one_line;

/// What must hold of every text that is read as a pm.toml.
pub fn holds(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let read = parse(text, path());
    assert_eq!(
        format!("{read:?}"),
        format!("{:?}", parse(text, path())),
        "the same text is read in the same way"
    );
    match read {
        Err(error) => error_is_sound(&error, text),
        Ok(file) => {
            let types: Vec<&str> = file.settings.types.keys().map(String::as_str).collect();
            assert_eq!(file.check_names(&types, path()), Ok(()));
            // A Procfile without any of them.
            match file.check_names(&[], path()) {
                Ok(()) => assert!(types.is_empty(), "{types:?} are nowhere"),
                Err(error) => error_is_sound(&error, text),
            }
        }
    }
}

fn error_is_sound(error: &ConfigError, text: &str) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let line = error.line.checked_sub(1).and_then(|at| text.split('\n').nth(at));
    let Some(line) = line else { panic!("beyond the end of the text: {error:?}") };
    // The place behind the last character is where something is missing.
    let columns = line.chars().count() + 1;
    assert!((1..=columns).contains(&error.column), "outside of {line:?}: {error:?}");
    is_one_line(&error.reason);
    error.hint.as_deref().map(is_one_line);
}
