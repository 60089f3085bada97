//! The table of `pm top`: one row an instance, with a bar against its budget and a line of its last minute.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::history::{TopHistory, TopSort};
use crate::app::text::printable;
use crate::control::last_minute::{SECONDS, signs};
use crate::control::proto::{InstanceStatus, InstanceUsage, Report};
use crate::os::pty::WindowSize;
use crate::session::messages::short;

/// Cells of a bar: as many as there is room for.
const BAR: RangeInclusive<usize> = 4..=10;
/// A line that is shorter than this says nothing, and is left out.
const SHORTEST_LINE: usize = 8;
/// The columns of the table before the line.
const HEAD: [&str; 7] = ["NAME", "STATE", "CPU", "MEM", "BUDGET", "RESTARTS", "UPTIME"];
/// The place of the budget, and of the uptime, which is the last.
const BUDGET: usize = 4;
const UPTIME: usize = 6;
/// On a terminal, columns whose texts change are as wide as most of these: `backing-off`, `100%`, `9999M`, `59m 59s`.
const WIDTHS: [usize; 7] = [0, 11, 4, 5, 0, 0, 7];
/// Between two columns.
const GAP: usize = 2;

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
        let rows = history.sorted(report, look.sort);
        let width = look.size.map_or(usize::MAX, |size| usize::from(size.columns));
        let cells: Vec<_> = rows.iter().map(|instance| row(instance, history)).collect();
        let form = TopForm::of(&rows, &cells, look);
        let (mut lines, table) = form.table(&rows, &cells, look);
        let room = if look.size.is_none() { SECONDS } else { width.saturating_sub(table + GAP) };
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

/// How much of the table is shown. Where there is no room for the line of the last minute, the bar is shortened, then the
/// budget itself is left out, then the uptime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TopForm {
    bar: usize,
    budget: bool,
    uptime: bool,
}

impl TopForm {
    const FULL: Self = Self { bar: *BAR.end(), budget: true, uptime: true };

    /// Chooses the fullest one that leaves room for a line; where none does, the fullest one that fits at all.
    fn of(rows: &[&InstanceStatus], cells: &[Vec<String>], look: TopLook) -> Self {
        let Some(size) = look.size else { return Self::FULL };
        let parts = [(true, true), (false, true), (false, false)];
        let forms = parts
            .into_iter()
            .flat_map(|(budget, uptime)| BAR.rev().map(move |bar| Self { bar, budget, uptime }));
        let forms: Vec<_> = forms.collect();
        let fits = |line: usize| {
            let mut forms = forms.iter();
            forms.find(|form| form.widths(rows, cells, look).1 + line <= usize::from(size.columns))
        };
        let found = fits(GAP + SHORTEST_LINE).or_else(|| fits(0)).or(forms.last());
        found.copied().unwrap_or(Self::FULL)
    }

    /// Returns the width of each column, and that of the table.
    fn widths(
        self,
        rows: &[&InstanceStatus],
        cells: &[Vec<String>],
        look: TopLook,
    ) -> ([usize; 7], usize) {
        let least = if look.size.is_some() { WIDTHS } else { [0; 7] };
        let widths = std::array::from_fn(|at| {
            let head = HEAD[at].len().max(least[at]);
            match at {
                BUDGET => {
                    let bars = rows.iter().filter_map(|instance| self.bar(instance, look));
                    bars.map(|bar| bar.chars().count()).max().unwrap_or(0).max(head)
                }
                _ => cells.iter().map(|row| row[at].chars().count()).max().unwrap_or(0).max(head),
            }
        });
        let columns = if self.uptime { HEAD.len() } else { UPTIME };
        let all: usize = widths[..columns].iter().sum();
        (widths, all + GAP * (columns - 1))
    }

    /// Writes the table as columns; numbers are not aligned, as in `pm ps`. Returns its lines and its width.
    fn table(
        self,
        rows: &[&InstanceStatus],
        cells: &[Vec<String>],
        look: TopLook,
    ) -> (Vec<String>, usize) {
        let (widths, all) = self.widths(rows, cells, look);
        let columns = if self.uptime { HEAD.len() } else { UPTIME };
        let line = |row: &[String]| {
            let cells = row.iter().zip(widths).take(columns);
            let cells = cells.map(|(cell, width)| format!("{cell:<width$}"));
            cells.collect::<Vec<_>>().join("  ")
        };
        let mut lines = vec![line(&HEAD.map(str::to_owned))];
        for (instance, row) in rows.iter().zip(cells) {
            let mut row = row.clone();
            if let Some(bar) = self.bar(instance, look) {
                row[BUDGET] = bar;
            }
            lines.push(line(&row));
        }
        (lines, all)
    }

    /// Returns a bar for the part of its budget that an instance uses, where it has one.
    fn bar(self, instance: &InstanceStatus, look: TopLook) -> Option<String> {
        let figures = instance.figures.as_deref()?;
        let budget = figures.budget.filter(|budget| *budget > 0)?;
        let used = figures.memory()?;
        let percent = used.saturating_mul(100) / budget;
        // What is used at all has a cell.
        let full = percent.saturating_mul(self.bar as u64).div_ceil(100);
        let full = usize::try_from(full).unwrap_or(self.bar).min(self.bar);
        let (on, off) = if look.unicode { ("█", "░") } else { ("#", ".") };
        let of = if self.budget { format!(" of {}", megabytes(budget)) } else { String::new() };
        Some(format!("{}{} {percent:>3}%{of}", on.repeat(full), off.repeat(self.bar - full)))
    }
}

/// Returns the cells of one row, without its bar and its line.
fn row(instance: &InstanceStatus, history: &TopHistory) -> Vec<String> {
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
        "-".to_owned(),
        instance.restarts.to_string(),
        or_dash(uptime.map(short)),
    ]
}

fn megabytes(bytes: u64) -> String {
    format!("{}M", bytes.div_ceil(1 << 20))
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
    use crate::control::proto::InstanceState;

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
                "NAME   STATE  CPU   MEM  BUDGET                   RESTARTS  UPTIME  CPU 60s\n\
                 db.1   up     100%  20M  -                        0         -       {gap}#\n\
                 web.1  up     25%   60M  ######....  60% of 100M  0         1m 20s  {gap}:\n"
            )
        );
        let text = TopFrame::of(&report, &history, look(true, None)).text();
        assert!(text.contains("██████░░░░  60% of 100M") && text.contains('▃'), "{text}");
    }

    #[test]
    fn at_80_columns_a_row_with_a_budget_has_its_line_and_its_columns_stay() {
        let name = "background.1";
        let mut history = TopHistory::default();
        for at in 1..=60 {
            history.add(&report(f64::from(at), &[(name, f64::from(at) * 0.3, 300 << 20)]));
        }
        let rows = |columns, state, uptime| {
            let mut last = report(61.0, &[(name, 18.3, 480 << 20)]);
            last.instances[0].figures.as_mut().unwrap().budget = Some(512 << 20);
            (last.instances[0].state, last.instances[0].uptime) = (state, Some(uptime));
            TopFrame::of(&last, &history, look(false, Some((24, columns)))).lines
        };
        let narrow = rows(80, InstanceState::Up, 80.0);
        let [head, row, _] = &narrow[..] else { panic!("{narrow:?}") };
        assert_eq!(
            (head.as_str(), row.as_str()),
            (
                "NAME          STATE        CPU   MEM    BUDGET       RESTARTS  UPTIME   CPU 60s",
                "background.1  up           30%   480M   ######  93%  0         1m 20s   ::::::::",
            )
        );
        let begins = |head: &str| HEAD.map(|column| head.find(column));
        let crashed = rows(80, InstanceState::BackingOff, 7.0);
        assert_eq!(begins(&crashed[0]), begins(head));
        assert!(rows(76, InstanceState::Up, 80.0)[0].ends_with("RESTARTS  CPU 60s"));
        let whole = rows(100, InstanceState::Up, 80.0);
        assert!(whole[1].contains("##########  93% of 512M  0 "), "{whole:?}");
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
