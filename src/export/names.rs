//! The alphabets of names: of applications, users and images, and what process types become where
//! only DNS labels are allowed.

use super::error::ExportError;

/// Longest DNS label (RFC 1123).
const DNS_LABEL: usize = 63;

/// Refuses an application name that could not stand in a file name, a unit or a DNS name.
pub fn check_app(app: &str) -> Result<(), ExportError> {
    let first = app.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    if first && app.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')) {
        return Ok(());
    }
    Err(ExportError::Name {
        what: "application's name",
        value: app.to_owned(),
        allowed: "letters, digits, `_`, `-` and `.`, and a letter or digit first",
    })
}

/// Returns `name` with everything that an application name cannot hold as `-`.
pub fn app_from(name: &str) -> String {
    let name: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.') { c } else { '-' })
        .collect();
    let name = name.trim_matches(['-', '.']);
    if name.is_empty() { "app".into() } else { name.into() }
}

/// Refuses a user name that could be read as something else in any format.
pub fn check_user(user: &str) -> Result<(), ExportError> {
    let first = user.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    if first
        && user
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '@' | '+'))
    {
        return Ok(());
    }
    Err(ExportError::Name {
        what: "user",
        value: user.to_owned(),
        allowed: "letters, digits, `_`, `-`, `.`, `@` and `+`",
    })
}

/// Refuses an image name that no registry would take.
pub fn check_image(image: &str) -> Result<(), ExportError> {
    let first = image.starts_with(|c: char| c.is_ascii_alphanumeric());
    if first
        && image
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '/' | ':' | '@' | '-'))
    {
        return Ok(());
    }
    Err(ExportError::Name {
        what: "image",
        value: image.to_owned(),
        allowed: "letters, digits, `.`, `_`, `-`, `/`, `:` and `@`",
    })
}

/// Returns `name` as a DNS label: lower case, `-` for `_` and `.`, at most 63 characters.
pub(crate) fn dns_label(name: &str) -> String {
    let label: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(DNS_LABEL)
        .collect();
    label.trim_matches('-').to_owned()
}

/// Returns what `map` makes of each name; fails where two become one, or one becomes nothing.
pub(crate) fn distinct<'a>(
    format: &'static str,
    names: impl IntoIterator<Item = &'a str>,
    map: impl Fn(&str) -> String,
) -> Result<Vec<String>, ExportError> {
    let mut out: Vec<(&str, String)> = Vec::new();
    for name in names {
        let mapped = map(name);
        if mapped.is_empty() {
            let allowed = "a letter or digit";
            return Err(ExportError::Name {
                what: "process type",
                value: name.to_owned(),
                allowed,
            });
        }
        if let Some((first, _)) = out.iter().find(|(_, other)| *other == mapped) {
            let (first, second) = ((*first).to_owned(), name.to_owned());
            return Err(ExportError::Clash { format, first, second, name: mapped });
        }
        out.push((name, mapped));
    }
    Ok(out.into_iter().map(|(_, mapped)| mapped).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_outside_their_alphabet_are_refused() {
        for app in ["shop", "my_app-2.0", "_x"] {
            assert!(check_app(app).is_ok(), "{app}");
        }
        for app in ["", "../x", "a b", "-x", ".x", "a/b", "a\nb", "é", "a%n"] {
            assert!(check_app(app).is_err(), "{app}");
        }
        assert!(check_user("a\nRootDirectory=/").is_err());
        assert!(check_image("ghcr.io/a/b:1@sha256:00").is_ok());
        assert!(check_image("a b").is_err());
    }

    #[test]
    fn a_folder_name_becomes_an_application_name() {
        assert_eq!(app_from("my app"), "my-app");
        assert_eq!(app_from("..."), "app");
        assert_eq!(app_from("shop"), "shop");
    }

    #[test]
    fn two_types_of_one_dns_name_are_refused() {
        assert_eq!(dns_label("Job_Runner"), "job-runner");
        assert!(distinct("kubernetes", ["a_b", "a-b"], dns_label).is_err());
        assert!(distinct("kubernetes", ["_"], dns_label).is_err());
        assert_eq!(
            distinct("kubernetes", ["Web", "api"], dns_label).ok(),
            Some(vec!["web".into(), "api".into()])
        );
    }
}
