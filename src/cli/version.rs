//! `pm version` and `pm --version`; with `-v` also what the program was built for, with what and from what.
//!
//! What the build was is told by build.rs.

use std::ffi::OsString;

use schemars::JsonSchema;
use serde::Serialize;

use super::json::CommandAnswer;

/// The version of pm.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit that a release was built from. A build of the sources without git has none.
const COMMIT: Option<&str> = option_env!("PM_COMMIT");

/// Returns the answer where the version is all that is asked for: scripts ask it often, and to make the whole
/// grammar for it would be most of the time.
pub(super) fn at_once(arguments: &[OsString]) -> Option<String> {
    let is_verbose = |word: &OsString| word == "-v" || word == "--verbose";
    let (word, verbose) = match arguments {
        [_, word] => (word, false),
        [_, word, more] | [_, more, word] if is_verbose(more) => (word, true),
        _ => return None,
    };
    let name = match word.to_str()? {
        "--version" | "-V" => "pm ",
        "version" => "",
        _ => return None,
    };
    Some(format!("{name}{}", VersionAnswer::new(verbose).told()))
}

/// `pm version`
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Version")]
pub(super) struct VersionAnswer {
    /// The version of pm.
    version: &'static str,
    /// What it was built for, as Rust names systems: `x86_64-unknown-linux-musl`.
    target: &'static str,
    /// The optional parts that it was built with.
    features: Vec<&'static str>,
    /// The commit that a release was built from.
    commit: Option<&'static str>,
    /// Whether the text has all of it.
    #[serde(skip)]
    verbose: bool,
}

impl VersionAnswer {
    pub(super) fn new(verbose: bool) -> Self {
        let features = env!("PM_FEATURES").split_whitespace().collect();
        Self { version: VERSION, target: env!("PM_TARGET"), features, commit: COMMIT, verbose }
    }

    fn told(&self) -> String {
        if !self.verbose {
            return format!("{}\n", self.version);
        }
        let or = |text: String, other: &str| if text.is_empty() { other.to_string() } else { text };
        format!(
            "{}\ntarget: {}\nfeatures: {}\ncommit: {}\n",
            self.version,
            self.target,
            or(self.features.join(", "), "none"),
            self.commit.unwrap_or("unknown"),
        )
    }
}

impl CommandAnswer for VersionAnswer {
    type Object = Self;

    fn text(&self) -> Vec<u8> {
        self.told().into_bytes()
    }

    fn object(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::args::Cli;

    fn answer(words: &[&str]) -> Option<String> {
        at_once(&words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn the_version_that_is_answered_at_once_is_the_one_that_clap_says() {
        for word in ["--version", "-V"] {
            let clap = Cli::command().try_get_matches_from(["pm", word]).unwrap_err();
            assert_eq!(answer(&["pm", word]), Some(clap.to_string()), "{word}");
        }
        assert_eq!(answer(&["pm", "version"]), Some(format!("{VERSION}\n")));
        for others in
            [&["pm"][..], &["pm", "start"], &["pm", "--version", "-V"], &["pm", "run", "-V"]]
        {
            assert_eq!(answer(others), None, "{others:?}");
        }
    }

    #[test]
    fn a_verbose_version_tells_target_features_and_commit_on_a_line_each() {
        let whole = answer(&["pm", "--version", "-v"]).expect("an answer");
        let keys: Vec<_> =
            whole.lines().skip(1).filter_map(|line| Some(line.split_once(": ")?.0)).collect();
        assert_eq!(whole.lines().next(), Some(format!("pm {VERSION}").as_str()));
        assert_eq!(keys, ["target", "features", "commit"]);
        assert!(whole.contains(std::env::consts::ARCH), "{whole}");
        for other in [["pm", "-v", "--version"], ["pm", "-V", "--verbose"]] {
            assert_eq!(answer(&other).as_ref(), Some(&whole), "{other:?}");
        }
        let alone = answer(&["pm", "version", "-v"]).expect("an answer");
        assert_eq!(format!("pm {alone}"), whole);
    }
}
