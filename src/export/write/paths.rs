//! The paths that a format can write for an application: nothing else is ever removed.
//!
//! A format lists them as patterns: `APP` is the application, `TYPE` a process type, `N` the number of an
//! instance.

use crate::export::Format;

/// What follows the application's name where every instance has its own file.
const INSTANCE: &str = "-TYPE-N";
/// What follows it where every process type has its own file.
const TYPE: &str = "-TYPE";

/// Returns whether the format can write `path`, below the export's folder, for the application.
pub(crate) fn can_be(format: &Format, app: &str, path: &str) -> bool {
    format.paths.iter().any(|pattern| matches(pattern, app, path))
}

/// Returns whether the format can write something into the folder `name` of the export's folder.
pub(crate) fn can_be_folder(format: &Format, app: &str, name: &str) -> bool {
    let folders = format.paths.iter().filter_map(|pattern| pattern.split_once('/'));
    folders.into_iter().any(|(folder, _)| matches(folder, app, name))
}

fn matches(pattern: &str, app: &str, path: &str) -> bool {
    let (patterns, names) = (pattern.split('/'), path.split('/'));
    patterns.clone().count() == names.clone().count()
        && patterns.zip(names).all(|(pattern, name)| is_made_of(pattern, app, name))
}

/// Returns whether a pattern without a slash can make a name.
fn is_made_of(pattern: &str, app: &str, name: &str) -> bool {
    let Some(rest) = pattern.strip_prefix("APP") else {
        return pattern == name;
    };
    let Some(name) = name.strip_prefix(app) else {
        return false;
    };
    let middle = |suffix| name.strip_prefix('-').and_then(|name| name.strip_suffix(suffix));
    if let Some(suffix) = rest.strip_prefix(INSTANCE) {
        return middle(suffix).is_some_and(is_instance);
    }
    match rest.strip_prefix(TYPE) {
        Some(suffix) => middle(suffix).is_some_and(is_type),
        None => rest == name,
    }
}

/// The alphabet of a Procfile's names.
fn is_type(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

fn is_instance(text: &str) -> bool {
    let Some((process_type, number)) = text.rsplit_once('-') else {
        return false;
    };
    let is_number = number.parse::<u16>().is_ok_and(|parsed| parsed.to_string() == number);
    is_type(process_type) && is_number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_formats_own_where_a_pattern_makes_it_of_this_application() {
        let table = [
            ("APP.target", "shop.target", true),
            ("APP.target", "shopping.target", false),
            ("APP.target", "shop-web.target", false),
            ("APP-TYPE.target", "shop-web.target", true),
            ("APP-TYPE.target", "shop-.target", false),
            ("APP-TYPE.target", "shop-web.old.target", false),
            ("APP-TYPE-N.service", "shop-web-1.service", true),
            ("APP-TYPE-N.service", "shop-a-b_C-65535.service", true),
            ("APP-TYPE-N.service", "shop-web-1.service.bak", false),
            ("APP-TYPE-N.service", "shop-web-01.service", false),
            ("APP-TYPE-N.service", "shop-web-70000.service", false),
            ("APP-TYPE-N.service", "shop-web-+1.service", false),
            ("APP-TYPE-N.service", "shop-copy.service", false),
            ("APP-TYPE-N.service", "my-shop-web-1.service", false),
            ("APP-TYPE-N.service", "shopping-web-1.service", false),
            ("APP-TYPE-N/log/run", "shop-web-1/log/run", true),
            ("APP-TYPE-N/run", "shop-web-1/log/run", false),
            ("APP-TYPE-N/run", "shop-web-1/run~", false),
            ("APP-TYPE-N-log/run", "shop-web-1-log/run", true),
            ("APP-TYPE-N-log/run", "shop-web-1/run", false),
            ("APP-TYPE-N/dependencies.d/APP-TYPE-N", "shop-a-1/dependencies.d/shop-b-2", true),
            ("APP-TYPE-N/dependencies.d/APP-TYPE-N", "shop-a-1/dependencies.d/cron", false),
            ("APP-TYPE-N/dependencies.d/APP-TYPE-N", "shop-a-1/shop-b-2", false),
            ("APP/contents", "shop/contents", true),
            ("compose.yaml", "compose.yaml", true),
            ("compose.yaml", "compose.yaml.orig", false),
        ];
        for (pattern, path, expected) in table {
            assert_eq!(matches(pattern, "shop", path), expected, "{pattern} {path}");
        }
    }
}
