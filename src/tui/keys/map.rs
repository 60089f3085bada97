//! What each key does: one key an action, and `[ui.keys]` of ui.toml may give it others.

use std::collections::BTreeMap;

use super::press::KeyPress;

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UiAction {
    /// Leaves the ui.
    Quit,
    /// Shows the keys.
    Help,
    /// The next row, or a row down.
    Down,
    /// The row before, or a row up.
    Up,
    /// The first row.
    First,
    /// The last row, and from there on what comes.
    Last,
    /// A page of output down.
    PageDown,
    /// A page of output up.
    PageUp,
    /// The left part of long lines.
    Left,
    /// The right part of long lines.
    Right,
    /// From the list to the output and back.
    Focus,
    /// Types into the program.
    Type,
    /// The output alone.
    Full,
    /// Breaks long lines.
    Wrap,
    /// Looks for a regular expression.
    Search,
    /// The next line that was looked for.
    Next,
    /// The line before that was looked for.
    Previous,
    /// Shows matching lines alone.
    Filter,
    /// Copies what is seen.
    Copy,
    /// Opens the output in a pager.
    Open,
    /// Leaves for `pm logs -f`.
    Stream,
    /// Takes all of the mouse, or none of it.
    Mouse,
    /// Restarts.
    Restart,
    /// Stops, or starts.
    Stop,
    /// One more instance.
    More,
    /// One instance fewer.
    Fewer,
    /// Types into the first of a type.
    Attach,
    /// Hides a type among all.
    Mute,
    /// A line with the time.
    Mark,
}

/// What is known of an action: its name in ui.toml, its keys, and what the help says.
struct KnownAction {
    action: UiAction,
    name: &'static str,
    keys: &'static [KeyPress],
    help: &'static str,
}

const fn known(
    action: UiAction,
    name: &'static str,
    keys: &'static [KeyPress],
    help: &'static str,
) -> KnownAction {
    KnownAction { action, name, keys, help }
}

/// In the order of the help.
const ACTIONS: [KnownAction; 29] = {
    use KeyPress::{Char, Ctrl, Enter};
    use UiAction as A;
    [
        known(A::Down, "down", &[Char('j'), KeyPress::Down], "next row, or a line down"),
        known(A::Up, "up", &[Char('k'), KeyPress::Up], "row before, or a line up"),
        known(A::First, "first", &[Char('g'), KeyPress::Home], "to the beginning"),
        known(A::Last, "last", &[Char('G'), KeyPress::End], "to the end, and follow"),
        known(A::PageUp, "page-up", &[KeyPress::PageUp, Ctrl('u'), Ctrl('b')], "output: a page up"),
        known(
            A::PageDown,
            "page-down",
            &[KeyPress::PageDown, Ctrl('d'), Ctrl('f'), Char(' ')],
            "output: a page down",
        ),
        known(A::Left, "left", &[KeyPress::Left], "output: to the left"),
        known(A::Right, "right", &[KeyPress::Right], "output: to the right"),
        known(A::Focus, "focus", &[KeyPress::Tab, KeyPress::BackTab], "list or output"),
        known(A::Search, "search", &[Char('/')], "search by regex"),
        known(A::Next, "next", &[Char('n')], "next match"),
        known(A::Previous, "previous", &[Char('N')], "match before"),
        known(A::Filter, "filter", &[Char('&')], "matching lines; Esc ends"),
        known(A::Wrap, "wrap", &[Char('w')], "wrap long lines"),
        known(A::Full, "full", &[Char('f')], "output alone, no frame"),
        known(A::Copy, "copy", &[Char('y')], "copy what is seen"),
        known(A::Open, "open", &[Char('e')], "open in $PAGER or $EDITOR"),
        known(A::Mark, "mark", &[Char('c')], "a line with the time"),
        known(A::Mute, "mute", &[Char('m')], "hide a type among all"),
        known(A::Type, "type", &[Char('i'), Enter], "type into it; Ctrl-] ends"),
        known(A::Attach, "attach", &[Char('a')], "type into a type"),
        known(A::Restart, "restart", &[Char('r')], "restart"),
        known(A::Stop, "stop", &[Char('s')], "stop, or start"),
        known(A::More, "more", &[Char('+')], "one instance more"),
        known(A::Fewer, "fewer", &[Char('-')], "one instance fewer"),
        known(A::Mouse, "mouse", &[Char('M')], "mouse on or off"),
        known(A::Stream, "stream", &[Char('S')], "leave for pm logs -f"),
        known(A::Help, "help", &[Char('?')], "these keys"),
        known(A::Quit, "quit", &[Char('q'), Ctrl('c')], "leave; nothing is stopped"),
    ]
};

/// The keys and what they do.
#[derive(Clone, Debug)]
pub struct KeyMap(BTreeMap<KeyPress, UiAction>);

impl Default for KeyMap {
    fn default() -> Self {
        let of = |known: &KnownAction| known.keys.iter().map(|key| (*key, known.action)).collect();
        Self(ACTIONS.iter().flat_map::<Vec<_>, _>(of).collect())
    }
}

impl KeyMap {
    /// Gives an action these keys instead of its own. A key that another action has is that one's no more.
    ///
    /// # Errors
    /// There is no such action, or no such key: what is wrong, for a person, and what to do.
    pub fn bind(&mut self, name: &str, keys: &[&str]) -> Result<(), (String, String)> {
        let Some(known) = ACTIONS.iter().find(|known| known.name == name) else {
            let names: Vec<_> = ACTIONS.iter().map(|known| known.name).collect();
            return Err((
                format!("unknown action `{name}`"),
                format!("it may be {}", names.join(", ")),
            ));
        };
        let mut read = Vec::new();
        for text in keys {
            let hint = "write a character, `ctrl-` and a small letter, or a name such as `enter`, `page-up`, `space`";
            let key = text.parse::<KeyPress>();
            let key = key.map_err(|()| (format!("unknown key `{text}`"), hint.to_owned()))?;
            if matches!(key, KeyPress::Char('1'..='9') | KeyPress::Esc | KeyPress::Ctrl(']')) {
                let reason = format!("the key `{text}` cannot be given to an action");
                return Err((reason, "1 to 9, Esc and Ctrl-] are fixed".to_owned()));
            }
            read.push(key);
        }
        self.0.retain(|_, action| *action != known.action);
        self.0.extend(read.into_iter().map(|key| (key, known.action)));
        Ok(())
    }

    /// Returns what a key does.
    pub fn action(&self, key: KeyPress) -> Option<UiAction> {
        self.0.get(&key).copied()
    }

    /// Returns the key that is shown for an action: the first that a person would type.
    pub fn key_of(&self, action: UiAction) -> Option<KeyPress> {
        let own =
            ACTIONS.iter().find(|known| known.action == action).map_or(&[][..], |known| known.keys);
        let is_bound = |key: &&KeyPress| self.action(**key) == Some(action);
        let of_map = || self.0.iter().find(|(_, of)| **of == action).map(|(key, _)| *key);
        own.iter().find(is_bound).copied().or_else(of_map)
    }

    /// Returns the keys of each action with what it does, for the help.
    pub fn help(&self) -> Vec<(String, &'static str)> {
        let row = |known: &KnownAction| {
            let own = known.keys.iter().filter(|key| self.action(**key) == Some(known.action));
            let others =
                self.0.iter().filter(|(key, of)| **of == known.action && !known.keys.contains(key));
            let keys = own.chain(others.map(|(key, _)| key));
            (keys.map(ToString::to_string).collect::<Vec<_>>().join(" "), known.help)
        };
        ACTIONS.iter().map(row).filter(|(keys, _)| !keys.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_action_has_a_key_that_no_other_has() {
        let map = KeyMap::default();
        let keys: usize = ACTIONS.iter().map(|known| known.keys.len()).sum();
        assert_eq!(map.0.len(), keys);
        for known in &ACTIONS {
            assert_eq!(map.action(known.keys[0]), Some(known.action));
        }
    }

    #[test]
    fn an_action_gets_other_keys_in_place_of_its_own() {
        let mut map = KeyMap::default();
        map.bind("quit", &["x", "ctrl-q"]).unwrap();
        assert_eq!(map.action(KeyPress::Char('x')), Some(UiAction::Quit));
        assert_eq!(map.action(KeyPress::Char('q')), None);
        assert_eq!(map.key_of(UiAction::Quit), Some(KeyPress::Char('x')));
        // What another had is that one's no more.
        map.bind("copy", &["r"]).unwrap();
        assert_eq!(map.key_of(UiAction::Restart), None);
    }

    #[test]
    fn what_is_no_action_and_no_key_is_told() {
        let mut map = KeyMap::default();
        assert!(map.bind("dance", &["x"]).unwrap_err().0.contains("`dance`"));
        assert!(map.bind("quit", &["hyper-x"]).unwrap_err().0.contains("`hyper-x`"));
        assert!(map.bind("quit", &["1"]).unwrap_err().1.contains("fixed"));
    }
}
