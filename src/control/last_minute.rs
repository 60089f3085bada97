//! What a client has seen of an instance in the last minute, and the line that shows it.

use std::collections::VecDeque;

use super::proto::InstanceUsage;

/// How many seconds a line shows: as many samples, one a second.
pub const SECONDS: usize = 60;
/// The highest of the heights of a line; the lowest is 0. Eight signs are enough for each terminal.
pub const HIGHEST: u8 = 7;
/// Memory that has changed by less than this part of its most is shown as flat: pages come and go.
const STILL: f64 = 1.0 / 8.0;

/// The last minute of one instance.
#[derive(Clone, Debug, Default)]
pub struct LastMinute {
    /// When it was last seen, on the session's clock, and the CPU time by then, in seconds.
    last: Option<(f64, f64)>,
    cpu: VecDeque<f64>,
    memory: VecDeque<f64>,
    budget: f64,
}

impl LastMinute {
    /// Adds what a session has said; `at` is when it looked, in seconds on its clock.
    pub fn add(&mut self, at: f64, figures: &InstanceUsage) {
        if self.last.is_none() {
            let newest = figures.past.len().saturating_sub(SECONDS);
            self.cpu.extend(figures.past[newest..].iter().map(|past| past.cpu.unwrap_or(0.0)));
            self.memory.extend(figures.past[newest..].iter().map(|past| bytes(past.memory)));
        }
        if let Some((before, cpu)) = self.last
            && at > before
        {
            self.cpu.push_back(100.0 * (figures.cpu_total - cpu).max(0.0) / (at - before));
        }
        self.memory.push_back(bytes(figures.memory().unwrap_or(0)));
        self.budget = bytes(figures.budget.unwrap_or(0));
        self.last = Some((at, figures.cpu_total));
        self.cpu.drain(..self.cpu.len().saturating_sub(SECONDS));
        self.memory.drain(..self.memory.len().saturating_sub(SECONDS));
    }

    /// Returns the per cent of one CPU that was used between the last two looks; `None` at the first.
    pub fn cpu(&self) -> Option<f64> {
        self.cpu.back().copied()
    }

    /// Returns the minute of CPU as heights, the oldest first, in no more than so many cells: against one CPU, or the most
    /// that was used where that is more.
    pub fn cpu_line(&self, cells: usize) -> Vec<u8> {
        let most = self.cpu.iter().copied().fold(100.0, f64::max);
        heights(&self.cpu, (0.0, most), cells)
    }

    /// Returns the minute of memory as heights, the oldest first, in no more than so many cells: against the budget where
    /// there is one, else from the least to the most that was used.
    pub fn memory_line(&self, cells: usize) -> Vec<u8> {
        let most = self.memory.iter().copied().fold(self.budget, f64::max);
        if self.budget > 0.0 {
            return heights(&self.memory, (0.0, most), cells);
        }
        let least = self.memory.iter().copied().fold(most, f64::min);
        heights(&self.memory, (least, most.max(least + most * STILL)), cells)
    }
}

/// Returns heights as signs, for a terminal that shows more than ASCII or does not.
pub fn signs(heights: &[u8], unicode: bool) -> String {
    let signs: Vec<char> = (if unicode { "▁▂▃▄▅▆▇█" } else { "_.:-=+*#" }).chars().collect();
    heights.iter().map(|height| signs[usize::from((*height).min(HIGHEST))]).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a line has eight heights")]
fn bytes(count: u64) -> f64 {
    count as f64
}

/// Returns values as heights between the ends of a range. Where a minute has no place, each is the highest of several.
fn heights(values: &VecDeque<f64>, (least, most): (f64, f64), cells: usize) -> Vec<u8> {
    let each = SECONDS.div_ceil(cells.max(1));
    let values: Vec<f64> = values.iter().copied().collect();
    let height = |values: &[f64]| {
        let value = values.iter().copied().fold(least, f64::max);
        let share = if most > least { (value - least) / (most - least) } else { 0.0 };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 7")]
        let height = (share.clamp(0.0, 1.0) * f64::from(HIGHEST)).round() as u8;
        height
    };
    let mut line: Vec<u8> = values.rchunks(each).map(height).collect();
    line.reverse();
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::proto::PastFigure;

    fn figures(cpu_total: f64, megabytes: u64) -> InstanceUsage {
        InstanceUsage { cpu_total, rss: Some(megabytes << 20), ..InstanceUsage::default() }
    }

    /// Returns the minute of these samples, one a second.
    fn minute(samples: &[(f64, u64)]) -> LastMinute {
        let mut minute = LastMinute::default();
        for (at, (cpu, megabytes)) in (1_u32..).zip(samples) {
            minute.add(f64::from(at), &figures(*cpu, *megabytes));
        }
        minute
    }

    #[test]
    fn cpu_is_what_was_used_between_two_looks_and_never_less_than_nothing() {
        assert_eq!(minute(&[(5.0, 1)]).cpu(), None);
        let mut seen = minute(&[(5.0, 1), (5.5, 1)]);
        assert_eq!(seen.cpu(), Some(50.0));
        seen.add(4.0, &figures(9.5, 1));
        assert_eq!(seen.cpu(), Some(200.0));
        seen.add(5.0, &figures(1.0, 1));
        assert_eq!(seen.cpu(), Some(0.0));
        // The same look, told twice.
        seen.add(5.0, &figures(1.0, 1));
        assert_eq!(seen.cpu(), Some(0.0));
    }

    #[test]
    fn cpu_stands_against_one_cpu_or_its_most() {
        assert_eq!(minute(&[(0.0, 1), (0.0, 1), (0.5, 1), (1.5, 1)]).cpu_line(60), [0, 4, 7]);
        assert_eq!(minute(&[(0.0, 1), (3.0, 1), (3.0, 1)]).cpu_line(60), [7, 0]);
        assert_eq!(
            (signs(&[0, 4, 7], true), signs(&[0, 4, 7], false)),
            ("▁▅█".into(), "_=#".into())
        );
    }

    #[test]
    fn memory_stands_between_its_least_and_its_most_or_against_the_budget() {
        assert_eq!(minute(&[(0.0, 60), (0.0, 90), (0.0, 120)]).memory_line(60), [0, 4, 7]);
        // Little that comes and goes is no mountain.
        assert_eq!(minute(&[(0.0, 800), (0.0, 801), (0.0, 800)]).memory_line(60), [0, 0, 0]);
        assert_eq!(minute(&[(0.0, 0)]).memory_line(60), [0]);
        let mut budgeted = LastMinute::default();
        for (at, megabytes) in [(1.0, 50), (2.0, 100), (3.0, 25)] {
            budgeted.add(at, &InstanceUsage { budget: Some(100 << 20), ..figures(0.0, megabytes) });
        }
        assert_eq!(budgeted.memory_line(60), [4, 7, 2]);
    }

    #[test]
    fn what_does_not_fit_one_by_one_is_the_highest_of_several() {
        let samples = [(0.0, 10), (0.0, 30), (0.0, 20), (0.0, 10)];
        assert_eq!(minute(&samples).memory_line(30), [7, 4]);
        assert_eq!(minute(&[(0.0, 10); 100]).memory_line(60).len(), SECONDS);
        assert_eq!(minute(&[(0.0, 10); 100]).memory_line(7).len(), 7);
        assert_eq!(minute(&[(0.0, 10); 100]).memory_line(0).len(), 1);
    }

    #[test]
    fn the_minute_before_the_first_look_is_there_where_the_session_has_it() {
        let mut minute = LastMinute::default();
        let past = |ago: u32| PastFigure {
            ago: f64::from(ago),
            memory: u64::from(ago) << 20,
            cpu: Some(50.0),
        };
        let past: Vec<_> = (1..=100).rev().map(past).collect();
        minute.add(1.0, &InstanceUsage { past, ..figures(0.0, 1) });
        assert_eq!((minute.cpu_line(60).len(), minute.memory_line(60).len()), (60, 60));
        assert_eq!(minute.memory_line(60)[0], HIGHEST);
    }
}
