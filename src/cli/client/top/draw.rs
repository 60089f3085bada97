//! The table of `pm top`: one row an instance, with a bar against its budget and a line of its last minute.

use std::time::Duration;

use super::history::{TopHistory, TopSort};
use crate::app::text::printable;
use crate::control::last_minute::{SECONDS, signs};
use crate::control::proto::{InstanceStatus, InstanceUsage, Report};
use crate::os::pty::WindowSize;
use crate::session::messages::short;

/// Cells of a bar.
const BAR: usize = 10;
/// A line that is shorter than this says nothing, and is left out.
const SHORTEST_LINE: usize = 8;

/// How the table looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct TopLook {
    /// Whether the terminal shows more than ASCII.
    pub(super) unicode: bool,
    /// The size of the terminal; `None`: it is no terminal.
    pub(super) size: Option<WindowSize>,
    pub(super) sort: TopSort,
}

/// One table.
#[derive(Debug)]
pub(super) struct TopFrame {
    lines: Vec<String>,
}

impl TopFrame {
    /// Draws what a session has said.
    pub(super) fn of(report: &Report, history: &TopHistory, look: TopLook) -> Self {
        let line_of = if look.sort == TopSort::Memory { "MEM 60s" } else { "CPU 60s" };
        let head = ["NAME", "STATE", "CPU", "MEM", "BUDGET", "RESTARTS", "UPTIME", line_of];
        let rows = history.sorted(report, look.sort);
        let mut cells: Vec<Vec<String>> = vec![head.map(str::to_owned).to_vec()];
        cells.extend(rows.iter().map(|instance| row(instance, history, look)));
        let mut lines = aligned(&cells);
        let width = look.size.map_or(usize::MAX, |size| usize::from(size.columns));
        let table = lines.first().map_or(0, |line| line.chars().count());
        let room = if look.size.is_none() { SECONDS } else { width.saturating_sub(table + 2) };
        let length = room.min(SECONDS);
        for (at, line) in lines.iter_mut().enumerate() {
            match at.checked_sub(1).and_then(|at| rows.get(at)) {
                _ if length < SHORTEST_LINE => {}
                None => line.push_str(&format!("  {line_of}")),
                Some(instance) => {
                    line.push_str("  ");
                    line.push_str(&last_minute(instance, history, look, length));
                }
            }
            *line = line.trim_end().chars().take(width).collect();
        }
        if let Some(size) = look.size {
            let room = usize::from(size.rows).saturating_sub(2).max(1);
            lines.truncate(room);
            let keys = "c cpu  m memory  r restarts  n name  q quit";
            lines.push(keys.chars().take(width).collect());
        }
        Self { lines }
    }

    /// Returns the lines.
    pub(super) fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }

    /// Returns what takes the place of the table before on a terminal. Nothing scrolls.
    pub(super) fn screen(&self) -> String {
        let lines: Vec<_> = self.lines.iter().map(|line| format!("{line}\x1b[K\n")).collect();
        format!("\x1b[H{}\x1b[J", lines.concat())
    }
}

/// Returns the cells of one row, without its line.
fn row(instance: &InstanceStatus, history: &TopHistory, look: TopLook) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let uptime = instance.uptime.and_then(|it| Duration::try_from_secs_f64(it).ok());
    let figures = instance.figures.as_deref();
    let memory = figures.and_then(InstanceUsage::memory);
    let runs = memory.is_some();
    vec![
        printable(&instance.name),
        instance.state.word().to_owned(),
        or_dash(history.cpu(&instance.name).filter(|_| runs).map(|cpu| format!("{cpu:.0}%"))),
        or_dash(memory.map(megabytes)),
        or_dash(figures.and_then(|figures| bar(figures, look.unicode))),
        instance.restarts.to_string(),
        or_dash(uptime.map(short)),
    ]
}

/// Writes cells as columns; numbers are not aligned, as in `pm ps`.
fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).min().unwrap_or(0);
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let one = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ")
    };
    rows.iter().map(one).collect()
}

fn megabytes(bytes: u64) -> String {
    format!("{}M", bytes.div_ceil(1 << 20))
}

/// Returns a bar for the part of its budget that an instance uses, where it has one.
fn bar(figures: &InstanceUsage, unicode: bool) -> Option<String> {
    let budget = figures.budget.filter(|budget| *budget > 0)?;
    let used = figures.memory()?;
    let percent = used.saturating_mul(100) / budget;
    // What is used at all has a cell.
    let full = usize::try_from(percent.saturating_mul(BAR as u64).div_ceil(100)).unwrap_or(BAR);
    let full = full.min(BAR);
    let (on, off) = if unicode { ("█", "░") } else { ("#", ".") };
    Some(format!(
        "{}{} {percent}% of {}",
        on.repeat(full),
        off.repeat(BAR - full),
        megabytes(budget)
    ))
}

/// Returns the last minute of what the rows are sorted by, else of CPU, the newest at the right.
fn last_minute(
    instance: &InstanceStatus,
    history: &TopHistory,
    look: TopLook,
    length: usize,
) -> String {
    let Some(minute) = history.of(&instance.name) else { return String::new() };
    let heights = match look.sort {
        TopSort::Memory => minute.memory_line(length),
        TopSort::Cpu | TopSort::Restarts | TopSort::Name => minute.cpu_line(length),
    };
    // As long as a whole minute would be.
    let whole = SECONDS.div_ceil(SECONDS.div_ceil(length.max(1)));
    " ".repeat(whole.saturating_sub(heights.len())) + &signs(&heights, look.unicode)
}

#[cfg(test)]
mod tests {
    use super::super::history::tests::report;
    use super::*;

    fn look(unicode: bool, size: Option<(u16, u16)>) -> TopLook {
        let size = size.map(|(rows, columns)| WindowSize { rows, columns });
        TopLook { unicode, size, sort: TopSort::Cpu }
    }

    fn two() -> (Report, TopHistory) {
        let mut history = TopHistory::default();
        history.add(&report(1.0, &[("web.1", 0.0, 50 << 20), ("db.1", 0.0, 20 << 20)]));
        let mut last = report(2.0, &[("web.1", 0.25, 60 << 20), ("db.1", 1.0, 20 << 20)]);
        history.add(&last);
        last.instances[0].figures.as_mut().unwrap().budget = Some(100 << 20);
        last.instances[0].uptime = Some(80.0);
        (last, history)
    }

    #[test]
    fn a_table_has_a_row_an_instance_with_a_bar_and_a_line() {
        let (report, history) = two();
        let text = TopFrame::of(&report, &history, look(false, None)).text();
        let gap = " ".repeat(59);
        assert_eq!(
            text,
            format!(
                "NAME   STATE  CPU   MEM  BUDGET                  RESTARTS  UPTIME   CPU 60s\n\
                 db.1   up     100%  20M  -                       0         -        {gap}#\n\
                 web.1  up     25%   60M  ######.... 60% of 100M  0         1m 20s   {gap}:\n"
            )
            .replace("UPTIME   C", "UPTIME  C")
            .replace("        -        ", "        -       ")
            .replace("1m 20s   ", "1m 20s  ")
        );
        let text = TopFrame::of(&report, &history, look(true, None)).text();
        assert!(text.contains("██████░░░░ 60% of 100M") && text.contains('▃'), "{text}");
    }

    #[test]
    fn a_table_is_cut_to_the_terminal_and_never_scrolls_it() {
        let (report, history) = two();
        for (rows, columns) in [(24, 80), (3, 40), (1, 1), (200, 200)] {
            let frame = TopFrame::of(&report, &history, look(true, Some((rows, columns))));
            let widest = frame.lines.iter().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= usize::from(columns), "{rows} x {columns}: {widest}");
            assert!(frame.lines.len() <= usize::from(rows).max(2), "{rows} x {columns}");
        }
        let frame = TopFrame::of(&report, &history, look(true, Some((24, 80))));
        assert!(frame.lines.last().unwrap().contains("q quit"));
        assert!(frame.screen().starts_with("\x1b[HNAME"));
    }
}
