//! The last five minutes of what an instance with a memory budget has used: its samples are taken anyway.

use std::collections::VecDeque;
use std::time::Duration;

use crate::app::Moment;
use crate::control::proto::PastFigure;

/// How long samples are kept.
const KEPT: Duration = Duration::from_secs(300);

/// One sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PastSample {
    at: Moment,
    bytes: u64,
    /// CPU time of the processes that lived then; `None` where the system did not tell.
    cpu: Option<Duration>,
}

/// The samples of an instance, the oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct PastSamples(VecDeque<PastSample>);

impl PastSamples {
    /// Adds a sample, and drops those that are too old.
    pub(super) fn add(&mut self, at: Moment, bytes: u64, cpu: Option<Duration>) {
        while self.0.front().is_some_and(|first| at.since(first.at) > KEPT) {
            self.0.pop_front();
        }
        self.0.push_back(PastSample { at, bytes, cpu });
    }

    /// Returns them as of `now`. CPU is that since the sample before.
    pub(super) fn figures(&self, now: Moment) -> Vec<PastFigure> {
        let share = |before: &PastSample, after: &PastSample| {
            let seconds = after.at.since(before.at).as_secs_f64();
            // Where a member of the tree has ended, or another run has begun, it would be less than none.
            let used = after.cpu?.checked_sub(before.cpu?)?.as_secs_f64();
            (seconds > 0.0).then(|| 100.0 * used / seconds)
        };
        let before = std::iter::once(None).chain(self.0.iter().map(Some));
        let kept = self.0.iter().zip(before);
        let kept = kept.filter(|(sample, _)| now.since(sample.at) <= KEPT);
        kept.map(|(sample, before)| PastFigure {
            ago: now.since(sample.at).as_secs_f64(),
            memory: sample.bytes,
            cpu: before.and_then(|before| share(before, sample)),
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(at: u64) -> Moment {
        Moment(Duration::from_secs(at))
    }

    #[test]
    fn the_last_five_minutes_are_kept_and_no_share_is_negative() {
        let mut past = PastSamples::default();
        for at in 0..=1000 {
            let cpu = Duration::from_millis(500 * if at < 999 { at } else { at - 900 });
            past.add(second(at), at, Some(cpu));
        }
        let figures = past.figures(second(1000));
        assert_eq!((figures.len(), figures[0].memory), (301, 700));
        let cpu = |back: usize| figures[300 - back].cpu;
        assert_eq!((cpu(2), cpu(1), cpu(0)), (Some(50.0), None, Some(50.0)));
        assert_eq!(figures[300].ago, 0.0);
        assert!(past.figures(second(2000)).is_empty());
    }
}
