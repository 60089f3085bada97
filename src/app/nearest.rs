//! "Did you mean": finds the most similar of a few known names.

/// Returns the known name that is most like `wrong`, where one is like it at all: a third of its letters
/// may be wrong, missing or swapped.
pub(crate) fn nearest<'a>(
    wrong: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let measured = known.into_iter().map(|name| (strsim::damerau_levenshtein(wrong, name), name));
    let alike = measured.filter(|(distance, name)| *distance <= name.chars().count().div_ceil(3));
    alike.min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
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
