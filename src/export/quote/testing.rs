//! What the property tests of all contexts share: values that hurt.

use proptest::prelude::*;

/// Text without NUL, made mostly of the characters that some format treats specially.
pub(crate) fn value() -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec![
        "'",
        "\"",
        "\\",
        "%",
        "$",
        "\n",
        "\r",
        "\t",
        " ",
        ";",
        "#",
        "`",
        "{",
        "}",
        "{{",
        "}}",
        "${",
        "%{",
        "$(",
        ")",
        "&",
        "<",
        ">",
        "|",
        "*",
        "?",
        "=",
        ":",
        ",",
        "!",
        "~",
        "\\n",
        "\\'",
        "end script",
        "]]>",
        "-->",
        "%%",
        "$$",
        "\u{1b}",
        "\u{7f}",
        "\u{85}",
        "\u{a0}",
        "\u{2028}",
        "\u{feff}",
        "\u{ffff}",
        "é",
        "日本",
        "🎉",
        "x",
        "0",
        "A",
    ]);
    let any = any::<char>().prop_filter("no NUL", |c| *c != '\0').prop_map(String::from);
    let piece = prop_oneof![6 => special.prop_map(str::to_owned), 1 => any];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}
