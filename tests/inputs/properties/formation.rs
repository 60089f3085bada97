//! Formations: what is typed, written again and counted.

use pm::app::formation::{Count, FormationError, Part, Wish, parse};

/// Two Procfiles: one without and one with a type that is called `all`.
const NAMES: [&[&str]; 2] = [&["web", "worker", "clock"], &["web", "all"]];
/// What `auto` is here.
const CPUS: u16 = 3;

/// What must hold of every text as `-m`; the lines after the first are arguments of `pm start`, and
/// those behind a `-` are `-x`.
pub fn holds(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let mut lines = text.split('\n');
    let Some(formation) = parts(lines.next().unwrap_or_default()) else { return };
    let mut wish = Wish { formation, ..Wish::default() };
    for line in lines {
        match line.strip_prefix('-') {
            Some(name) => wish.except.push(name.to_owned()),
            None => wish.named.extend(parts(line).unwrap_or_default()),
        }
    }
    for names in NAMES {
        counts_are_what_was_asked(&wish, names);
    }
}

/// Reads a formation, and holds that what it became reads as the same.
fn parts(text: &str) -> Option<Vec<Part>> {
    let read = parse(text);
    assert_eq!(read, parse(text), "the same text is read in the same way");
    match read {
        Ok(parts) => {
            let written: Vec<String> = parts.iter().map(written).collect();
            assert_eq!(parse(&written.join(",")).as_ref(), Ok(&parts), "{written:?}");
            let typed = text.split(',').filter(|part| !part.trim().is_empty()).count();
            assert_eq!(parts.len(), typed, "no part of {text:?} is dropped");
            Some(parts)
        }
        Err(FormationError::Count { name, count }) => {
            assert!(text.contains(&name) && text.contains(&count));
            assert!(count != "auto" && count.parse::<u16>().is_err(), "{count} is a count");
            None
        }
        Err(FormationError::NoName { part }) => {
            assert!(text.contains(&part));
            None
        }
        Err(error) => panic!("the text alone does not tell: {error}"),
    }
}

fn written(part: &Part) -> String {
    match part.count {
        None => part.name.clone(),
        Some(Count::Auto) => format!("{}=auto", part.name),
        Some(Count::Number(number)) => format!("{}={number}", part.name),
    }
}

fn number(part: &Part) -> u16 {
    part.count.map_or(1, |count| count.number(|| CPUS))
}

fn counts_are_what_was_asked(wish: &Wish, names: &[&str]) {
    let default = vec![1; names.len()];
    let counts = wish.counts(names, || CPUS, &default);
    assert_eq!(counts, wish.counts(names, || CPUS, &default));
    match counts {
        Ok(counts) => {
            assert_eq!(counts.len(), names.len());
            assert!(counts.iter().any(|count| *count > 0), "a formation of nothing");
            for (name, count) in names.iter().zip(counts) {
                if wish.except.iter().any(|except| except == name) {
                    assert_eq!(count, 0, "`-x {name}`");
                } else if wish.named.is_empty() {
                    assert_eq!(count, listed(wish, names, name), "{name} of {wish:?}");
                } else if !wish.named.iter().any(|part| part.name == *name || part.name == "all") {
                    assert_eq!(count, 0, "{name} is not named in {wish:?}");
                }
            }
        }
        Err(FormationError::Unknown { name, nearest, known }) => {
            assert!(!names.contains(&name.as_str()), "{name} is known");
            assert_eq!(known, names);
            assert!(nearest.is_none_or(|nearest| names.contains(&nearest.as_str())));
        }
        Err(FormationError::Nothing) => {}
        Err(FormationError::AllExcluded { names }) => {
            assert!(names.iter().all(|name| wish.except.contains(name)), "{names:?} of {wish:?}");
        }
        Err(error) => panic!("the parts were read already: {error}"),
    }
}

/// The contract: types that are not listed run 0 times unless `all=N`; the later of two wins.
fn listed(wish: &Wish, names: &[&str], name: &str) -> u16 {
    if wish.formation.is_empty() {
        return 1;
    }
    let last = |wanted: &str| wish.formation.iter().rev().find(|part| part.name == wanted);
    let own = (name != "all" || names.contains(&"all")).then(|| last(name)).flatten();
    own.or_else(|| last("all")).map_or(0, number)
}
