use proptest::prelude::*;

use super::*;
use crate::long::cases;

fn read(text: &str) -> EnvFile {
    parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text:?}: {e:?}"))
}

fn pairs(text: &str) -> Vec<(String, String)> {
    read(text).assignments.into_iter().map(|a| (a.key, a.value)).collect()
}

/// Line and message of what every command says.
fn loud(text: &str) -> Vec<(usize, String)> {
    let notes = read(text).notes.into_iter().filter(|note| note.kind.is_for_every_command());
    notes.map(|note| (note.line, note.message)).collect()
}

/// Line and code of what only `pm check` says.
fn quiet(text: &str) -> Vec<(usize, &'static str)> {
    let notes = read(text).notes.into_iter().filter(|note| !note.kind.is_for_every_command());
    notes.map(|note| (note.line, note.code)).collect()
}

/// Each line, `K=…`, gives K this value, alone and with a line behind it.
fn assert_values(table: &[(&str, &str)]) {
    for &(line, expected) in table {
        for text in [line.to_owned(), format!("{line}\nLAST=1\n"), format!("{line}\r\nLAST=1")] {
            let found = pairs(&text);
            assert_eq!(found[0], ("K".to_owned(), expected.to_owned()), "{line:?}");
            assert_eq!(
                found.last().map(|(key, _)| key.as_str()),
                Some(if text == line { "K" } else { "LAST" }),
                "{line:?}"
            );
        }
    }
}

#[test]
fn a_bare_value_ends_before_its_comment_and_keeps_quotes_backslashes_and_dollars() {
    assert_values(&[
        ("K=a b c", "a b c"),
        ("K=-Xmx384m -XX:+Use --x=1 --y=2", "-Xmx384m -XX:+Use --x=1 --y=2"),
        ("K=", ""),
        ("K=   ", ""),
        ("K==v", "=v"),
        ("K = v", "v"),
        ("K =v", "v"),
        ("K\t=\tv", "v"),
        ("K= v", "v"),
        ("K=v  \t", "v"),
        ("  K=v", "v"),
        ("K=v\r", "v"),
        ("K=\u{a0}v\u{a0}", "\u{a0}v\u{a0}"),
        ("K=v # c", "v"),
        ("K=v #c # d", "v"),
        ("K=v\t# c", "v"),
        ("K=a#b", "a#b"),
        ("K=https://h/p?q=1#frag", "https://h/p?q=1#frag"),
        ("K=#ff0000", "#ff0000"),
        ("K= # c", ""),
        ("K= #", ""),
        ("K=x\"y z\"", "x\"y z\""),
        ("K=it's", "it's"),
        ("K=5\"", "5\""),
        ("K={\"a\": 1, \"b\": [1, 2]}", "{\"a\": 1, \"b\": [1, 2]}"),
        ("K=a\\nb\\$c\\d C:\\x", "a\\nb\\$c\\d C:\\x"),
        ("K=pa$$word", "pa$$word"),
        ("K=$2a$12$abc.def/ghi", "$2a$12$abc.def/ghi"),
        ("K=$REF/${REF:-x}", "$REF/${REF:-x}"),
        ("K=$(echo hi) `echo hi` ~/x %x%", "$(echo hi) `echo hi` ~/x %x%"),
        ("K=a\u{1}\u{1b}[31m", "a\u{1}\u{1b}[31m"),
        ("K=a\u{2028}B=2", "a\u{2028}B=2"),
    ]);
}

#[test]
fn a_value_in_double_quotes_has_escapes_and_goes_to_the_last_quote() {
    assert_values(&[
        ("K=\"a b\"", "a b"),
        ("K=\"\"", ""),
        ("K=\" \"", " "),
        ("K=\"  a  \"  ", "  a  "),
        ("K= \"a\"", "a"),
        ("K=\"a # b\"", "a # b"),
        ("K=\"a\" # c", "a"),
        ("K=\"a\"# c", "a"),
        ("K=\"a\" # say \"hi\"", "a"),
        ("K=\"#1\" # \"#2\"", "#1"),
        ("K=\"a\\\"b\"", "a\"b"),
        ("K=\"{\\\"a\\\":1}\"", "{\"a\":1}"),
        ("K=\"a\\nb\"", "a\nb"),
        ("K=\"a\\rb\\td\\x\\u00e9\"", "arbtdxu00e9"),
        ("K=\"C:\\\\new\"", "C:\\new"),
        ("K=\"\\$HOME\"", "$HOME"),
        ("K=\"p$ss ${X}\"", "p$ss ${X}"),
        ("K=\"a\\\\\"", "a\\"),
        // From the first quote to the last, as foreman.
        ("K=\"{\"a\":1}\"", "{\"a\":1}"),
        ("K=\"a\" \"b\"", "a\" \"b"),
        ("K=\"\"\"x\"\"\"", "\"\"x\"\""),
        ("K=\"C:\\Users\\\"", "C:Users\\"),
    ]);
}

#[test]
fn a_value_in_single_quotes_is_as_it_stands_and_a_quote_that_nothing_closes_is_part_of_it() {
    assert_values(&[
        ("K='it's'", "it's"),
        ("K='a b'", "a b"),
        ("K='a\\nb\\'", "a\\nb\\"),
        ("K='a \"b\" $c' # d", "a \"b\" $c"),
        // Quotes that nothing closes.
        ("K=\"a\"b", "\"a\"b"),
        ("K=\"abc", "\"abc"),
        ("K='abc # c", "'abc"),
        ("K=\"", "\""),
        ("K=\"b'", "\"b'"),
    ]);
}

#[test]
fn a_value_in_quotes_goes_over_lines() {
    assert_values(&[
        ("K=\"l1\nl2\"", "l1\nl2"),
        ("K=\"\nl1\n\"", "\nl1\n"),
        ("K=\"l1 # no\n# l2\" # yes", "l1 # no\n# l2"),
        ("K='{\n  \"a\": 1\n}'", "{\n  \"a\": 1\n}"),
        ("K=\"l1\\n\\\"q\\\" x\nl2\"", "l1\n\"q\" x\nl2"),
        ("K=\"l1  \n  l2\"  ", "l1  \n  l2"),
        ("K=\"l1\r\nl2\"\r", "l1\nl2"),
    ]);
}

#[test]
fn a_key_is_what_some_tool_takes_for_one() {
    let table = [
        ("A=1", "A"),
        ("_a.b-C9=1", "_a.b-C9"),
        ("1A=1", "1A"),
        ("42=1", "42"),
        ("export A=1", "A"),
        ("\texport\tA=1", "A"),
        ("export  A = 1", "A"),
        ("export=1", "export"),
        ("export =1", "export"),
        ("exportA=1", "exportA"),
        ("export export=1", "export"),
        ("\u{feff}A=1", "A"),
        ("PM_ALIAS_0=1", "PM_ALIAS_0"),
    ];
    for (line, key) in table {
        assert_eq!(pairs(line), [(key.to_owned(), "1".to_owned())], "{line:?}");
        assert_eq!(loud(line), [], "{line:?}");
    }
}

#[test]
fn other_lines_set_nothing_and_the_reason_is_noted() {
    let table = [
        ("K", "skipped: `K` has no `=`"),
        ("export K", "skipped: not KEY=VALUE"),
        ("words that say something", "skipped: not KEY=VALUE"),
        ("K: v", "skipped: `K:` sets nothing"),
        ("[web]", "skipped: not KEY=VALUE"),
        ("// c", "skipped: not KEY=VALUE"),
        ("don't", "skipped: not KEY=VALUE"),
        ("=1", "skipped: no name before the `=`"),
        ("set A=1", "skipped: the name of a variable cannot contain spaces"),
        ("see a = b for more", "skipped: the name of a variable cannot contain spaces"),
        ("a/b=1", "skipped: the name of a variable cannot contain `/`"),
        ("a[0]=1", "skipped: the name of a variable cannot contain `[`"),
        ("A+=1", "skipped: the name of a variable cannot contain `+`"),
        ("\"A\"=1", "skipped: the name of a variable cannot contain `\"`"),
        ("é=1", "skipped: the name of a variable cannot contain `é`"),
        ("\u{200b}A=1", "skipped: the name of a variable cannot contain U+200B"),
        ("a%b=1", "skipped: the name of a variable cannot contain `%`"),
    ];
    for (line, message) in table {
        let text = format!("FIRST=1\n{line}\nLAST=2\n");
        let expected = [("FIRST".to_owned(), "1".to_owned()), ("LAST".to_owned(), "2".to_owned())];
        assert_eq!(pairs(&text), expected, "{line:?}");
        assert_eq!(loud(&text), [(2, message.to_owned())], "{line:?}");
    }
    assert_eq!(loud("\n  \n# don't\n \t# it's\n"), []);
}

#[test]
fn an_unclosed_quote_eats_nothing() {
    let open = "A: the quote is not closed, and is part of the value".to_owned();
    assert_eq!(loud("A=\"b'\nB=1\n"), [(1, open.clone())]);
    let text = "A=\"l1\nl2\" tail\nB=2\n";
    assert_eq!(pairs(text), [("A".into(), "\"l1".into()), ("B".into(), "2".into())]);
    assert_eq!(loud(text), [(1, open), (2, "skipped: not KEY=VALUE".into())]);
}

#[test]
fn every_assignment_keeps_its_line_and_the_order_of_the_file() {
    let text = "A=1\n\nB=\"x\ny\n\"\n# c\nA=2\nJUNK\nC=3";
    let found: Vec<_> = read(text).assignments.into_iter().map(|a| (a.key, a.line)).collect();
    assert_eq!(found, [("A".into(), 1), ("B".into(), 3), ("A".into(), 7), ("C".into(), 9)]);
}

#[test]
fn what_other_tools_read_differently_is_noted_for_the_check() {
    let table: [(&str, &[(usize, &str)]); 34] = [
        ("K=v", &[]),
        ("K=a b c", &[]),
        ("K=\"a b\"", &[]),
        ("K='a # b'", &[]),
        ("K=", &[]),
        ("K=$2a$12$abc", &[]),
        ("K=pa$$word$1", &[]),
        ("K='${A}'", &[]),
        ("K=\"a\\nb\\\"c\\\"\"", &[]),
        ("K=\"a\\\\b\"", &[]),
        ("K= v", &[(1, "blanks-round-value")]),
        ("K=v ", &[(1, "blanks-round-value")]),
        ("K=\"v\" ", &[(1, "blanks-round-value")]),
        ("K=v # c", &[(1, "dropped-comment")]),
        ("K= # c", &[(1, "dropped-comment")]),
        ("K=a#b # c", &[(1, "dropped-comment"), (1, "hash-in-value")]),
        ("K=\"a\" # c", &[(1, "comment-behind-quotes")]),
        ("K=\"C:\\\\new\"", &[(1, "escaped-backslash")]),
        ("K=\"l1\nl2\"", &[(1, "multi-line")]),
        ("K=1\nexport K=2", &[(2, "set-again")]),
        ("K=1\nK =2", &[(2, "set-again")]),
        ("K=1\nexport K=1", &[(2, "export")]),
        ("K=1\nK=2", &[]),
        ("export K=1\nexport K=2", &[(1, "export"), (2, "export")]),
        ("K = v", &[(1, "blanks-round-name"), (1, "blanks-round-value")]),
        (" K=v", &[(1, "blanks-round-name")]),
        ("a.b=1", &[(1, "name-not-for-shells")]),
        ("1A=1", &[(1, "name-not-for-shells")]),
        ("K=a#b", &[(1, "hash-in-value")]),
        ("K=\"{\"a\":1}\"", &[(1, "inner-quotes")]),
        ("K=\"C:\\path\" # c", &[(1, "comment-behind-quotes"), (1, "dropped-backslash")]),
        ("K=${A}/x", &[(1, "reference")]),
        ("K=\"$(pwd)\"", &[(1, "reference")]),
        ("A=1\nK=x$A\nL=x$AB", &[(2, "reference")]),
    ];
    for (text, expected) in table {
        assert_eq!(quiet(text), expected, "{text:?}");
    }
}

#[test]
fn a_dropped_comment_says_what_was_dropped_and_where() {
    let notes = read("A=1\nTITLE=Ticket #1\n").notes;
    let [note] = notes.as_slice() else { panic!("one note: {notes:?}") };
    assert_eq!((note.kind, note.line, note.span.clone()), (NoteKind::Differs, 2, 13..15));
    assert_eq!(note.message, "TITLE: dropped \"#1\"; foreman keeps it");
    assert_eq!(note.hint.as_deref(), Some("quote the value to keep it"));
}

#[test]
fn one_json_object_is_flattened() {
    type JsonRow<'a> = (&'a str, &'a [(&'a str, &'a str, usize)]);
    let table: [JsonRow<'_>; 8] = [
        (
            "{\"top\": {\"middle\": {\"bottom\": \"v\"}, \"other\": [\"zero\", \"one\"]}, \"last\": 42}",
            &[
                ("TOP_MIDDLE_BOTTOM", "v", 1),
                ("TOP_OTHER_0", "zero", 1),
                ("TOP_OTHER_1", "one", 1),
                ("LAST", "42", 1),
            ],
        ),
        (
            "{\n \"port\": 3000,\n \"db\": {\n  \"port\": \"a b\"\n }\n}\n",
            &[("PORT", "3000", 2), ("DB_PORT", "a b", 4)],
        ),
        (
            "{\"a\": {}, \"b\": [], \"n\": null, \"c\": true, \"d\": \"\"}",
            &[("C", "true", 1), ("D", "", 1)],
        ),
        ("\u{feff}{\"A\": \"1\"}\n", &[("A", "1", 1)]),
        ("{\r\n\"A\": \"1\"\r\n}\r\n", &[("A", "1", 2)]),
        ("{\"a\": \"$x \\\"y\\\"\\n\\\\\"}", &[("A", "$x \"y\"\n\\", 1)]),
        ("{\"a\": 1.0, \"é-ß\": 1e3}", &[("A", "1", 1), ("É-SS", "1000", 1)]),
        ("{}", &[]),
    ];
    for (text, expected) in table {
        let found: Vec<_> =
            read(text).assignments.into_iter().map(|a| (a.key, a.value, a.line)).collect();
        let expected: Vec<_> =
            expected.iter().map(|&(k, v, line)| (k.to_owned(), v.to_owned(), line)).collect();
        assert_eq!(found, expected, "{text:?}");
        assert_eq!(loud(text), [], "{text:?}");
    }
}

#[test]
fn what_only_begins_like_json_is_read_by_lines() {
    let text = "{\nA=1\n";
    assert_eq!(pairs(text), [("A".into(), "1".into())]);
    let lines: Vec<_> = loud(text).into_iter().map(|(line, _)| line).collect();
    assert_eq!(lines, [1, 2]);
    assert_eq!(
        loud("{\"a=b\": 1}"),
        [(1, "skipped: \"A=B\" is not a valid name of a variable".into())]
    );
}

#[test]
fn what_stops_everything_names_its_line() {
    let refusal = |bytes: &[u8]| parse(bytes).map_err(|e| (e.line, e.reason));
    assert_eq!(refusal(b"A=1\nB=x\0y\n"), Err((2, "the value of `B` contains a NUL byte".into())));
    assert_eq!(
        refusal(b"{\"a\": 1,\n\"b\": \"\\u0000\"}"),
        Err((2, "the value of `B` contains a NUL byte".into()))
    );
    assert_eq!(refusal(b"A=1\n# caf\xe9\n").map_err(|(line, _)| line), Err(2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(200)))]

    #[test]
    fn text_full_of_quotes_and_any_bytes_are_read_with_spans_in_their_lines(bytes in prop_oneof!["([ABexport ]{0,3}=?|[\"'\\\\#$ \t\r\n\0{}:=n(é\u{200b}]){0,40}".prop_map(String::into_bytes), any::<Vec<u8>>()]) {
        let Ok(read) = parse(&bytes) else { return Ok(()) };
        let text = super::text::decode(&bytes).map_err(|e| TestCaseError::fail(e.reason))?;
        let lines: Vec<&str> = text.split('\n').collect();
        for note in read.notes {
            prop_assert!(lines[note.line - 1].get(note.span.clone()).is_some(), "{note:?}");
        }
    }

    #[test]
    fn dotenvy_changes_no_value_of_the_line_reader(text in "([AB1-]=|[\"'\\\\#$ \t\r\n{}:nxé]){0,30}") {
        let ours: Vec<_> = line::read(&text.replace("\r\n", "\n"), &mut Vec::new()).into_iter().map(|r| (r.key, r.value)).collect();
        prop_assert_eq!(pairs(&text), ours);
    }
}
