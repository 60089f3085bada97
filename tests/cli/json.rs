//! `--json`: what every command prints for programs fits its schema, where it succeeds and where it fails.

mod schema;

use std::collections::HashMap;

use serde_json::Value;

use crate::control::{READY, app, done, pm};
use crate::sandbox::{Output, PM, Sandbox, eventually};

/// Returns the schema of what a command prints.
fn schema_of(app: &Sandbox, command: &str) -> Value {
    let text = done(app, &format!("schema --json {command}"));
    serde_json::from_str(&text).expect("a schema is JSON")
}

/// Runs a command with `--json` where everything asks for colour, and returns its objects. Whatever they say, they are
/// as the schema says, and all that was printed.
#[track_caller]
fn objects(app: &Sandbox, line: &str) -> (i32, Vec<Value>) {
    let words: Vec<_> = line.split(' ').collect();
    // Behind the command of `pm run` it would be that command's.
    let own = if words[0] == "run" { 1 } else { words.len() };
    let words = [&words[..own], &["--json"], &words[own..]].concat();
    let output = app.pm(words).env("FORCE_COLOR", "1").env("CLICOLOR_FORCE", "1").run();
    let Output { stdout, stderr, .. } = &output;
    assert_eq!(stderr, "", "pm {line}: {output:#?}");
    assert!(!stdout.contains('\x1b') && stdout.ends_with('\n'), "pm {line}: {stdout}");
    let command = line.split(' ').next().unwrap_or_default();
    let schema = schema_of(app, command);
    let object = |text: &str| {
        assert!(text.starts_with("{\"v\":1,"), "pm {line}: {text}");
        let object: Value =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let faults = schema::faults(&schema, &object);
        assert!(faults.is_empty(), "pm {line}: {faults:#?}\n{text}");
        object
    };
    (output.code(), stdout.lines().map(object).collect())
}

/// The same of a command that succeeds with one object.
#[track_caller]
fn answer(app: &Sandbox, line: &str) -> Value {
    let (code, mut objects) = objects(app, line);
    assert_eq!((code, objects.len()), (0, 1), "pm {line}: {objects:#?}");
    objects.remove(0)
}

/// The same of one that fails, with the exit code that it has without `--json`; returns the error.
#[track_caller]
fn error(app: &Sandbox, line: &str) -> Value {
    let plain = pm(app, line);
    assert_ne!(plain.code(), 0, "pm {line}: {plain:#?}");
    let (code, mut objects) = objects(app, line);
    assert_eq!((code, objects.len()), (plain.code(), 1), "pm {line}: {objects:#?}");
    let error = objects.remove(0)["error"].take();
    let message = error["message"].as_str().unwrap_or_default().to_owned();
    assert!(!message.is_empty(), "pm {line}: {error}");
    // What a person reads is the same, apart from clap's own form.
    assert!(
        error["code"] == "usage" || plain.stderr.contains(&message),
        "pm {line}: {error}\n{}",
        plain.stderr
    );
    error
}

#[test]
fn every_command_answers_with_one_object_of_its_schema() {
    let app = app(&format!("web: {READY}\nworker: {READY}\n"));
    let started = answer(&app, "start --daemon -p 7000");
    assert_eq!(started["ended"], false);
    assert!(started["log"].as_str().is_some_and(|log| log.ends_with("/pm.log")), "{started}");
    eventually("both", || (crate::control::states(&app) == "web.1 up, worker.1 up").then_some(()));
    let session = answer(&app, "ps")["session"].clone();
    assert_eq!(session["pid"], started["session"]["pid"]);
    assert_eq!((&session["base"], &session["by"]), (&7000.into(), &"daemon".into()));
    assert_eq!(session["urls"]["worker"], "http://localhost:7100");
    assert_eq!(answer(&app, "status web.1")["instances"].as_array().map(Vec::len), Some(1));
    for line in [
        "restart web",
        "stop worker",
        "start worker",
        "scale web=2",
        "signal CONT web",
        "wait web:started",
        "reload",
        "restart --no-wait worker",
    ] {
        let changed = answer(&app, line);
        assert_eq!(changed["session"], started["session"], "{line}");
        let instances = changed["instances"].as_array().expect("there are some");
        assert!(!instances.is_empty(), "{line}: {changed}");
        let (_, name) = line.rsplit_once(' ').unwrap_or((line, ""));
        let meant = name.split([':', '=']).next().unwrap_or_default();
        let is_meant = |one: &Value| one["name"].as_str().is_some_and(|one| one.starts_with(meant));
        assert!(line == "reload" || instances.iter().all(is_meant), "{line}: {changed}");
    }
    assert_eq!(answer(&app, "env web")["type"], "web");
    assert!(answer(&app, "env --all")["variables"].as_array().is_some_and(|all| all.len() > 3));
    assert!(answer(&app, "env --settings -p 1")["settings"].is_array());
    assert!(answer(&app, "export systemd --print")["folder"].is_null());
    let dry = answer(&app, "export systemd units --dry-run");
    let written = answer(&app, "export systemd units");
    assert_eq!(dry["written"], written["written"]);
    assert_eq!(written["written"], written["files"]);
    assert_eq!(answer(&app, "export systemd units")["written"], serde_json::json!([]));
    assert_eq!(answer(&app, "version")["version"], env!("CARGO_PKG_VERSION"));
    for line in ["completions bash", "man", "man pages"] {
        answer(&app, line);
    }
    let (code, found) = objects(&app, "check");
    let last = found.last().expect("the summary is there");
    assert_eq!(
        (code, &last["type"], &last["processes"][1]),
        (0, &"summary".into(), &"worker".into())
    );
    let all = answer(&app, "ps --all");
    assert_eq!(all["sessions"][0]["session"]["pid"], session["pid"]);
    assert_eq!(answer(&app, "up")["session"], started["session"]);
    assert_eq!(answer(&app, "quit --gone")["sessions"], serde_json::json!([]));
    let quit = answer(&app, "quit");
    assert_eq!((&quit["ended"], &quit["instances"]), (&true.into(), &serde_json::json!([])));
    let up = answer(&app, "up -p 7000 web");
    assert_eq!(up["instances"][0]["name"], "web.1");
    assert_eq!(answer(&app, "down")["session"], up["session"]);
}

#[test]
fn up_and_down_answer_with_the_session_and_logs_with_one_object_a_line() {
    let app = app("web: echo said; exec cat\n");
    let first = answer(&app, "up -p 7000");
    let again = answer(&app, "up");
    assert_eq!(first["session"], again["session"]);
    assert!(first["log"].is_string() && again["log"].is_null(), "{first}\n{again}");
    assert_eq!(again["instances"][0]["state"], "up");
    let all = answer(&app, "ps --all");
    assert_eq!(all["sessions"][0]["session"]["pid"], first["session"]["pid"]);
    assert_eq!(answer(&app, "url web")["url"], "http://localhost:7000");
    assert_eq!(answer(&app, "port")["port"], 7000);
    let line = eventually("the line", || {
        let (code, lines) = objects(&app, "logs web");
        assert_eq!(code, 0);
        lines.into_iter().find(|line| line["line"] == "said")
    });
    assert_eq!((&line["process"], &line["end"]), (&"web.1".into(), &"newline".into()));
    assert_eq!(error(&app, "ui")["code"], "usage");
    assert_eq!(answer(&app, "down")["ended"], true);
}

#[test]
fn the_stream_of_a_session_fits_its_schema_line_by_line() {
    let app = app("web: printf 'one\\n\\377\\n'; exit 3\n");
    let (code, lines) = objects(&app, "start --restart never");
    assert_eq!(code, 3);
    assert!(lines.iter().any(|line| line["line"] == "one"), "{lines:#?}");
    assert!(lines.iter().any(|line| line["bytes"] == serde_json::json!([255])), "{lines:#?}");
    assert!(lines.iter().any(|line| line["event"] == "ended" && line["code"] == 3), "{lines:#?}");
}

#[test]
fn without_a_session_every_command_that_needs_one_says_so_by_its_code() {
    let app = app(&format!("web: {READY}\n"));
    for line in [
        "ps",
        "status",
        "restart",
        "stop web",
        "scale web=2",
        "signal HUP web",
        "reload",
        "quit",
        "attach web",
        "url",
        "port web",
    ] {
        let error = error(&app, line);
        assert_eq!(error["code"], "no-session", "{line}: {error}");
        assert!(error["hint"].as_str().is_some_and(|hint| hint.contains("pm start")), "{error}");
    }
    assert_eq!(error(&app, "wait --timeout 0")["code"], "timeout");
}

#[test]
fn a_name_of_nobody_has_its_code_in_every_command() {
    let app = app(&format!("web: {READY}\n"));
    for line in ["env nope", "schema nope"] {
        assert_eq!(error_of(&app, line)["code"], "unknown-name", "{line}");
    }
    assert_eq!(error(&app, "start nope")["code"], "unknown-name");
    answer(&app, "start --daemon -p 7000");
    for line in [
        "ps nope",
        "restart nope",
        "stop nope",
        "start nope.1",
        "scale nope=2",
        "signal HUP nope",
        "wait nope",
        "attach nope",
        "url nope",
        "port nope",
    ] {
        assert_eq!(error(&app, line)["code"], "unknown-name", "{line}");
    }
    let error = error(&app, "restart webb");
    assert_eq!(error["hint"], "did you mean `web`?");
    answer(&app, "quit");
}

/// As [`error`]; what `pm schema` prints where it fails has the schema `error`.
#[track_caller]
fn error_of(app: &Sandbox, line: &str) -> Value {
    match line.starts_with("schema") {
        false => error(app, line),
        true => {
            let output = pm(app, &format!("{line} --json"));
            assert_eq!((output.code(), output.stderr.as_str()), (1, ""));
            let mut object: Value = serde_json::from_str(&output.stdout).expect("it is JSON");
            assert_eq!(schema::faults(&schema_of(app, "error"), &object), Vec::<String>::new());
            object["error"].take()
        }
    }
}

#[test]
fn a_broken_file_has_its_place_in_every_command_that_reads_it() {
    let app = app("# two of one name\nweb: exec cat\nweb: exec cat\n");
    for line in
        ["start", "start --daemon", "env web", "run -f Procfile web", "export systemd units"]
    {
        let error = error(&app, line);
        assert_eq!(error["code"], "procfile-line", "{line}: {error}");
        assert_eq!(error["where"], "Procfile:3:1", "{line}: {error}");
    }
    let (code, found) = objects(&app, "check");
    assert_eq!(
        (code, &found[0]["code"], &found[0]["line"]),
        (1, &"procfile-line".into(), &3.into())
    );
    assert_eq!(found.last().expect("there is one")["errors"], 1);
    let app = app.procfile("web: exec cat\n").write("pm.toml", "[process.web]\nready = 7\n");
    let error = error(&app, "env web");
    assert_eq!(error["code"], "config-line", "{error}");
    assert!(error["where"].as_str().is_some_and(|at| at.starts_with("pm.toml:2:")), "{error}");
}

#[test]
fn a_command_line_that_cannot_be_read_is_an_error_object_too() {
    let app = app("web: exec cat\n");
    for (line, message) in [
        ("ps --bogus", "unexpected argument '--bogus' found"),
        ("stop", "the following required arguments were not provided: <NAME>..."),
        ("restart --wait x", "invalid value 'x' for '--wait <SECONDS>'"),
        ("env --show", "`--json` shows no values of env files"),
    ] {
        let (code, objects) = objects(&app, line);
        assert_eq!((code, objects.len()), (2, 1), "{line}");
        let error = &objects[0]["error"];
        assert_eq!(error["code"], "usage", "{line}: {error}");
        assert!(
            error["message"].as_str().is_some_and(|it| it.starts_with(message)),
            "{line}: {error}"
        );
    }
    let before = pm(&app, "-f Procfile --json start");
    assert_eq!((before.code(), before.stderr.as_str()), (2, ""));
    assert!(before.stdout.contains(r#""hint":"only -f, -d"#), "{}", before.stdout);
    let output = pm(&app, "run sh -c true --json --bogus");
    assert_eq!((output.code(), output.stdout.as_str()), (0, ""));
}

#[test]
fn a_current_folder_that_was_removed_is_an_error_object_too() {
    let app = Sandbox::new().write("gone/file", "");
    let script = format!("rm -r ../gone; {PM} ps; {PM} ps --json");
    let output = app.sh(&script).in_folder("gone").run();
    assert_eq!(output.code(), 1, "{output:#?}");
    assert!(output.stderr.starts_with("error: cannot find the current folder: "), "{output:#?}");
    assert_eq!(output.stderr.lines().count(), 1, "{output:#?}");
    let object: Value = serde_json::from_str(&output.stdout).expect("it is JSON");
    assert_eq!(object["error"]["code"], "startup");
}

#[test]
fn warnings_stand_in_the_object_and_not_on_standard_error() {
    let app = app("web: exec cat\nno line\n");
    let said = answer(&app, "env web")["diagnostics"].take();
    let warning = &said[0];
    assert_eq!(
        (&warning["severity"], &warning["where"]),
        (&"warning".into(), &"Procfile:2:1".into())
    );
    assert!(pm(&app, "env web").stderr.contains("warning: Procfile:2: "));
    let app = app.procfile("web: true\nno line\n").write(".env", "no line\n");
    let (code, stream) = objects(&app, "start --restart never");
    let notice = |word| {
        stream.iter().position(|line| {
            line["event"] == "notice"
                && line["text"].as_str().is_some_and(|it| it.starts_with(word))
        })
    };
    assert_eq!((code, notice("warning: Procfile:2: ")), (0, Some(0)), "{stream:#?}");
    assert_eq!(error(&app, "run nope")["code"], "command-not-found");
    let run = pm(&app, "run --json sh -c true");
    assert_eq!((run.code(), run.stdout.as_str()), (0, ""));
    assert!(run.stderr.starts_with("warning: .env:1: "), "{run:#?}");
}

#[test]
fn how_an_instance_has_ended_is_told_with_its_cause_and_its_last_lines() {
    let app = app("web: echo why-it-failed; test -e again || { touch again; exit 3; }; exec cat\n");
    answer(&app, "start --daemon -p 7000");
    let last = |app: &Sandbox| answer(app, "ps")["instances"][0]["last_exit"].take();
    let crash = eventually("the end", || {
        let last = last(&app);
        last["tail"][0].is_string().then_some(last)
    });
    assert_eq!((&crash["code"], &crash["signal"]), (&3.into(), &Value::Null));
    assert_eq!(
        (&crash["cause"], &crash["tail"]),
        (&"exited with code 3".into(), &serde_json::json!(["why-it-failed"]))
    );
    let at: jiff::Timestamp = crash["at"].as_str().expect("a time").parse().expect("RFC 3339");
    assert!(at.as_second() > 1_700_000_000, "{crash}");
    let instance = eventually("the next run", || {
        let web = answer(&app, "ps")["instances"][0].take();
        (web["state"] == "up").then_some(web)
    });
    assert_eq!(instance["restarts"], 1);
    assert!(instance["uptime_ms"].is_u64() && instance["rss"].is_u64(), "{instance}");
    done(&app, "signal KILL web");
    let killed = eventually("the end by a signal", || {
        let last = last(&app);
        last["signal"].is_string().then_some(last)
    });
    assert_eq!((&killed["code"], &killed["signal"]), (&Value::Null, &"SIGKILL".into()));
    answer(&app, "quit");
}

#[test]
fn no_value_of_an_env_file_is_in_any_of_it() {
    const SECRET: &str = "s3cr3t-of-the-env-file";
    let app = app(&format!("web: {READY}\nno line\n"))
        .write(".env", format!("API_KEY={SECRET}\nTERM={SECRET}\nTZ={SECRET}\nQUOTED=\"{SECRET}\nHOME={SECRET} # x\n"))
        .write("pm.toml", format!("[process.web.env]\nOWN = \"{SECRET}\"\n"));
    let mut said = HashMap::new();
    for line in [
        "check",
        "env web",
        "env web --all",
        "env --settings",
        "env nope",
        "export systemd units --dry-run",
        "export systemd --print",
        "export systemd units",
        "export compose units",
        "start --daemon -p 7000",
        "ps",
        "restart web",
        "reload",
        "start web",
        "stop web",
        "start web",
        "scale web=2",
        "signal CONT web",
        "wait web:started",
        "wait web:ready",
        "url web",
        "port",
        "restart nope",
        "run nope",
        "quit",
    ] {
        let output =
            pm(&app, &format!("{line} --json").replace("run nope --json", "run --json nope"));
        assert!(!output.stdout.is_empty(), "pm {line}: {output:#?}");
        said.insert(line, output.stdout + &output.stderr);
    }
    for (line, text) in said {
        assert!(!text.contains(SECRET), "pm {line}: {text}");
    }
}
