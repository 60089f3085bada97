//! The list: each instance in a row, with as many columns as fit.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;

use super::{cut, put, put_at, size};
use crate::control::proto::InstanceStatus;
use crate::tui::look::{BOLD, DIM, REVERSED};
use crate::tui::model::{Focus, UiModel};
use crate::tui::rows::Chosen;
use crate::tui::seen;
use crate::tui::sessions::{RecentUsage, SAMPLES, ShownSession, is_running};

/// The widest column: `● starting`.
const STATE: usize = 10;
const PORT: usize = 6;
const CPU: usize = 5;
const MEMORY: usize = 6;
const RESTARTS: usize = 4;

/// What fits into a row beside the name and the state, each with the gap before it.
struct ListColumns {
    name: usize,
    port: bool,
    memory: bool,
    cpu: bool,
    restarts: bool,
    /// Width of the line of memory; 0: none.
    line: usize,
}

impl ListColumns {
    fn of(model: &UiModel, width: usize) -> Self {
        let names = model.sessions.iter().flat_map(ShownSession::instances);
        let longest = names.map(|instance| instance.name.chars().count()).max().unwrap_or(0);
        let name = longest.clamp(6, 24).min(width.saturating_sub(STATE + 4));
        let mut left = width.saturating_sub(name + STATE + 4);
        let mut fits = |column: usize| {
            let fits = left > column;
            left -= if fits { column + 1 } else { 0 };
            fits
        };
        let (port, memory, cpu, restarts) = (fits(PORT), fits(MEMORY), fits(CPU), fits(RESTARTS));
        let line = if left > 8 && memory { (left - 1).min(SAMPLES / 2) } else { 0 };
        Self { name, port, memory, cpu, restarts, line }
    }
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
    columns: &ListColumns,
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
                draw_instance(model, (shown, instance), columns, (area, y), buffer);
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
    (session, instance): (&ShownSession, &InstanceStatus),
    columns: &ListColumns,
    (area, y): (Rect, u16),
    buffer: &mut Buffer,
) {
    let name = cut(model, &instance.name, columns.name);
    let (sign, word, style) = match session.is_over {
        true => (model.look.pick("○", "-"), "ended", DIM),
        false => model.look.state(instance.state),
    };
    put(buffer, area, y, &format!("  {name}"), Style::default());
    let mut x = area.x + 3 + u16::try_from(columns.name).unwrap_or(0);
    put_at(buffer, area, (x, y), &format!("{sign} {word}"), style);
    x += u16::try_from(STATE + 1).unwrap_or(0);
    let mut right = |text: &str, width: usize, style: Style| {
        put_at(buffer, area, (x, y), &format!("{text:>width$}"), style);
        x += u16::try_from(width + 1).unwrap_or(0);
    };
    let usage = session.usage(&instance.name);
    let runs = is_running(instance.state) && !session.is_over;
    if columns.port {
        let port = instance.port.map(|port| format!(":{port}")).unwrap_or_default();
        right(&port, PORT, if runs { Style::default() } else { DIM });
    }
    if columns.memory {
        right(
            &instance.rss.filter(|_| runs).map(size).unwrap_or_default(),
            MEMORY,
            Style::default(),
        );
    }
    if columns.cpu {
        let percent = usage.and_then(|usage| usage.percent).filter(|_| runs);
        right(
            &percent.map(|percent| format!("{percent:.0}%")).unwrap_or_default(),
            CPU,
            Style::default(),
        );
    }
    if columns.restarts {
        let text = match instance.restarts {
            0 => String::new(),
            count => format!("{}{count}", model.look.pick("↻", "r")),
        };
        right(&text, RESTARTS, DIM);
    }
    if columns.line > 0 && runs {
        let line = usage.map(|usage| memory_line(model, usage, columns.line)).unwrap_or_default();
        right(&line, columns.line, DIM);
    }
}

/// Returns a minute of memory as a line: each sign is the most of its part, from nothing to the most of all.
fn memory_line(model: &UiModel, usage: &RecentUsage, width: usize) -> String {
    let signs: Vec<char> = model.look.pick("▁▂▃▄▅▆▇█", "_.-:=+*#").chars().collect();
    let most = usage.memory.iter().copied().max().unwrap_or(0).max(1);
    let per_sign = SAMPLES.div_ceil(width.max(1));
    let samples: Vec<u64> = usage.memory.iter().copied().collect();
    let sign = |part: &[u64]| {
        let of_part = part.iter().copied().max().unwrap_or(0);
        let last = signs.len() - 1;
        // A share of the last sign: it fits.
        let at = (u128::from(of_part) * last as u128 / u128::from(most)) as usize;
        signs[at.min(last)]
    };
    samples.rchunks(per_sign).map(sign).collect::<Vec<_>>().into_iter().rev().collect()
}
