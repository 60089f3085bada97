//! The application's files: where they are looked for, what beats what, and what is said of a bad one.

use crate::log::{printed_by, said_by};
use crate::sandbox::{Output, PM, Sandbox};

#[test]
fn without_a_procfile_the_error_says_what_to_write() {
    let Output { stdout, stderr, end } = Sandbox::new().pm(["start"]).run();
    assert_eq!(
        stderr,
        "error: cannot read the Procfile `Procfile`: No such file or directory (os error 2)\n\
         hint: create a Procfile with lines such as `web: node server.js`, or name one with `-f`\n"
    );
    assert_eq!((stdout.as_str(), end), ("", crate::sandbox::End::Code(1)));
}

#[test]
fn a_package_json_stands_in_for_a_procfile_and_a_notice_says_so() {
    let app = Sandbox::new()
        .write("package.json", r#"{"scripts": {"start": "node ."}}"#)
        .write("bin/npm", "#!/bin/sh\necho npm \"$@\"\n");
    let script = format!(
        "chmod +x bin/npm; PATH=$PWD/bin:$PATH exec {} start --no-timestamp",
        crate::sandbox::PM
    );
    let output = app.sh(&script).run();
    assert_eq!(
        said_by(&output.stdout, "system"),
        ["no Procfile: running `web: npm start` for `package.json`"]
    );
    assert_eq!(printed_by(&output.stdout, "web.1"), ["npm start"], "{output:?}");
    let named = app.pm(["start", "-f", "Procfile"]).run();
    assert!(named.stderr.starts_with("error: cannot read the Procfile `Procfile`"), "{named:?}");
}

#[test]
fn a_procfile_dev_is_no_procfile_and_the_error_says_how_to_name_it() {
    let app = Sandbox::new()
        .write("app/Procfile.dev", "web: touch ran; echo up\n")
        .write("app/package.json", r#"{"scripts": {"start": "touch ran"}}"#);
    for command in [&["start"][..], &["env"], &["export", "compose", "out"]] {
        let output = app.pm(command.iter().chain(&["-d", "app"])).run();
        assert_eq!(
            output.stderr,
            "error: cannot read the Procfile `app/Procfile`: file not found, but there is `app/Procfile.dev`\n\
             hint: name it with `-f app/Procfile.dev`\n",
            "{command:?}"
        );
        assert_eq!((output.code(), app.read("app/ran")), (1, None), "{command:?}");
    }
    let checked = app.pm(["check", "-d", "app"]).run();
    assert!(checked.stderr.contains("`-f app/Procfile.dev`"), "{checked:?}");
    assert_eq!(checked.code(), 1);
    // A word that is no program may be one of its entries.
    let ran = app.pm(["run", "-d", "app", "web"]).run();
    assert!(ran.stderr.contains("`-f app/Procfile.dev`"), "{ran:?}");
    assert_eq!(app.pm(["run", "-d", "app", "true"]).run().code(), 0);
    let output = app.pm(["start", "-f", "app/Procfile.dev"]).run();
    assert_eq!(printed_by(&output.stdout, "web.1"), ["up"], "{output:?}");
}

#[test]
fn without_a_start_script_npm_start_is_not_offered() {
    let app = Sandbox::new().write("package.json", r#"{"scripts": {"dev": "vite"}}"#);
    let output = app.pm(["start"]).run();
    assert_eq!(
        output.stderr,
        "error: cannot read the Procfile `Procfile`: file not found, and `package.json` has no script `start`\n\
         hint: create a Procfile with a line such as `web: npm run dev`, or name one with `-f`\n"
    );
    assert_eq!((output.code(), output.stdout.as_str()), (1, ""));
    let ran = app.pm(["run", "nosuchprogram"]).run();
    assert!(ran.stderr.starts_with("error: `nosuchprogram` was not found"), "{ran:?}");
}

#[test]
fn a_bad_procfile_is_an_error_with_file_and_line_and_nothing_starts() {
    let table: [(&[u8], &str); 6] = [
        (
            b"web: touch ran\nworker: true\nweb: true\n",
            "Procfile:3: `web` is defined twice, on line 1 and on line 3",
        ),
        (b"web: touch ran\nx: \xff\n", "Procfile:2: byte 0xFF is not UTF-8"),
        (b"web: touch ran\nx: a\0b\n", "Procfile:2: a command cannot contain a NUL byte"),
        (b"", "no processes defined in `Procfile`"),
        (b"# web: touch ran\n\n", "no processes defined in `Procfile`"),
        (b"Web server\n", "no processes defined in `Procfile`"),
    ];
    for (text, error) in table {
        let app = Sandbox::new().write("Procfile", text);
        let output = app.pm(["start"]).run();
        assert!(output.stderr.contains(&format!("error: {error}")), "{output:?}");
        assert!(output.stderr.contains("\nhint: "), "{output:?}");
        assert_eq!((output.code(), output.stdout.as_str()), (1, ""), "{error}");
        assert_eq!(app.read("ran"), None, "{error}");
    }
}

#[test]
fn a_line_that_is_skipped_is_a_warning_with_file_and_line() {
    let app =
        Sandbox::with_procfile("# a comment\n\nnonsense\n  web: x\nb@d: x\nempty:\nok: echo $C\n")
            .write(".env", "A=1\nnot a line\n=x\nC=read\n");
    let output = app.pm(["start"]).run();
    let warnings: Vec<_> =
        output.stderr.lines().filter_map(|line| line.strip_prefix("warning: ")).collect();
    assert_eq!(
        warnings,
        [
            "Procfile:3: skipped: not NAME: COMMAND",
            "Procfile:4: skipped: spaces before `web`",
            "Procfile:5: skipped: the name of a process type cannot contain `@`",
            "Procfile:6: skipped: `empty` has no command",
            ".env:2: skipped: not KEY=VALUE",
            ".env:3: skipped: no name before the `=`",
        ]
    );
    assert_eq!(output.stderr.matches("\nhint: ").count(), warnings.len(), "{output:?}");
    assert_eq!(printed_by(&output.stdout, "ok.1"), ["read"], "the rest of both files counts");
    assert_eq!(output.code(), 0);
}

#[test]
fn a_procfile_from_windows_is_read() {
    let app =
        Sandbox::with_procfile("\u{feff}web: echo one\r\n\r\n# two\r\nworker: echo three\r\n");
    let output = app.pm(["start"]).run();
    assert_eq!(printed_by(&output.stdout, "web.1"), ["one"]);
    assert_eq!(printed_by(&output.stdout, "worker.1"), ["three"]);
    assert_eq!(output.stderr, "");
}

#[test]
fn the_root_is_that_of_d_else_the_folder_of_f_and_env_files_that_of_d_else_the_current() {
    let app = Sandbox::with_procfile("web: pwd; echo $A\n")
        .write(".env", "A=top\n")
        .write("sub/Procfile", "web: pwd; echo $A\n")
        .write("sub/.env", "A=sub\n");
    let (top, sub) = (app.dir(), app.path("sub"));
    let table: [(&[&str], &str, &std::path::Path, &str); 6] = [
        (&[], ".", &top, "top"),
        (&["-f", "sub/Procfile"], ".", &sub, "top"),
        (&["-d", "sub"], ".", &sub, "sub"),
        (&["-d", "sub/", "-f", "Procfile"], ".", &sub, "sub"),
        (&["-d", ".", "-f", "sub/Procfile"], ".", &top, "top"),
        (&["-f", "../Procfile"], "sub", &top, "sub"),
    ];
    for (args, folder, root, value) in table {
        let output = app.pm(["start"].iter().chain(args)).in_folder(folder).run();
        let printed = printed_by(&output.stdout, "web.1");
        // The root may be written with dots; the folder is the same.
        let shown = printed.first().map(|path| std::path::Path::new(path).canonicalize());
        assert!(matches!(shown, Some(Ok(path)) if path == root), "{args:?}: {output:?}");
        assert_eq!(printed[1], value, "{args:?}");
    }
}

#[test]
fn a_folder_or_file_that_cannot_be_used_is_named() {
    let app = Sandbox::new().write("file", "").write("folder/x", "");
    let table: [(&[&str], &str); 5] = [
        (&["-d", "nope"], "cannot use the folder `nope`: No such file or directory"),
        (&["-d", "file"], "cannot use the folder `file`: not a directory"),
        (&["-f", "nope/Procfile"], "cannot use the folder `nope`: No such file"),
        (&["-f", "nope"], "cannot read the Procfile `nope`: No such file"),
        (&["-f", "folder"], "cannot read the Procfile `folder`: Is a directory"),
    ];
    for (args, error) in table {
        let output = app.pm(["start"].iter().chain(args)).run();
        assert!(output.stderr.starts_with(&format!("error: {error}")), "{output:?}");
        assert_eq!((output.code(), output.stdout.as_str()), (1, ""));
    }
}

#[test]
fn env_files_beat_the_environment_and_set_beats_both() {
    let app = Sandbox::with_procfile("web: echo $A $B $C $D\n")
        .write(".env", "B=file\nC=file\n")
        .write("one", "B=one\nC=one\nD=one\n")
        .write("two", "C=two\n")
        .env("A", "caller")
        .env("B", "caller")
        .env("C", "caller");
    let table: [(&[&str], &str); 6] = [
        (&[], "caller file file"),
        (&["-e", "one"], "caller one one one"),
        (&["-e", "one,two"], "caller one two one"),
        (&["-e", "two", "--env", "one"], "caller one one one"),
        (&["--set", "B=set", "--set", "D=a=b c"], "caller set file a=b c"),
        (&["-e", "one", "--set", "A=", "--set", "B="], "one one"),
    ];
    for (args, values) in table {
        let output = app.pm(["start"].iter().chain(args)).run();
        assert_eq!(printed_by(&output.stdout, "web.1"), [values], "{args:?}: {output:?}");
    }
}

#[test]
fn a_named_env_file_must_be_there_and_only_the_default_is_optional() {
    let app = Sandbox::with_procfile("web: touch ran\n").write("one", "A=1\n");
    for args in [&["-e", "nope"][..], &["-e", "one,nope"], &["-e", "one", "-e", "nope"]] {
        let output = app.pm(["start"].iter().chain(args)).run();
        let error = "error: cannot read the env file `nope`: No such file or directory";
        assert!(output.stderr.starts_with(error), "{output:?}");
        assert_eq!((output.code(), app.read("ran")), (1, None));
    }
    assert_eq!(app.pm(["start"]).run().code(), 0);
    // A Python virtual environment often has this name.
    let app = app.write(".env/bin/python", "");
    let output = app.pm(["start"]).run();
    assert_eq!((output.code(), output.stderr.as_str()), (0, ""));
}

#[test]
fn a_bad_env_file_is_an_error_with_file_and_line_and_nothing_starts() {
    let app = Sandbox::with_procfile("web: touch ran\n");
    let table: [(&[u8], &str); 2] = [
        (b"A=1\nB=\xff\n", ".env:2: byte 0xFF is not UTF-8"),
        (b"A=1\n\nB=b\0c\n", ".env:3: the value of `B` contains a NUL byte"),
    ];
    for (text, error) in table {
        std::fs::write(app.path(".env"), text).expect("the sandbox can be written");
        for command in [&["start"][..], &["run", "true"], &["env"]] {
            let output = app.pm(command).run();
            assert!(output.stderr.starts_with(&format!("error: {error}")), "{output:?}");
            assert!(output.stderr.contains("\nhint: "), "{output:?}");
            assert_eq!((output.code(), output.stdout.as_str()), (1, ""));
        }
    }
    assert_eq!(app.read("ran"), None);
}

#[test]
fn a_folder_in_the_place_of_a_file_is_an_error_that_says_what_to_name() {
    let app = Sandbox::with_procfile("web: touch ran\n").write("folder/x", "");
    for (option, hint) in [
        ("-f", "name a file with `-f`, or the application's folder with `-d`"),
        ("-e", "name a file with `-e`"),
        ("--config", "name a file with `--config`"),
    ] {
        let output = app.pm(["start", option, "folder"]).run();
        assert!(output.stderr.starts_with("error: cannot read "), "{output:?}");
        assert!(output.stderr.ends_with(&format!("\nhint: {hint}\n")), "{output:?}");
        assert_eq!((output.code(), app.read("ran")), (1, None), "{option}");
    }
    let output = app.pm(["check", "-f", "/etc"]).run();
    assert!(output.stderr.contains("hint: name a file with `-f`"), "{output:?}");
}

#[test]
fn an_assignment_without_equals_is_an_error() {
    let app = Sandbox::with_procfile("web: touch ran\n");
    for text in ["A", "=1", ""] {
        let output = app.pm(["start", "--set", text]).run();
        let error = format!(
            "error: cannot use `--set`: `{text}` is not KEY=VALUE\n\
             hint: write `--set KEY=VALUE`; see `pm start --help`\n"
        );
        assert_eq!(output.stderr, error);
        assert_eq!((output.code(), app.read("ran")), (2, None));
    }
}

#[test]
fn env_values_reach_the_process_byte_by_byte() {
    let app =
        Sandbox::with_procfile("web: printf '%s|' \"$A\" \"$B\" \"$C\" \"$D\" \"$E\"; echo\n")
            .write(
                ".env",
                "A='$HOME `x`'\nB=\"two\\nlines\"\nexport C=c\nD = d\nE=é # not a comment\n",
            );
    let output = app.pm(["start", "--no-prefix"]).run();
    assert!(output.stdout.contains("$HOME `x`|two\nlines|c|d|é"), "{output:?}");
}

#[test]
fn bytes_of_the_environment_that_are_not_utf8_pass() {
    use std::os::unix::ffi::OsStrExt;
    let app = Sandbox::with_procfile("web: printf '%s' \"$RAW\" | od -An -tx1\n")
        .env("RAW", std::ffi::OsStr::from_bytes(b"a\xff"));
    let output = app.pm(["start"]).run();
    assert_eq!(printed_by(&output.stdout, "web.1"), [" 61 ff"], "{output:?}");
}

#[test]
fn a_full_stderr_changes_no_exit_code() {
    let app = Sandbox::with_procfile("web: true\njunk\n");
    let script =
        format!("{PM} start nope 2>/dev/full; echo $?; {PM} run true 2>/dev/full; echo $?");
    assert_eq!(app.sh(&script).run().stdout, "1\n0\n");
}

#[test]
fn options_of_the_application_stand_before_the_command_as_well_as_behind_it() {
    let app = Sandbox::new()
        .write("app/Procfile", "web: echo web $PORT $A\nworker: echo worker $PORT $A\n")
        .write("app/Procfile.dev", "web: echo dev $PORT $A\n")
        .write("app/.env", "A=default\n")
        .write("x.env", "A=x\n")
        .write("y.env", "B=y\n")
        .write("x.toml", "[defaults]\nport = 6000\n");
    let printed = |args: &str| {
        let output = app.pm(args.split(' ')).run();
        assert_eq!((output.code(), output.stderr.as_str()), (0, ""), "{args}");
        printed_by(&output.stdout, "web.1").join("\n")
    };
    assert_eq!(printed("-d app -p 3000 start web=2"), "web 3000 default");
    assert_eq!(printed("-f app/Procfile.dev -d app -m web=1 start"), "dev 5000 default");
    assert_eq!(printed("-dapp --env=x.env --config x.toml start web"), "web 6000 x");
    // Behind wins.
    assert_eq!(printed("-d nowhere -p 3000 start -d app --port=4000 web"), "web 4000 default");
    assert_eq!(printed("-d app --set A=before start --set A=behind web"), "web 5000 behind");
    let output =
        app.pm(["-e", "x.env", "run", "-e", "y.env", "sh", "-c", "echo $A $B $1", "-e", "z"]).run();
    assert_eq!(
        output.stdout, "x y z\n",
        "lists add up, and the command's words are its own: {output:?}"
    );
    let output = app.pm(["-d", "app", "--set", "A=b", "check"]).run();
    assert_eq!(output.stdout, "valid procfile detected (web, worker)\n", "{output:?}");
    let output = app.pm(["-d", "app", "-e", "x.env", "env", "--show"]).run();
    assert!(output.stdout.starts_with("A=x  # x.env:1\n"), "{output:?}");
    let output = app.pm(["-f", "app/Procfile", "status"]).run();
    assert!(output.stderr.starts_with("error: no session runs in `"), "{output:?}");
    assert!(output.stderr.contains("/app`"), "{output:?}");
}

#[test]
fn another_option_before_the_command_is_refused_and_the_hint_says_where_it_stands() {
    let app = Sandbox::with_procfile("web: touch ran\n");
    for args in [&["-t", "1", "start"][..], &["-f", "Procfile", "--daemon", "start"]] {
        let output = app.pm(args).run();
        assert!(output.stderr.contains("\nhint: only -f, -d,"), "{output:?}");
        assert_eq!((output.code(), app.read("ran")), (2, None), "{args:?}");
    }
    let output = app.pm(["-p", "3000"]).run();
    assert!(output.stderr.contains("requires a subcommand"), "{output:?}");
    let output = app.pm(["-p", "70000", "start"]).run();
    assert!(output.stderr.starts_with("error: `70000` of `-p` is not a port number"), "{output:?}");
    for (typed, option, command) in
        [("-p 3000 status", "-p", "status"), ("--formation=web=2 run web", "--formation", "run")]
    {
        let output = app.pm(typed.split(' ')).run();
        let said = format!("error: `{option}` is not an option of `pm {command}`\nhint: ");
        assert!(output.stderr.starts_with(&said), "{output:?}");
        assert_eq!((output.code(), app.read("ran")), (2, None), "{typed}");
    }
}
