//! `[ui.keys]` of the user's ui.toml: keys that a person would rather have.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::app::text::printable;
use crate::cli::sources::Sources;
use crate::config::line_and_column;
use crate::error::Error;
use crate::tui::KeyMap;

/// What is wrong, for a person, and what to do.
type Wrong = (String, Option<String>);

/// Reads the file of the user: `$XDG_CONFIG_HOME/pm/ui.toml`, else `~/.config/pm/ui.toml`. One that is not there says
/// nothing.
///
/// # Errors
/// It cannot be read, or says what is not known.
pub(super) fn of_user(sources: &Sources) -> Result<KeyMap, Error> {
    let Some(path) = path(sources) else { return Ok(KeyMap::default()) };
    match std::fs::read_to_string(&path) {
        Ok(text) => parse(&text, &path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(KeyMap::default()),
        Err(source) => Err(Error::ConfigRead { path, source }),
    }
}

fn path(sources: &Sources) -> Option<PathBuf> {
    let folder = |key: &str| sources.var(key).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|it| it.join(".config")));
    config.map(|config| config.join("pm/ui.toml"))
}

fn parse(text: &str, path: &Path) -> Result<KeyMap, Error> {
    let refused = |at: usize, (reason, hint): Wrong| {
        let (line, column) = line_and_column(text, at);
        Error::ConfigLine { path: path.to_owned(), line, column, reason, hint }
    };
    let table = DeTable::parse(text).map_err(|error| {
        let reason = error.message().lines().next().unwrap_or("not TOML").to_owned();
        refused(error.span().map_or(0, |span| span.start), (reason, None))
    })?;
    let mut keys = KeyMap::default();
    let ui = inner(table.get_ref(), "ui");
    let ui = ui.map_err(|(at, wrong)| refused(at, wrong))?;
    let bound = ui.map(|ui| inner(ui, "keys")).transpose();
    let bound = bound.map_err(|(at, wrong)| refused(at, wrong))?.flatten();
    for (name, value) in bound.into_iter().flat_map(DeTable::iter) {
        let typed = texts(value).map_err(|wrong| refused(value.span().start, wrong))?;
        keys.bind(name.get_ref(), &typed).map_err(|(reason, hint)| {
            let is_of_name = reason.starts_with("unknown action");
            let at = if is_of_name { name.span().start } else { value.span().start };
            refused(at, (reason, Some(hint)))
        })?;
    }
    Ok(keys)
}

/// Returns the only table that a table may have.
fn inner<'a, 'b>(
    table: &'b DeTable<'a>,
    name: &str,
) -> Result<Option<&'b DeTable<'a>>, (usize, Wrong)> {
    if let Some((key, _)) = table.iter().find(|(key, _)| *key.get_ref() != name) {
        let reason = format!("unknown key `{}`", printable(key.get_ref()));
        let hint = "this file has `[ui.keys]` alone".to_owned();
        return Err((key.span().start, (reason, Some(hint))));
    }
    let Some((_, value)) = table.iter().next() else { return Ok(None) };
    match value.get_ref() {
        DeValue::Table(inner) => Ok(Some(inner)),
        _ => Err((value.span().start, (format!("`{name}` is not a table"), None))),
    }
}

/// Returns one key, or several.
fn texts<'b>(value: &'b Spanned<DeValue<'_>>) -> Result<Vec<&'b str>, Wrong> {
    let wrong = || {
        let hint = "write \"q\", or [\"q\", \"ctrl-q\"]".to_owned();
        ("it is neither a key nor a list of keys".to_owned(), Some(hint))
    };
    let text = |value: &'b DeValue<'_>| match value {
        DeValue::String(text) => Ok(&**text),
        _ => Err(wrong()),
    };
    match value.get_ref() {
        DeValue::Array(list) => list.iter().map(|one| text(one.get_ref())).collect(),
        one => Ok(vec![text(one)?]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::{KeyPress, UiAction};

    #[test]
    fn keys_are_read_one_or_several() {
        let text = "[ui.keys]\nquit = \"x\"\nsearch = [\"s\", \"ctrl-f\"]\n";
        let keys = parse(text, Path::new("ui.toml")).unwrap();
        assert_eq!(keys.action(KeyPress::Char('x')), Some(UiAction::Quit));
        assert_eq!(keys.action(KeyPress::Char('q')), None);
        assert_eq!(keys.action(KeyPress::Ctrl('f')), Some(UiAction::Search));
        assert_eq!(keys.action(KeyPress::Char('j')), Some(UiAction::Down));
        assert!(parse("", Path::new("ui.toml")).is_ok());
    }

    #[test]
    fn what_is_not_known_is_told_with_its_place() {
        for (text, expected) in [
            ("[ui.keys]\ndance = \"x\"\n", "ui.toml:2:1: unknown action `dance`"),
            ("[ui.keys]\nquit = \"hyper-x\"\n", "ui.toml:2:8: unknown key `hyper-x`"),
            ("[ui.keys]\nquit = \"3\"\n", "ui.toml:2:8: the key `3` cannot be given to an action"),
            ("[ui.keys]\nquit = 3\n", "ui.toml:2:8: it is neither a key nor a list of keys"),
            ("\n[ui]\ncolor = 1\n", "ui.toml:3:1: unknown key `color`"),
            ("keys = 1\n", "ui.toml:1:1: unknown key `keys`"),
            ("ui = 1\n", "ui.toml:1:6: `ui` is not a table"),
        ] {
            let error = parse(text, Path::new("ui.toml")).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }
}
