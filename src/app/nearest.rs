//! "Did you mean": the nearest of a few known names.

/// Returns the known name that is most like `wrong`, where one is like it at all.
pub(crate) fn nearest<'a>(
    wrong: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    /// Below this, names have little in common (Jaro-Winkler, 0 to 1); clap draws its line nearby.
    const ALIKE: f64 = 0.75;
    let scored = known.into_iter().map(|name| (strsim::jaro_winkler(wrong, name), name));
    let best = scored.filter(|(score, _)| *score > ALIKE).max_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_name_and_nonsense_finds_none() {
        assert_eq!(nearest("wrker", ["web", "worker", "clock"]), Some("worker"));
        assert_eq!(nearest("wbe", ["web", "worker"]), Some("web"));
        assert_eq!(nearest("zzz", ["web", "worker"]), None);
    }
}
