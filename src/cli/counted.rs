//! A number and what is counted.

/// Returns `1 file` or `3 files`.
pub(in crate::cli) fn counted(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}
