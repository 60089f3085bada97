//! The difference of two texts as a unified diff. Only the one algorithm that is used is asked for by its
//! name: `TextDiff` brings all five in several shapes, half a megabyte of them.

use std::convert::Infallible;

use similar::algorithms::{Capture, Compact, Replace, myers};
use similar::udiff::UnifiedHunkHeader;
use similar::{DiffOp, group_diff_ops};

/// Equal lines round a change, as in diff(1).
const CONTEXT: usize = 3;

/// Returns what makes `after` of `before`, under these two names; nothing where they are equal.
pub(crate) fn unified(before: &str, after: &str, names: (&str, &str)) -> String {
    let (old, new) = (lines(before), lines(after));
    let groups = group_diff_ops(operations(&old, &new), CONTEXT);
    let mut out = String::new();
    if !groups.is_empty() {
        out.push_str(&format!("--- {}\n+++ {}\n", names.0, names.1));
    }
    for group in groups {
        out.push_str(&format!("{}\n", UnifiedHunkHeader::new(&group)));
        for change in group.iter().flat_map(|operation| operation.iter_changes(&old[..], &new[..]))
        {
            let line: &str = change.value();
            out.push_str(&format!("{}{line}", change.tag()));
            if !line.ends_with('\n') {
                out.push_str("\n\\ No newline at end of file\n");
            }
        }
    }
    out
}

fn operations(old: &[&str], new: &[&str]) -> Vec<DiffOp> {
    let mut hook = Compact::new(Replace::new(Capture::new()), old, new);
    let done: Result<(), Infallible> = myers::diff(&mut hook, old, 0..old.len(), new, 0..new.len());
    match done {
        Ok(()) => hook.into_inner().into_inner().into_ops(),
    }
}

/// Each line has its end.
fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_has_its_place_and_three_equal_lines_round_it() {
        let before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let table = [
            (before, before, ""),
            ("", "", ""),
            ("", "a\nb\n", "--- old\n+++ new\n@@ -0,0 +1,2 @@\n+a\n+b\n"),
            ("a\n", "", "--- old\n+++ new\n@@ -1 +0,0 @@\n-a\n"),
            (
                before,
                "1\n2\n3\n4\nfive\n6\n7\n8\n9\n",
                "--- old\n+++ new\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n",
            ),
            (
                "a\nb",
                "a\nc\n",
                "--- old\n+++ new\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n",
            ),
        ];
        for (before, after, expected) in table {
            assert_eq!(unified(before, after, ("old", "new")), expected, "{before:?} {after:?}");
        }
    }

    #[test]
    fn changes_that_are_far_apart_have_hunks_of_their_own() {
        let before: String = (1..=40).map(|line| format!("{line}\n")).collect();
        let after = before.replace("\n5\n", "\n").replace("\n30\n", "\n30\nnew\n");
        let diff = unified(&before, &after, ("old", "new"));
        let heads: Vec<_> = diff.lines().filter(|line| line.starts_with("@@")).collect();
        assert_eq!(heads, ["@@ -2,7 +2,6 @@", "@@ -28,6 +27,7 @@"], "{diff}");
    }
}
