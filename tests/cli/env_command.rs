//! `pm env`: what an instance would get, and from where, without telling secrets.

use crate::sandbox::Sandbox;

fn app() -> Sandbox {
    Sandbox::with_procfile("web: true\nworker: true\n")
        .write(".env", "# demo\nSECRET=hunter2\nEMPTY=\nLINES=\"a\\nb\"\n")
        .write("more", "MORE=x\nSECRET=other\n")
        .env("CALLER", "mine")
}

#[test]
fn values_are_masked_and_each_says_where_it_comes_from() {
    let output = app().pm(["env", "--set", "GIVEN=1"]).run();
    assert_eq!(
        output.stdout,
        "CALLER=****  # environment\n\
         EMPTY=  # .env:3\n\
         FOREMAN_WORKER_NAME=web.1  # pm: instance\n\
         GIVEN=****  # --set\n\
         HOME=****  # environment\n\
         HONCHO_PROCESS_NAME=web.1  # pm: instance\n\
         LANG=****  # environment\n\
         LINES=****  # .env:4\n\
         PATH=****  # environment\n\
         PORT=5000  # pm: instance\n\
         PS=web.1  # pm: instance\n\
         SECRET=****  # .env:2\n"
    );
    assert_eq!((output.code(), output.stderr.as_str()), (0, ""));
}

#[test]
fn show_prints_the_values_one_line_each() {
    let output = app().pm(["env", "worker", "--show", "-p", "7000", "-e", ".env,more"]).run();
    for line in [
        "CALLER=mine  # environment",
        "LINES=a\\nb  # .env:4",
        "SECRET=other  # more:2",
        "MORE=x  # more:1",
        "PORT=7100  # pm: instance",
        "PS=worker.1  # pm: instance",
    ] {
        assert!(output.stdout.lines().any(|shown| shown == line), "{line}: {output:?}");
    }
}

#[test]
fn it_shows_what_an_instance_gets() {
    let app = Sandbox::with_procfile("web: env\n").write(".env", "A=1\nB='x y'\nPORT=6000\n");
    let shown = app.pm(["env", "--show"]).run().stdout;
    let run = app.pm(["start", "--no-prefix"]).run().stdout;
    for line in shown.lines() {
        let assignment = line.split("  # ").next().expect("a line has a first part");
        assert!(run.lines().any(|real| real == assignment), "{assignment}\n{run}");
    }
    assert!(shown.contains("\nPORT=6000  # pm: instance\n"), "{shown}");
}

#[test]
fn what_cannot_be_shown_is_an_error() {
    let app = app();
    let output = app.pm(["env", "wroker"]).run();
    assert_eq!(
        output.stderr,
        "error: no process type `wroker` in the Procfile\nhint: did you mean `worker`?\n"
    );
    assert_eq!((output.code(), output.stdout.as_str()), (1, ""));
    let output = app.pm(["env", "worker", "-p", "65500"]).run();
    assert!(output.stderr.starts_with("error: `worker.1` would get port 65600"), "{output:?}");
    assert_eq!((output.code(), output.stdout.as_str()), (1, ""));
    let output = app.pm(["env", "--set", "PORT=x"]).run();
    assert!(output.stderr.starts_with("error: PORT `x` of `--set` is not a port"), "{output:?}");
    let output = Sandbox::new().pm(["env"]).run();
    assert!(output.stderr.starts_with("error: cannot read the Procfile `Procfile`"), "{output:?}");
    assert_eq!(output.code(), 1);
}
