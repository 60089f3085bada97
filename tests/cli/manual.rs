//! The manual pages: complete, and read without a complaint by what shows them.

use crate::sandbox::{Sandbox, has_program};

fn pages() -> (Sandbox, Vec<String>) {
    let app = Sandbox::new();
    let output = app.pm(["man", "sub/man"]).run();
    assert_eq!((output.code(), output.stderr.as_str(), output.stdout.as_str()), (0, "", ""));
    let folder = std::fs::read_dir(app.path("sub/man")).expect("the pages were written");
    let mut names: Vec<_> = folder
        .map(|entry| entry.expect("the folder can be read").file_name())
        .map(|name| name.into_string().expect("pages have plain names"))
        .collect();
    names.sort();
    (app, names)
}

#[test]
fn every_command_has_a_page_and_so_has_pm_toml() {
    let (app, names) = pages();
    let help = app.pm(["--help"]).run().stdout;
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands = commands.take_while(|line| !line.is_empty());
    let commands = commands
        .filter(|line| !line.starts_with("   "))
        .map(|line| line.split_whitespace().next().expect("a line of the list has a command"));
    let mut expected: Vec<_> =
        commands.filter(|name| *name != "help").map(|name| format!("pm-{name}.1")).collect();
    assert!(expected.len() > 10, "{help}");
    expected.extend(["pm.1".to_owned(), "pm.toml.5".to_owned()]);
    expected.sort();
    assert_eq!(names, expected);
    assert_eq!(app.pm(["man"]).run().stdout, app.read("sub/man/pm.1").expect("pm.1 was written"));
}

#[test]
fn groff_and_mandoc_have_nothing_to_complain_of() {
    let (app, names) = pages();
    let groff = ["-man", "-ww", "-z", "-Tutf8"].as_slice();
    let mandoc = ["-Tlint", "-Wwarning"].as_slice();
    for (program, options) in [("groff", groff), ("mandoc", mandoc)] {
        if !has_program(program) {
            continue;
        }
        for name in &names {
            let page = format!("sub/man/{name}");
            let output = app.command(program, options.iter().chain([&page.as_str()])).run();
            let said: Vec<_> = output
                .stdout
                .lines()
                .chain(output.stderr.lines())
                // A page has the version; a date would be that of the build. And clap_mangen's blank lines
                // before a list of values are more than a purist needs.
                .filter(|line| {
                    !line.contains("missing date") && !line.contains("skipping paragraph macro")
                })
                .collect();
            assert!(said.is_empty(), "{program} {name}: {said:#?}");
        }
    }
}

#[test]
fn a_page_says_what_the_command_line_does_not() {
    let (app, _) = pages();
    if !has_program("mandoc") {
        return;
    }
    let shown = |page: &str| {
        let output = app.sh(&format!("mandoc -Tutf8 sub/man/{page} | sed 's/.\x08//g'")).run();
        assert_eq!((output.code(), output.stderr.as_str()), (0, ""));
        output.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let pm = shown("pm.1");
    for text in [
        "EXIT STATUS",
        "PM_TIMEOUT --timeout of pm start, up, env, export",
        "SIGTSTP, SIGCONT",
        "pm export systemd /etc/systemd/system -a shop -u deploy",
        "pm.toml(5)",
        "PS, FOREMAN_WORKER_NAME and HONCHO_PROCESS_NAME",
    ] {
        assert!(pm.contains(text), "{text}\n{pm}");
    }
    let run = shown("pm-run.1");
    assert!(run.contains("SYNOPSIS pm run [OPTIONS] <COMMAND>... DESCRIPTION"), "{run}");
    assert!(run.contains("126 The command cannot be executed."), "{run}");
    assert!(run.contains("2 Invalid command line."), "{run}");
    assert!(shown("pm-attach.1").contains("must have a terminal of its own"));
    assert!(shown("pm-export.1").contains("systemd most Linux servers"));
    let toml = shown("pm.toml.5");
    assert!(toml.contains("memory = string or number Memory budget of one instance"), "{toml}");
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error() {
    let output = Sandbox::new().write("file", "").pm(["man", "file/man"]).run();
    assert_eq!(output.code(), 1);
    assert!(
        output.stderr.starts_with("error: cannot write the manual pages to `file/man`: "),
        "{}",
        output.stderr
    );
}
