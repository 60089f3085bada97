//! Names on the command line of a running session: `web`, `web.2`, `w*`.

use super::nearest::nearest;

/// A pattern that fits nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no instance `{pattern}` in this session")]
pub struct Unknown {
    /// What was typed.
    pub pattern: String,
    /// The nearest name that there is.
    pub nearest: Option<String>,
    /// The process types that there are.
    pub types: Vec<String>,
}

impl Unknown {
    /// Returns what could have been meant: the nearest name, else all process types.
    pub fn hint(&self) -> Option<String> {
        match &self.nearest {
            Some(nearest) => Some(format!("did you mean `{nearest}`?")),
            None if self.types.is_empty() => None,
            None => Some(format!("it has: {}", self.types.join(", "))),
        }
    }
}

/// Returns the positions of the names (`web.1`, `web.2`, …) that the patterns fit, each once, in the order
/// of `names`. A pattern without a dot is a process type; `*` and `?` stand for any text and any character.
///
/// # Errors
/// A pattern fits none.
pub fn select(patterns: &[String], names: &[String]) -> Result<Vec<usize>, Unknown> {
    let mut chosen = vec![false; names.len()];
    for pattern in patterns {
        let mut found = false;
        for (at, name) in names.iter().enumerate() {
            if fits(pattern, name) {
                chosen[at] = true;
                found = true;
            }
        }
        if !found {
            let types = names.iter().filter_map(|name| name.rsplit_once('.')).map(|(name, _)| name);
            let known = types.clone().chain(names.iter().map(String::as_str));
            let nearest = nearest(pattern, known).map(str::to_owned);
            let mut types: Vec<_> = types.map(str::to_owned).collect();
            types.dedup();
            return Err(Unknown { pattern: pattern.clone(), nearest, types });
        }
    }
    Ok((0..names.len()).filter(|at| chosen[*at]).collect())
}

/// Returns whether a pattern fits an instance's name: the whole, or that of its type.
pub fn fits(pattern: &str, name: &str) -> bool {
    let process_type = name.rsplit_once('.').map_or(name, |(process_type, _)| process_type);
    glob(pattern.as_bytes(), name.as_bytes()) || glob(pattern.as_bytes(), process_type.as_bytes())
}

/// Matches `*` and `?`; goes back to the last `*` only, so that no pattern takes long.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[t] => {
                p += 1;
                t += 1;
            }
            Some(_) | None => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from + 1));
                (p, t) = (at + 1, from + 1);
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(patterns: &[&str]) -> Result<String, Unknown> {
        let names: Vec<String> =
            ["web.1", "web.2", "web.10", "worker.1", "my-web.1"].map(str::to_owned).to_vec();
        let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
        let chosen = select(&patterns, &names)?;
        Ok(chosen.into_iter().map(|at| names[at].as_str()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn names_types_and_globs_choose_each_instance_once() {
        let table: [(&[&str], &str); 8] = [
            (&["web"], "web.1 web.2 web.10"),
            (&["web.1"], "web.1"),
            (&["web.1", "web", "web.1"], "web.1 web.2 web.10"),
            (&["w*"], "web.1 web.2 web.10 worker.1"),
            (&["*.1"], "web.1 worker.1 my-web.1"),
            (&["web.?"], "web.1 web.2"),
            (&["*"], "web.1 web.2 web.10 worker.1 my-web.1"),
            (&["*web"], "web.1 web.2 web.10 my-web.1"),
        ];
        for (patterns, expected) in table {
            assert_eq!(chosen(patterns).as_deref(), Ok(expected), "{patterns:?}");
        }
    }

    #[test]
    fn a_name_that_fits_nothing_is_an_error_with_the_nearest() {
        let error = chosen(&["web", "wrker"]).unwrap_err();
        assert_eq!(error.to_string(), "no instance `wrker` in this session");
        assert_eq!(error.hint().as_deref(), Some("did you mean `worker`?"));
        assert!(chosen(&["web.3"]).is_err());
        assert!(chosen(&["we"]).is_err());
        assert!(chosen(&[""]).is_err());
    }

    #[test]
    fn a_name_that_is_near_to_none_is_an_error_with_all_types() {
        let hint = chosen(&["postgres"]).unwrap_err().hint();
        assert_eq!(hint.as_deref(), Some("it has: web, worker, my-web"));
        let error = select(&["web".to_owned()], &[]).unwrap_err();
        assert_eq!(error.hint(), None);
    }
}
