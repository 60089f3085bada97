//! `pm env`: what an instance would get, and from where, without telling secrets.

use crate::sandbox::Sandbox;

fn app() -> Sandbox {
    Sandbox::with_procfile("web: true\nworker: true\n")
        .write(".env", "# demo\nSECRET=hunter2\nEMPTY=\nTEXT=\"a\\nb\"\n")
        .write("more", "MORE=x\nSECRET=other\n")
        .env("CALLER", "mine")
}

#[test]
fn values_are_masked_and_each_says_where_it_comes_from() {
    let scratch = app();
    let root = scratch.dir();
    let name = root.file_name().expect("a sandbox has a name").to_string_lossy().into_owned();
    let output = scratch.pm(["env", "--set", "GIVEN=1"]).run();
    assert_eq!(
        output.stdout.replace(&*root.to_string_lossy(), "ROOT").replace(&name, "NAME"),
        "EMPTY=  # .env:3\n\
         SECRET=****  # .env:2\n\
         TEXT=****  # .env:4\n\
         GIVEN=****  # --set\n\
         FOREMAN_WORKER_NAME=web.1  # pm: instance\n\
         HONCHO_PROCESS_NAME=web.1  # pm: instance\n\
         OVERMIND_PROCESS_web_PORT=5000  # pm: session\n\
         OVERMIND_PROCESS_worker_PORT=5100  # pm: session\n\
         PM_NAME=NAME  # pm: session\n\
         PM_PORT_WEB=5000  # pm: session\n\
         PM_PORT_WORKER=5100  # pm: session\n\
         PM_ROOT=ROOT  # pm: session\n\
         PM_URL_WEB=http://localhost:5000  # pm: session\n\
         PM_URL_WORKER=http://localhost:5100  # pm: session\n\
         PORT=5000  # pm: instance\n\
         PS=web.1  # pm: instance\n\
         # and 5 inherited from the environment (`--all` shows them)\n"
    );
    assert_eq!((output.code(), output.stderr.as_str()), (0, ""));
    let whole = app().pm(["env", "--all"]).run().stdout;
    let (_, inherited) = whole.split_once("PS=web.1  # pm: instance\n").expect("it is listed");
    let names: Vec<_> = inherited.lines().filter_map(|line| line.split('=').next()).collect();
    assert_eq!(names, ["CALLER", "HOME", "LANG", "PATH", "XDG_RUNTIME_DIR"]);
    assert!(inherited.starts_with("CALLER=****  # environment\nHOME=/"), "{inherited}");
}

#[test]
fn the_settings_are_shown_by_a_name_of_their_own_and_the_old_one_says_which() {
    let app = app().write("pm.toml", "[defaults]\nport = 7000\n");
    let output = app.pm(["env", "--settings"]).run();
    assert_eq!(output.stdout, "port = 7000  # pm.toml\n", "{output:?}");
    let named = app.write("other.toml", "[defaults]\nport = 8000\n");
    let output = named.pm(["env", "--settings", "--config", "other.toml"]).run();
    assert_eq!(output.stdout, "port = 8000  # pm.toml\n", "{output:?}");
    for (old, code) in [
        (&["env", "--config"][..], 2),
        (&["env", "web", "--config"], 2),
        (&["env", "--config", "web"], 1),
    ] {
        let output = named.pm(old).run();
        let hint = "hint: `--config` names a pm.toml; `pm env --settings` shows";
        assert!(output.stderr.contains(hint), "{output:?}");
        assert_eq!((output.code(), output.stdout.as_str()), (code, ""), "{old:?}");
    }
    let output = named.pm(["env", "--config-file", "other.toml"]).run();
    assert!(output.stderr.contains("'--config'"), "{output:?}");
    assert_eq!(output.code(), 2);
}

#[test]
fn show_prints_the_values_one_line_each() {
    let output = app().pm(["env", "worker", "--show", "-p", "7000", "-e", ".env,more"]).run();
    for line in [
        "CALLER=mine  # environment",
        "TEXT=a\\nb  # .env:4",
        "SECRET=other  # more:2",
        "MORE=x  # more:1",
        "PORT=7100  # pm: instance",
        "PS=worker.1  # pm: instance",
    ] {
        assert!(output.stdout.lines().any(|shown| shown == line), "{line}: {output:?}");
    }
}

#[test]
fn on_a_terminal_the_values_are_those_that_the_application_sets() {
    let mut shown = app().pm(["env", "--show"]).spawn_pty();
    shown.wait();
    let text = shown.stdout_so_far().replace('\r', "");
    assert!(text.contains("SECRET=hunter2  # .env:2\n"), "{text}");
    assert!(text.ends_with("inherited from the environment (`--all` shows them)\n"), "{text}");
    assert!(!text.contains("CALLER"), "{text}");
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
