//! The line below the output: what it says, cut to the width of the terminal. Pure.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::plain::without_escapes;
use crate::app::text::printable;

/// What the line says, and how much room there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusFacts {
    /// The process types, in their order.
    pub types: Vec<TypeStatus>,
    /// What keys do at present.
    pub hint: LineHint,
    /// Rows of the terminal.
    pub rows: u16,
    /// Columns of the terminal.
    pub columns: u16,
}

/// One process type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeStatus {
    /// Its name.
    pub name: String,
    /// What its instances do.
    pub state: TypeState,
    /// Its lines are not shown.
    pub is_hidden: bool,
}

/// What the instances of a type do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeState {
    /// How many run, of how many that are to run.
    Running {
        /// How many run.
        running: usize,
        /// How many are to run.
        wanted: usize,
        /// One of them has failed for good.
        has_failed: bool,
    },
    /// None runs, and one has failed for good.
    Failed,
    /// All were stopped by request.
    Stopped,
    /// All have done what they had to.
    Done,
}

/// What stands behind the types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineHint {
    /// Nothing: pm takes no keys.
    Nothing,
    /// The most important keys.
    Keys,
    /// A key waits for a digit.
    Digit {
        /// What it does.
        verb: &'static str,
        /// Enter does it to all.
        all: bool,
    },
    /// A filter.
    Filter {
        /// The pattern.
        pattern: String,
        /// It is a regular expression.
        is_valid: bool,
    },
}

/// A piece of the line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    text: String,
    /// SGR parameters; empty: none.
    style: &'static str,
}

const PLAIN: &str = "";
const DIM: &str = "2";
const RED: &str = "1;31";
const YELLOW: &str = "33";
/// Stands where a line was cut.
const CUT: &str = "..";

/// Returns the line in fewer columns than the terminal has, so that it never wraps; `hidden` is how many lines a filter
/// has hidden. Empty where there is no room for it.
pub(super) fn render(facts: &StatusFacts, hidden: Option<u64>, color: bool) -> Vec<u8> {
    let width = usize::from(facts.columns).saturating_sub(1);
    // The line takes one row, and output needs one.
    if facts.rows < 2 {
        return Vec::new();
    }
    let left = left_of(facts);
    let rights = rights_of(facts, hidden);
    let wide = |pieces: &[Piece]| pieces.iter().map(|piece| piece.text.width()).sum::<usize>();
    let fits = rights.iter().find(|right| wide(&left) + wide(right) <= width);
    let pieces = match (fits, rights.last()) {
        (Some(right), _) => [left, right.clone()].concat(),
        (None, Some(right)) if !right.is_empty() && wide(right) < width => {
            [cut(left, width - wide(right)), right.clone()].concat()
        }
        (None, _) => cut(left, width),
    };
    let mut line = Vec::new();
    for Piece { text, style } in pieces {
        match color && !style.is_empty() {
            true => line.extend(format!("\x1b[{style}m{text}\x1b[0m").into_bytes()),
            false => line.extend(text.into_bytes()),
        }
    }
    line
}

/// Returns the types; with their digits where one is asked for.
fn left_of(facts: &StatusFacts) -> Vec<Piece> {
    let mut pieces = Vec::new();
    if let LineHint::Digit { verb, .. } = facts.hint {
        pieces.push(Piece { text: format!("{verb} "), style: PLAIN });
    }
    for (at, TypeStatus { name, state, is_hidden }) in facts.types.iter().enumerate() {
        let name = printable(name);
        let (word, style) = match state {
            TypeState::Running { running, wanted, has_failed } => {
                let style = match (has_failed, running < wanted) {
                    (true, _) => RED,
                    (false, true) => YELLOW,
                    (false, false) => PLAIN,
                };
                (format!("{running}/{wanted}"), style)
            }
            TypeState::Failed => ("FAILED".to_owned(), RED),
            TypeState::Stopped => ("stopped".to_owned(), YELLOW),
            TypeState::Done => ("done".to_owned(), DIM),
        };
        let gap = if at == 0 { "" } else { "  " };
        match &facts.hint {
            LineHint::Digit { .. } if at < 9 => {
                pieces.push(Piece { text: format!("{gap}{}:{name}", at + 1), style: PLAIN });
            }
            LineHint::Digit { .. } => {}
            _ if *is_hidden => {
                pieces.push(Piece { text: format!("{gap}({name} "), style: DIM });
                pieces.push(Piece { text: word, style });
                pieces.push(Piece { text: ")".to_owned(), style: DIM });
            }
            _ => {
                pieces.push(Piece { text: format!("{gap}{name} "), style: PLAIN });
                pieces.push(Piece { text: word, style });
            }
        }
    }
    pieces
}

/// Returns what may stand behind the types, the longest first.
fn rights_of(facts: &StatusFacts, hidden: Option<u64>) -> Vec<Vec<Piece>> {
    let one = |text: String, style| vec![Piece { text, style }];
    match &facts.hint {
        LineHint::Nothing => vec![Vec::new()],
        LineHint::Keys => ["  | 1-9 only  r restart  / filter  ? keys", "  | ? keys", ""]
            .into_iter()
            .map(|text| one(text.to_owned(), DIM))
            .collect(),
        LineHint::Digit { all, .. } => {
            let enter = if *all { "  Enter:all" } else { "" };
            vec![one(format!("{enter}  Esc:none"), DIM), one(enter.to_owned(), DIM)]
        }
        LineHint::Filter { pattern, is_valid } => {
            let hidden = hidden.unwrap_or_default();
            let pattern = printable(pattern);
            let begin = |pattern: &str| match is_valid {
                true => format!("  | /{pattern} ({hidden} hidden)"),
                false => format!("  | /{pattern} (no regex yet) ({hidden} hidden)"),
            };
            let tail: String =
                pattern.chars().rev().take(20).collect::<Vec<_>>().into_iter().rev().collect();
            vec![one(begin(&pattern) + "  Esc:all", PLAIN), one(begin(&tail), PLAIN)]
        }
    }
}

/// Cuts pieces to a width, and says so.
fn cut(pieces: Vec<Piece>, width: usize) -> Vec<Piece> {
    let Some(mut left) = width.checked_sub(CUT.len()) else { return Vec::new() };
    let mut kept = Vec::new();
    for Piece { text, style } in pieces {
        let mut end = 0;
        for (at, character) in text.char_indices() {
            let columns = character.width().unwrap_or_default();
            if columns > left {
                break;
            }
            left -= columns;
            end = at + character.len_utf8();
        }
        let is_whole = end == text.len();
        kept.push(Piece { text: text[..end].to_owned(), style });
        if !is_whole {
            break;
        }
    }
    kept.push(Piece { text: CUT.to_owned(), style: PLAIN });
    kept
}

/// Returns the column behind these bytes on a terminal that is wide enough, if they begin in the column `start`.
pub(super) fn column_after(start: usize, bytes: &[u8]) -> usize {
    /// A terminal's tab stops.
    const TAB: usize = 8;
    let text = without_escapes(bytes);
    String::from_utf8_lossy(&text).chars().fold(start, |column, character| match character {
        '\t' => (column / TAB + 1) * TAB,
        character => column + character.width().unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(name: &str, running: usize, wanted: usize) -> TypeStatus {
        let state = TypeState::Running { running, wanted, has_failed: false };
        TypeStatus { name: name.to_owned(), state, is_hidden: false }
    }

    fn facts(columns: u16, hint: LineHint) -> StatusFacts {
        let css = TypeStatus { state: TypeState::Failed, ..running("css", 0, 1) };
        let types = vec![running("web", 4, 4), running("worker", 1, 1), css];
        StatusFacts { types, hint, rows: 24, columns }
    }

    fn shown(facts: &StatusFacts) -> String {
        String::from_utf8(render(facts, Some(312), false)).unwrap()
    }

    #[test]
    fn it_says_what_runs_and_which_keys_there_are_as_far_as_there_is_room() {
        let digit = || LineHint::Digit { verb: "restart", all: true };
        let filter = |is_valid| LineHint::Filter { pattern: "ke+p".to_owned(), is_valid };
        let table = [
            (
                facts(80, LineHint::Keys),
                "web 4/4  worker 1/1  css FAILED  | 1-9 only  r restart  / filter  ? keys",
            ),
            (facts(60, LineHint::Keys), "web 4/4  worker 1/1  css FAILED  | ? keys"),
            (facts(32, LineHint::Keys), "web 4/4  worker 1/1  css FAILED"),
            (facts(31, LineHint::Keys), "web 4/4  worker 1/1  css FAI.."),
            (facts(80, LineHint::Nothing), "web 4/4  worker 1/1  css FAILED"),
            (facts(80, digit()), "restart 1:web  2:worker  3:css  Enter:all  Esc:none"),
            (
                facts(80, filter(true)),
                "web 4/4  worker 1/1  css FAILED  | /ke+p (312 hidden)  Esc:all",
            ),
            (
                facts(80, filter(false)),
                "web 4/4  worker 1/1  css FAILED  | /ke+p (no regex yet) (312 hidden)  Esc:all",
            ),
            (facts(40, filter(true)), "web 4/4  worker..  | /ke+p (312 hidden)"),
            (facts(3, LineHint::Keys), ".."),
            (facts(2, LineHint::Keys), ""),
            (facts(0, LineHint::Keys), ""),
        ];
        for (facts, expected) in table {
            assert_eq!(shown(&facts), expected, "{} columns", facts.columns);
        }
        let small = StatusFacts { rows: 1, ..facts(80, LineHint::Keys) };
        assert_eq!(shown(&small), "");
    }

    #[test]
    fn every_state_has_a_word_or_a_shape_and_colour_adds_to_it() {
        let state = |state, is_hidden| TypeStatus { name: "job".to_owned(), state, is_hidden };
        let some = TypeState::Running { running: 3, wanted: 4, has_failed: true };
        let types = vec![
            state(some, false),
            state(TypeState::Stopped, false),
            state(TypeState::Done, true),
        ];
        let facts = StatusFacts { types, hint: LineHint::Nothing, rows: 9, columns: 80 };
        assert_eq!(shown(&facts), "job 3/4  job stopped  (job done)");
        let coloured = String::from_utf8(render(&facts, None, true)).unwrap();
        assert!(coloured.starts_with("job \x1b[1;31m3/4\x1b[0m  job \x1b[33mstopped\x1b[0m"));
    }

    #[test]
    fn a_wide_name_is_not_cut_inside_of_a_character() {
        let types = vec![running("中文字", 1, 1)];
        let facts = |columns| StatusFacts {
            types: types.clone(),
            hint: LineHint::Nothing,
            rows: 9,
            columns,
        };
        assert_eq!(shown(&facts(11)), "中文字 1/1");
        assert_eq!(shown(&facts(10)), "中文字 ..");
        assert_eq!(shown(&facts(8)), "中文..");
    }

    #[test]
    fn the_column_behind_a_prompt_counts_what_a_terminal_shows() {
        for (bytes, column) in [
            (&b"ab"[..], 5),
            (b"\x1b[31mab\x1b[0m", 5),
            (b"\t|", 9),
            ("中".as_bytes(), 5),
            (b"", 3),
        ] {
            assert_eq!(column_after(3, bytes), column, "{bytes:?}");
        }
    }
}
