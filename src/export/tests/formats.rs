//! What single formats do in their own way, and what they refuse.

use super::{app, options, process};
use crate::app::{App, Reach};
use crate::export::formats::{inittab, kubernetes, launchd, runit, systemd, upstart};
use crate::export::{FORMATS, Format, Inittab, Options, format, render};

#[test]
fn the_table_knows_every_format_by_its_name() {
    for known in FORMATS {
        assert_eq!(format(Some(known.name)).unwrap().name, known.name);
        assert!(!known.templates.is_empty(), "{}", known.name);
    }
    let unknown = format(Some("systmd")).unwrap_err();
    assert_eq!(unknown.hint().as_deref(), Some("did you mean `systemd`?"));
}

#[test]
fn what_a_format_cannot_carry_is_refused_by_name() {
    let web = || vec![process("web", "./a", 1)];
    let refusal = |format: &Format, app: &App, options: &Options| {
        render(format, app, options).unwrap_err().to_string()
    };
    let dotted = app("/srv/a", web(), &[("a.b", "1")]);
    assert_eq!(
        refusal(&systemd::FORMAT, &dotted, &options("a")),
        "systemd cannot carry a variable named `a.b`"
    );
    let escape = app("/srv/a", web(), &[("A", "\u{1b}[0m")]);
    assert_eq!(
        refusal(&launchd::FORMAT, &escape, &options("a")),
        "launchd cannot carry the variable `A`: it contains a control character"
    );
    let types = vec![process("a_b", "./a", 1), process("a-b", "./b", 1)];
    assert_eq!(
        refusal(&kubernetes::FORMAT, &app("/srv/a", types, &[]), &options("a")),
        "`a_b` and `a-b` would both be named `a-b` in kubernetes"
    );
    let types = vec![process("web", "./a", 1), process("web-1", "./b", 1)];
    assert_eq!(
        refusal(&upstart::FORMAT, &app("/srv/a", types, &[]), &options("a")),
        "two files of this export would be named `a-web-1.conf`"
    );
    let long = Options { location: format!("/srv/{}", "x".repeat(300)).into(), ..options("a") };
    assert_eq!(
        refusal(&inittab::FORMAT, &app("/srv/a", web(), &[]), &long),
        "the inittab line of `web.1` would have 324 characters, but init skips lines over 253"
    );
}

#[test]
fn an_inittab_for_standard_output_holds_whole_lines() {
    let app = app("/srv/a", vec![process("web", "./a $PORT", 1)], &[("A", "it's")]);
    let options = Options { inittab: Inittab::Lines, ..options("a") };
    let files = render(&inittab::FORMAT, &app, &options).unwrap();
    let expected = r#"# pm export: app=a format=inittab file=a.inittab
AM01:2345:respawn:setpriv --reuid deploy --regid "$(id -g deploy)" --init-groups env 'A=it'\''s' PORT=5000 PS=web.1 sh -c 'cd '\''/srv/a'\'' && exec ./a $PORT' >>'/var/log/a/web-1.log' 2>&1
"#;
    assert_eq!((files.len(), files[0].contents.as_str()), (1, expected));
}

#[test]
fn a_variable_that_no_shell_exports_goes_through_env() {
    let app = app("/srv/a", vec![process("web", "./a", 1)], &[("spring.url", "it's")]);
    let files = render(&runit::FORMAT, &app, &options("a")).unwrap();
    assert!(files[0].contents.contains(r"/usr/bin/env 'spring.url=it'\''s' /bin/sh -c 'exec ./a'"));
}

#[test]
fn a_unit_sends_the_stop_signal_to_whom_the_type_says() {
    for (command, reach, mode) in [
        ("node a.js", Reach::Program, "mixed"),
        ("node a.js", Reach::Group, "control-group"),
        ("cd a && node a.js", Reach::Program, "control-group"),
    ] {
        let mut web = process("web", command, 1);
        web.policy.stop_signal_to = reach;
        let app = app("/srv/a", vec![web], &[]);
        let files = render(&systemd::FORMAT, &app, &options("a")).unwrap();
        let line = format!("\nKillMode={mode}\n");
        assert!(files.iter().any(|file| file.contents.contains(&line)), "{command} {reach:?}");
    }
}
