//! Computes what a program is told about its budget: MEMORY_AVAILABLE, WEB_CONCURRENCY and a heap. The rules
//! are those of Heroku's Node buildpack, except for the default of one worker: a program that does not
//! cluster must not lose half its heap.

use crate::app::size::{Size, SizeError};

/// The most workers that a budget is divided among; Heroku's own limit.
const MOST_WORKERS: u64 = 200;
/// Percent of a worker's share that its heap may take; the rest is for code, stacks and buffers.
const HEAP_PERCENT: u64 = 90;
/// A heap is a multiple of this many MiB, so that the figures are easy to say: 460, not 460.8.
const HEAP_STEP_MIB: u64 = 10;

/// What the environment or .env sets for workers, as text.
#[derive(Clone, Copy, Debug, Default)]
pub struct KnownEnv<'a> {
    /// WEB_MEMORY: what one worker needs.
    pub web_memory: Option<&'a str>,
    /// WEB_CONCURRENCY: how many workers an instance starts.
    pub web_concurrency: Option<&'a str>,
}

/// What the budget comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// MEMORY_AVAILABLE, in MiB.
    pub available_mib: u64,
    /// WEB_CONCURRENCY, where pm decides it. `None`: the user has set it.
    pub concurrency: Option<u16>,
    /// The heap of one worker. `None`: the share of a worker is too small for one.
    pub heap: Option<Size>,
}

/// Why a budget cannot be divided.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// The user's WEB_MEMORY cannot be read.
    #[error("WEB_MEMORY cannot be used: {0}")]
    WebMemory(SizeError),
}

/// Divides the budget of an instance among its workers.
///
/// WEB_CONCURRENCY is the user's own, else budget / WEB_MEMORY (1 to 200) where the user has set
/// WEB_MEMORY, else 1. The heap is 90 % of budget / WEB_CONCURRENCY, rounded down to 10 MiB. A
/// WEB_CONCURRENCY that is no number (Puma's `auto`) is left alone, and counts as one worker; so does
/// 0, with which Puma starts none beside itself.
pub fn share(budget: Size, env: KnownEnv<'_>) -> Result<Share, BudgetError> {
    let (workers, concurrency) =
        match (env.web_concurrency.map(str::trim), env.web_memory.map(str::trim)) {
            (Some(own), _) if !own.is_empty() => (own.parse::<u64>().unwrap_or(1).max(1), None),
            (_, Some(each)) if !each.is_empty() => {
                let each = Size::parse(each).map_err(BudgetError::WebMemory)?;
                let workers = (budget.bytes() / each.bytes()).clamp(1, MOST_WORKERS);
                (workers, u16::try_from(workers).ok())
            }
            _ => (1, Some(1)),
        };
    Ok(Share { available_mib: budget.mib(), concurrency, heap: heap(budget, workers) })
}

fn heap(budget: Size, workers: u64) -> Option<Size> {
    // In MiB, since 90 % of the largest Size in bytes, times 100, would not fit.
    let percent_mib = budget.mib() * HEAP_PERCENT / 100 / workers;
    Size::from_mib(percent_mib / HEAP_STEP_MIB * HEAP_STEP_MIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_become_workers_and_heaps() {
        // budget, WEB_MEMORY, WEB_CONCURRENCY -> MEMORY_AVAILABLE, WEB_CONCURRENCY by pm, heap in MiB
        type BudgetRow = (
            &'static str,
            Option<&'static str>,
            Option<&'static str>,
            u64,
            Option<u16>,
            Option<u64>,
        );
        let table: [BudgetRow; 20] = [
            ("512M", None, None, 512, Some(1), Some(460)),
            ("1G", None, None, 1024, Some(1), Some(920)),
            ("1024", Some("512"), None, 1024, Some(2), Some(460)),
            ("1G", Some("512M"), None, 1024, Some(2), Some(460)),
            ("512M", Some("1024"), None, 512, Some(1), Some(460)),
            ("14G", Some("512"), None, 14_336, Some(28), Some(460)),
            ("200G", Some("512"), None, 204_800, Some(200), Some(920)),
            ("1G", None, Some("4"), 1024, None, Some(230)),
            ("1G", Some("512"), Some("4"), 1024, None, Some(230)),
            ("1G", Some("nonsense"), Some("1"), 1024, None, Some(920)),
            ("1G", None, Some("0"), 1024, None, Some(920)),
            ("1G", None, Some("auto"), 1024, None, Some(920)),
            ("1G", None, Some("-3"), 1024, None, Some(920)),
            ("1G", None, Some(""), 1024, Some(1), Some(920)),
            ("1G", Some(""), Some(" "), 1024, Some(1), Some(920)),
            ("256M", None, None, 256, Some(1), Some(230)),
            ("12M", None, None, 12, Some(1), Some(10)),
            ("11M", None, None, 11, Some(1), None),
            ("512k", None, None, 0, Some(1), None),
            ("1G", None, Some("18446744073709551615"), 1024, None, None),
        ];
        for (budget, web_memory, web_concurrency, available_mib, concurrency, heap_mib) in table {
            let env = KnownEnv { web_memory, web_concurrency };
            let got = Size::parse(budget).map(|budget| share(budget, env));
            let expected =
                Share { available_mib, concurrency, heap: heap_mib.and_then(Size::from_mib) };
            assert_eq!(got, Ok(Ok(expected)), "{budget} {env:?}");
        }
    }

    #[test]
    fn a_web_memory_that_is_no_amount_is_refused() {
        let env = KnownEnv { web_memory: Some("lots"), web_concurrency: None };
        let refusal = Size::parse("1G").map(|budget| share(budget, env).map_err(|e| e.to_string()));
        assert_eq!(
            refusal,
            Ok(Err("WEB_MEMORY cannot be used: `lots` is not an amount of memory".into()))
        );
    }

    #[test]
    fn the_largest_budget_does_not_overflow() {
        let most = Size::from_bytes(i64::MAX.unsigned_abs())
            .map(|budget| share(budget, KnownEnv::default()).is_ok());
        assert_eq!(most, Some(true));
    }
}
