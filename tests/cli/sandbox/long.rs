//! How many cases a test with random input tries: few where a developer waits, many in CI.

#![expect(clippy::disallowed_methods, reason = "PM_CI_LONG is the caller's")]

/// How many times as many `PM_CI_LONG=1` asks for.
const LONG: u32 = 20;

/// Returns how many cases to try: `usual`, or more of them in a long run of CI.
pub(crate) fn cases(usual: u32) -> u32 {
    let is_long = std::env::var("PM_CI_LONG").is_ok_and(|value| value == "1");
    if is_long { usual.saturating_mul(LONG) } else { usual }
}
