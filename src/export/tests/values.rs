//! Values: who can read them, and that each arrives whole or is refused by name.

use super::{APPS, app, compound, options, process, whole};
use crate::export::formats::{daemon, inittab, quadlet, supervisord, systemd, upstart};
use crate::export::{FORMATS, File, Format, Options, Values, quote, render};

#[test]
fn no_format_exports_the_callers_environment_or_the_base_port() {
    for (_, case) in APPS {
        let (app, options) = case();
        for format in FORMATS {
            let text = whole(&render(format, &app, &options).unwrap_or_default());
            assert!(!text.contains("/home/me/bin") && !text.contains("7000"), "{}", format.name);
        }
    }
}

#[test]
fn no_file_with_values_is_readable_by_others() {
    for values in [Values::Inline, Values::EnvFile] {
        let (app, _) = compound();
        let options = Options { values, ..options("compound") };
        for format in FORMATS {
            for file in render(format, &app, &options).unwrap() {
                let secret = file.contents.contains("hunter2");
                assert!(
                    !secret || file.mode & 0o077 == 0,
                    "{} {}",
                    format.name,
                    file.path.display()
                );
                let is_unit =
                    values == Values::EnvFile && !file.path.to_string_lossy().contains(['.']);
                assert!(!secret || !is_unit, "{} {}", format.name, file.path.display());
            }
        }
    }
}

#[test]
fn an_env_file_comes_before_the_units_that_name_it() {
    let (app, options) = compound();
    for format in FORMATS {
        let files = render(format, &app, &options).unwrap();
        let secret = files.iter().position(|file| file.contents.contains("hunter2"));
        assert_eq!(secret, Some(0), "{}", format.name);
    }
}

#[test]
fn quadlet_names_an_env_file_whose_folder_has_blanks_and_dollars() {
    let (app, _) = compound();
    let location = "/srv/my app 100% $HOME".into();
    let options = Options { values: Values::EnvFile, location, ..options("compound") };
    let text = whole(&render(&quadlet::FORMAT, &app, &options).unwrap());
    let line = r#"EnvironmentFile="/srv/my app 100%% $$HOME/compound.env""#;
    assert!(text.lines().any(|found| found == line), "{text}");
}

/// Formats in which a line is a statement.
const LINE_FORMATS: [&Format; 6] = [
    &systemd::FORMAT,
    &supervisord::FORMAT,
    &upstart::FORMAT,
    &daemon::FORMAT,
    &inittab::FORMAT,
    &quadlet::FORMAT,
];

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn no_value_adds_a_statement_to_a_unit_and_each_refusal_names_its_variable(
        text in quote::testing::value()
    ) {
        let of = |text: &str| app("/srv/a", vec![process("web", "./a", 1)], &[("THE_VALUE", text)]);
        let lines = |files: &[File]| -> usize {
            let units = files.iter().filter(|file| !file.path.to_string_lossy().ends_with(".sh"));
            units.map(|file| file.contents.lines().count()).sum()
        };
        for format in FORMATS {
            match render(format, &of(&text), &options("a")) {
                Err(error) => {
                    let said = error.to_string();
                    let names_it = said.starts_with(format.name) && said.contains("`THE_VALUE`");
                    proptest::prop_assert!(names_it, "{}", said);
                }
                Ok(files) if LINE_FORMATS.iter().any(|line| line.name == format.name) => {
                    let harmless = render(format, &of("x"), &options("a")).unwrap();
                    proptest::prop_assert_eq!(lines(&files), lines(&harmless), "{}", format.name);
                }
                Ok(_) => {}
            }
        }
    }
}
