//! What `npm start` would do in a folder.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Scripts of package.json that start an application, the usual one first.
const STARTS: [&str; 4] = ["dev", "serve", "develop", "server"];

/// Whether `npm start` can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NpmStart {
    /// It can.
    Can,
    /// There is no package.json.
    NoPackage,
    /// The package.json has no script `start`.
    NoScript {
        /// The script that it has for the purpose, by its name.
        script: Option<String>,
    },
}

/// Reads the package.json of the root. Without a script `start`, npm runs a server.js that stands beside it
/// (npm-start(1)). What cannot be read has no scripts.
pub(super) fn start(root: &Path) -> NpmStart {
    let path = root.join("package.json");
    if !path.is_file() {
        return NpmStart::NoPackage;
    }
    let text = fs::read(path).unwrap_or_default();
    // npm drops a byte order mark too.
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let package: Value = serde_json::from_slice(text).unwrap_or_default();
    let has = |name: &&str| package["scripts"][name].as_str().is_some_and(|text| !text.is_empty());
    if has(&"start") || root.join("server.js").is_file() {
        return NpmStart::Can;
    }
    NpmStart::NoScript {
        script: STARTS.iter().find(|name| has(name)).map(|name| (*name).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[(&str, &str)]) -> NpmStart {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(root.path().join(name), text).unwrap();
        }
        start(root.path())
    }

    #[test]
    fn npm_start_needs_a_package_json_with_that_script_or_a_server_js() {
        let no_script =
            |script: Option<&str>| NpmStart::NoScript { script: script.map(str::to_owned) };
        let table = [
            (r#"{"scripts": {"start": "node ."}}"#, NpmStart::Can),
            ("\u{feff}{\"scripts\": {\"start\": \"node .\"}}", NpmStart::Can),
            ("{}", no_script(None)),
            (r#"{"scripts": {"start": ""}}"#, no_script(None)),
            (r#"{"scripts": {"start": 1, "build": "x"}}"#, no_script(None)),
            (r#"{"scripts": {"serve": "x", "dev": "vite"}}"#, no_script(Some("dev"))),
            (r#"{"scripts": {"server": "x"}}"#, no_script(Some("server"))),
            (r#"{"scripts": ["start"]}"#, no_script(None)),
            ("[1", no_script(None)),
        ];
        for (text, expected) in table {
            assert_eq!(of(&[("package.json", text)]), expected, "{text}");
        }
        assert_eq!(of(&[("package.json", "{}"), ("server.js", "")]), NpmStart::Can);
        assert_eq!(of(&[("server.js", "")]), NpmStart::NoPackage);
        assert_eq!(of(&[]), NpmStart::NoPackage);
    }
}
