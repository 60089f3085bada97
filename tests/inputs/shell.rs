//! What exports write for a shell, read by the real one: the readers of [`crate::properties`] are only ours.

use std::process::Command;

use proptest::prelude::*;

use crate::properties::quoting::statement_of;

fn printed(script: &str) -> Vec<u8> {
    let output = Command::new("/bin/sh").arg("-c").arg(script).env_clear().output();
    output.expect("there is a shell").stdout
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn an_exported_variable_reaches_the_program(
        value in "([^\0]|['\"\\\\$`%\n\r\t #;&|{}()<>*?~!]){0,20}",
    ) {
        for context in ["sh word", "sh line"] {
            let statement = statement_of(context, &value).expect("a shell can be given any value");
            let script = format!("{statement}\nexec /usr/bin/printenv V");
            let expected = format!("{value}\n").into_bytes();
            prop_assert_eq!(printed(&script), expected, "{}", statement);
        }
    }
}
