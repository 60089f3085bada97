//! What single formats do in their own way, and what they refuse.

use super::{app, options, process, whole};
use crate::app::{App, Dependency, Milestone, Reach};
use crate::export::formats::{inittab, kubernetes, launchd, nomad, runit, systemd, upstart};
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
fn nomad_finds_each_type_by_a_name_that_it_allows() {
    let pair = |first: &str, second: &str| {
        let mut worker = process("worker", "bin/worker", 1);
        worker.policy.depends_on =
            vec![Dependency { process_type: 0, number: None, milestone: Milestone::Ready }];
        let types =
            vec![process(first, "bin/a -p $PORT", 1), process(second, "bin/b -p $PORT", 1), worker];
        app("/srv/a", types, &[])
    };
    for (name, web, expected) in [
        ("my_app", "web", "my-app-web"),
        ("example.com", "Web_1", "example-com-web-1"),
        ("9", "web_", "9-web"),
    ] {
        let files = render(&nomad::FORMAT, &pair(web, "api"), &options(name)).unwrap();
        let text = whole(&files);
        for line in [
            format!("name     = \"{expected}\""),
            format!("{{{{ range nomadService \"{expected}\" }}}}"),
            format!("destination = \"local/{expected}\""),
            format!("done 3<\\\"$NOMAD_TASK_DIR/{expected}\\\""),
        ] {
            assert!(text.contains(&line), "{line}: {text}");
        }
    }
    let refused = render(&nomad::FORMAT, &pair("a_b", "a-b"), &options("shop")).unwrap_err();
    assert_eq!(refused.to_string(), "`a_b` and `a-b` would both be named `shop-a-b` in nomad");
    let mut quiet = pair("a_b", "a-b");
    quiet.types[1].command = "bin/b".into();
    assert!(render(&nomad::FORMAT, &quiet, &options("shop")).is_ok(), "nobody finds the second");
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
