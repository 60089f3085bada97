//! The list: each instance in a row, with as many columns as fit.

use std::collections::HashSet;

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;

use super::{cut, put, put_at, size};
use crate::control::last_minute::{SECONDS, signs};
use crate::control::proto::InstanceStatus;
use crate::tui::look::{BOLD, DIM, REVERSED};
use crate::tui::model::{Focus, UiModel};
use crate::tui::rows::Chosen;
use crate::tui::seen;
use crate::tui::sessions::{ShownSession, is_running, memory, type_of};

/// Before a name: the mark of what is chosen, and a gap.
const MARK: usize = 2;
/// An instance stands below its type.
const INDENT: usize = 2;
/// Columns of a name: as many as it has, between these. For another column it is cut to the second.
const NAME: [usize; 3] = [6, 9, 24];
/// The widest state: `● starting`.
const STATE: usize = 10;
/// `999M`, `1.2G`
const MEMORY: usize = 4;
/// `100%`
const CPU: usize = 4;
/// `:65535`
const PORT: usize = 6;
const RESTARTS: usize = 3;
/// A line that is shorter says nothing.
const SHORTEST_LINE: usize = 8;

/// What fits into a row beside the name and the state, each with the gap before it. In a narrow list some are left out,
/// those that matter least first.
struct ListColumns<'a> {
    /// Types that have a row, below which their instances stand.
    types: HashSet<(usize, &'a str)>,
    name: usize,
    memory: bool,
    cpu: bool,
    port: bool,
    restarts: bool,
    /// Columns of the lines of the last minute; 0: none.
    memory_line: usize,
    cpu_line: usize,
}

impl<'a> ListColumns<'a> {
    fn of(model: &'a UiModel, width: usize) -> Self {
        let of_row = |row: &'a Chosen| match row {
            Chosen::Type(session, of) => Some((*session, of.as_str())),
            Chosen::All | Chosen::Session(_) | Chosen::Instance(..) => None,
        };
        let types: HashSet<_> = model.rows.iter().filter_map(of_row).collect();
        let columns_of = |row: &Chosen| match row {
            Chosen::Instance(session, name) => {
                name.chars().count() + indent(&types, (*session, name))
            }
            Chosen::All | Chosen::Session(_) | Chosen::Type(..) => 0,
        };
        let [least, short, most] = NAME;
        let longest = model.rows.iter().map(columns_of).max().unwrap_or(0);
        let wanted = longest.clamp(least, most);
        let mut name = wanted.min(short);
        let mut left = width.saturating_sub(MARK + name + 1 + STATE);
        let mut fits = |column: usize| {
            let fits = left > column;
            left -= if fits { column + 1 } else { 0 };
            fits
        };
        let [memory, cpu, port, restarts] = [MEMORY, CPU, PORT, RESTARTS].map(&mut fits);
        let more = (wanted - name).min(left);
        name += more;
        left -= more;
        // As many cells as a minute has in so much room.
        let cells = |room: usize| SECONDS.div_ceil(SECONDS.div_ceil(room.saturating_sub(1).max(1)));
        let [one, two] = [left, left / 2].map(cells);
        let (memory_line, cpu_line) = match (one, two) {
            _ if !cpu => (0, 0),
            (_, two) if two >= SHORTEST_LINE => (two, two),
            (one, _) if one >= SHORTEST_LINE => (one, 0),
            _ => (0, 0),
        };
        Self { types, name, memory, cpu, port, restarts, memory_line, cpu_line }
    }
}

/// Returns how far an instance stands to the right: below its type, where that has a row.
fn indent(types: &HashSet<(usize, &str)>, (session, name): (usize, &str)) -> usize {
    if types.contains(&(session, type_of(name))) { INDENT } else { 0 }
}

pub(super) fn draw(model: &UiModel, area: Rect, buffer: &mut Buffer) {
    let columns = ListColumns::of(model, usize::from(area.width));
    let first = seen::first_row(model, usize::from(area.height));
    let rows = model.rows.iter().skip(first).zip(area.y..area.bottom());
    for (row, y) in rows {
        draw_row(model, row, &columns, (area, y), buffer);
        if *row == model.chosen {
            let at = Rect { y, height: 1, ..area };
            let style = if model.focus == Focus::List { REVERSED } else { BOLD };
            buffer.set_style(at, style);
            put(buffer, area, y, model.look.pick("▸", ">"), style);
        }
    }
    if model.rows.is_empty() {
        put(buffer, area, area.y, " waiting for the session", DIM);
    }
}

fn draw_row(
    model: &UiModel,
    row: &Chosen,
    columns: &ListColumns<'_>,
    (area, y): (Rect, u16),
    buffer: &mut Buffer,
) {
    match row {
        Chosen::All => {
            let at = put(buffer, area, y, "  all", BOLD);
            let sessions = model.sessions.iter();
            let (up, of) = sessions
                .map(|session| running(session.instances().iter()))
                .fold((0, 0), |(up, of), (more_up, more)| (up + more_up, of + more));
            put_at(buffer, area, (at + 1, y), &format!("{up}/{of}"), DIM);
        }
        Chosen::Session(session) => {
            let shown = &model.sessions[*session];
            let (up, of) = running(shown.instances().iter());
            let what = if shown.is_over { "ended".to_owned() } else { format!("{up}/{of}") };
            let label = cut(model, &shown.label, usize::from(area.width).saturating_sub(12));
            let at = put(buffer, area, y, &format!("  {label}"), BOLD);
            put_at(buffer, area, (at + 1, y), &what, DIM);
        }
        Chosen::Type(session, of) => {
            let (up, all) = running(model.sessions[*session].of_type(of));
            let name = cut(model, of, columns.name);
            let at = put(buffer, area, y, &format!("  {name}"), BOLD);
            let at = put_at(buffer, area, (at + 1, y), &format!("{up}/{all}"), DIM);
            if model.muted.contains(&(*session, of.clone())) {
                put_at(buffer, area, (at + 1, y), "hidden", DIM);
            }
        }
        Chosen::Instance(session, name) => {
            let shown = &model.sessions[*session];
            if let Some(instance) = shown.instance(name) {
                let indent = indent(&columns.types, (*session, name));
                draw_instance(model, (shown, instance, indent), columns, (area, y), buffer);
            }
        }
    }
}

/// Counts those that run, and all.
fn running<'a>(instances: impl Iterator<Item = &'a InstanceStatus>) -> (usize, usize) {
    instances
        .fold((0, 0), |(up, of), instance| (up + usize::from(is_running(instance.state)), of + 1))
}

fn draw_instance(
    model: &UiModel,
    (session, instance, indent): (&ShownSession, &InstanceStatus, usize),
    columns: &ListColumns<'_>,
    (area, y): (Rect, u16),
    buffer: &mut Buffer,
) {
    let name = cut(model, &instance.name, columns.name.saturating_sub(indent));
    let (sign, word, style) = match session.is_over {
        true => (model.look.pick("○", "-"), "ended", DIM),
        false => model.look.state(instance.state),
    };
    put(buffer, area, y, &format!("{:1$}{name}", "", MARK + indent), Style::default());
    let columns_of = |width: usize| u16::try_from(width).unwrap_or(0);
    let mut x = area.x + columns_of(MARK + columns.name + 1);
    put_at(buffer, area, (x, y), &format!("{sign} {word}"), style);
    x += columns_of(STATE + 1);
    let mut right = |text: String, width: usize, style: Style| {
        put_at(buffer, area, (x, y), &format!("{text:>width$}"), style);
        x += columns_of(width + 1);
    };
    let runs = is_running(instance.state) && !session.is_over;
    let usage = session.usage(&instance.name).filter(|_| runs);
    let of_line = |heights: Option<Vec<u8>>| {
        heights.map(|heights| signs(&heights, model.look.unicode)).unwrap_or_default()
    };
    if columns.port {
        let port = instance.port.map(|port| format!(":{port}")).unwrap_or_default();
        right(port, PORT, if runs { Style::default() } else { DIM });
    }
    if columns.memory {
        let bytes = memory(instance).filter(|_| runs);
        right(bytes.map(size).unwrap_or_default(), MEMORY, Style::default());
    }
    if columns.memory_line > 0 {
        let heights = usage.map(|usage| usage.memory_line(columns.memory_line));
        right(of_line(heights), columns.memory_line, DIM);
    }
    if columns.cpu {
        let percent = usage.and_then(|usage| usage.cpu());
        let text = percent.map(|percent| format!("{percent:.0}%")).unwrap_or_default();
        right(text, CPU, Style::default());
    }
    if columns.cpu_line > 0 {
        let heights = usage.map(|usage| usage.cpu_line(columns.cpu_line));
        right(of_line(heights), columns.cpu_line, DIM);
    }
    if columns.restarts && instance.restarts > 0 {
        let text = format!("{}{}", model.look.pick("↻", "r"), instance.restarts);
        right(text, RESTARTS, DIM);
    }
}
