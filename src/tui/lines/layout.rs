//! A line in the rows of a view.

use ratatui_core::text::Span;

use super::state::StyledText;

/// The pieces of one row.
pub(crate) type RowSpans = Vec<StyledText>;

/// Returns a line in rows of so many columns: all of it where it is wrapped, else the row that begins behind `skip`
/// columns. Characters are never cut: one that is too wide for the rest of a row begins the next one.
pub(crate) fn rows_of(spans: &[StyledText], width: usize, wrap: Wrapping) -> Vec<RowSpans> {
    let mut rows: Vec<RowSpans> = vec![Vec::new()];
    let (mut column, mut skip) = match wrap {
        Wrapping::On => (0, 0),
        Wrapping::Off { skip } => (0, skip),
    };
    for (text, style) in spans {
        let span = Span::styled(text.as_str(), *style);
        for grapheme in span.styled_graphemes(*style) {
            let symbol = grapheme.symbol;
            let cells = Span::raw(symbol).width();
            if skip > 0 {
                skip = skip.saturating_sub(cells);
                continue;
            }
            if column + cells > width {
                if wrap != Wrapping::On || cells > width {
                    return rows;
                }
                rows.push(Vec::new());
                column = 0;
            }
            column += cells;
            let Some(row) = rows.last_mut() else { return rows };
            match row.last_mut() {
                Some((text, of)) if of == style => text.push_str(symbol),
                Some(_) | None => row.push((symbol.to_owned(), *style)),
            }
        }
    }
    rows
}

/// What becomes of a line that is longer than a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrapping {
    /// It goes on in the next row.
    On,
    /// It is cut, and the view begins behind so many columns.
    Off {
        /// Columns.
        skip: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui_core::style::Style;

    fn rows(text: &str, width: usize, wrap: Wrapping) -> Vec<String> {
        let spans = [(text.to_owned(), Style::default())];
        let join = |row: RowSpans| row.into_iter().map(|(text, _)| text).collect();
        rows_of(&spans, width, wrap).into_iter().map(join).collect()
    }

    #[test]
    fn lines_are_broken_or_cut_between_characters() {
        assert_eq!(rows("abcdefg", 3, Wrapping::On), ["abc", "def", "g"]);
        assert_eq!(rows("abcdefg", 3, Wrapping::Off { skip: 0 }), ["abc"]);
        assert_eq!(rows("abcdefg", 3, Wrapping::Off { skip: 5 }), ["fg"]);
        assert_eq!(rows("a中文b", 3, Wrapping::On), ["a中", "文b"]);
        assert_eq!(rows("a中文b", 2, Wrapping::On), ["a", "中", "文", "b"]);
        // A family is one character.
        let family = "👨‍👩‍👧";
        assert_eq!(rows(&format!("{family}{family}"), 3, Wrapping::On), [family, family]);
        assert_eq!(rows("", 3, Wrapping::On), [""]);
        assert_eq!(rows("中", 1, Wrapping::On), [""]);
        assert_eq!(rows("abc", 0, Wrapping::Off { skip: 0 }), [""]);
    }
}
