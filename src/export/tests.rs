//! Whole exports of three applications in every format, compared with `tests/golden/export`.
//! `PM_BLESS=1 cargo test --lib export` rewrites them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::formats::*;
use super::write::paths;
use super::*;
use crate::app::{
    Budget, Environment, ExitOn, MemoryAction, ProcessType, Reach, Restart, Role, Signal, Size,
    Source,
};

fn app(root: &str, types: Vec<ProcessType>, variables: &[(&str, &str)]) -> App {
    let mut environment = Environment::default();
    environment.set("PATH", "/home/me/bin", Source::Caller);
    environment.set("PORT", "7000", Source::Caller);
    let path = Arc::new(PathBuf::from(".env"));
    for (line, (name, value)) in variables.iter().enumerate() {
        environment.set(name, value, Source::EnvFile { path: Arc::clone(&path), line: line + 1 });
    }
    App { root: root.into(), types, environment, base_port: 5000, exit_on: ExitOn::Failure }
}

fn process(name: &str, command: &str, count: u16) -> ProcessType {
    ProcessType { count, ..ProcessType::of(name, command) }
}

fn options(app: &str) -> Options {
    Options {
        app: app.into(),
        user: "deploy".into(),
        log: format!("/var/log/{app}").into(),
        run: format!("/var/run/{app}").into(),
        location: "/srv/export".into(),
        image: Image::Named(format!("registry.example/{app}:1.0")),
        values: Values::Inline,
        scope: Scope::System,
        hardening: Hardening::Default,
        release: Release::LeftOut,
        inittab: Inittab::File(format!("{app}.inittab")),
        templates: BTreeMap::new(),
    }
}

/// A clustered web server with a memory budget, its own variables, and a worker with its own signal.
fn cluster() -> (App, Options) {
    let mut web = process("web", "node --max-http-header-size=16384 server.js", 2);
    web.policy.budget =
        Size::from_mib(512).map(|size| Budget { size, action: MemoryAction::Restart });
    web.policy.restart = Restart::Always;
    web.environment.set("WEB_CONCURRENCY", "2", Source::Pm("memory budget"));
    let mut worker = process("worker", "node worker.js", 1);
    worker.policy.stop_signal = Signal::INT;
    worker.policy.grace = std::time::Duration::from_millis(29_500);
    worker.directory = Some("/srv/cluster/jobs".into());
    let idle = process("idle", "node idle.js", 0);
    let app = app(
        "/srv/cluster",
        vec![web, worker, idle],
        &[("NODE_ENV", "production"), ("REDIS_URL", "redis://:p@h/0")],
    );
    (app, options("cluster"))
}

/// Everything that some format treats specially.
fn quoting() -> (App, Options) {
    let command = r#"./a "it's" 100% '$A' "$B" \\ 'e ; f' '#c' é {{x}} ${C} <&1"#;
    let variables = [
        ("BRACES", "{{ x }} ${A} %{B} $$ $(id) `id`"),
        ("CRLF", "a\r\nb"),
        ("EMPTY", ""),
        ("LINES", "one\n two\nend script\n"),
        ("PERCENT", "100% %n %(x)s %%"),
        ("QUOTES", r#"it's "so" \ C:\dir\n\"#),
        ("SPECIAL", " a ; b # c\t<&>| "),
        ("UNICODE", "żółć 日本 🎉"),
    ];
    let app = app("/srv/my app 100% $x", vec![process("web", command, 1)], &variables);
    (app, options("quoting"))
}

/// A release step before a compound command, and one that brings its own variables.
fn compound() -> (App, Options) {
    let mut release = process("release", "bin/migrate", 1);
    release.policy.role = Role::Release;
    let web = process("web", "cd public && ../serve -p $PORT | tee log # all", 1);
    let mut clock = process("Clock_1", "TZ=UTC ./clock", 1);
    clock.policy.restart = Restart::Never;
    let options = Options {
        release: Release::First,
        values: Values::EnvFile,
        hardening: Hardening::Sandbox,
        ..options("compound")
    };
    (app("/srv/compound", vec![release, web, clock], &[("SECRET", "hunter2")]), options)
}

/// A folder name, and what makes the application.
type Case = (&'static str, fn() -> (App, Options));
const APPS: [Case; 3] = [("cluster", cluster), ("quoting", quoting), ("compound", compound)];

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/export")
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test is told by its caller to rewrite what it expects"
)]
fn is_blessing() -> bool {
    std::env::var_os("PM_BLESS").is_some()
}

/// Returns one text for all files of an export.
fn whole(files: &[File]) -> String {
    files.iter().map(|file| format!("==> {} <==\n{}", file.path.display(), file.contents)).collect()
}

/// Returns the contents of the files by path, and under `INDEX` their modes and owners in their order.
fn expectation(files: &[File]) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    let mut index = String::new();
    for file in files {
        let owner = match file.owner {
            Owner::Exporter => "",
            Owner::User => " of the user",
        };
        index.push_str(&format!("{:04o} {}{owner}\n", file.mode, file.path.display()));
        all.insert(file.path.clone(), file.contents.clone());
    }
    all.insert("INDEX".into(), index);
    all
}

fn read_all(folder: &Path, below: &Path, all: &mut BTreeMap<PathBuf, String>) {
    for entry in std::fs::read_dir(folder.join(below)).into_iter().flatten().flatten() {
        let path = below.join(entry.file_name());
        if entry.path().is_dir() {
            read_all(folder, &path, all);
        } else {
            all.insert(path, std::fs::read_to_string(entry.path()).unwrap());
        }
    }
}

#[test]
fn every_format_writes_what_it_wrote_before() {
    for (name, case) in APPS {
        let (app, options) = case();
        for format in FORMATS {
            let files = expectation(&render(format, &app, &options).unwrap());
            let folder = golden().join(name).join(format.name);
            if is_blessing() {
                // Nothing there yet is as good as removed.
                let _ = std::fs::remove_dir_all(&folder);
                for (path, text) in &files {
                    let path = folder.join(path);
                    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                    std::fs::write(path, text).unwrap();
                }
            }
            let mut before = BTreeMap::new();
            read_all(&folder, Path::new(""), &mut before);
            assert_eq!(before, files, "{name} {}: PM_BLESS=1 rewrites it", format.name);
        }
    }
}

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
fn a_template_of_ones_own_replaces_one_file() {
    let (app, mut options) = cluster();
    let own =
        "# {{ marker }}\n[Service]\nExecStart={{ command }}\nX={{ raw.folder | systemd_path }}\n";
    options.templates.insert("service.j2".into(), own.into());
    let files = render(&systemd::FORMAT, &app, &options).unwrap();
    let unit = files.iter().find(|file| file.path == Path::new("cluster-web-1.service")).unwrap();
    let expected = "# pm export: app=cluster format=systemd file=cluster-web-1.service\n[Service]\n\
                    ExecStart=\"exec node --max-http-header-size=16384 server.js\"\nX=/srv/cluster\n";
    assert_eq!(unit.contents, expected);
    assert!(
        files.iter().any(|file| file.contents.contains("[Install]\nWantedBy=multi-user.target"))
    );
}

#[test]
fn a_template_with_an_unknown_name_or_without_the_marker_is_refused() {
    let (app, mut options) = cluster();
    options.templates.insert("service.j2".into(), "# {{ marker }}\n{{ nonsense }}\n".into());
    let refusal = render(&systemd::FORMAT, &app, &options).unwrap_err().to_string();
    assert_eq!(refusal, "cannot render the template `service.j2` of systemd");
    options.templates.insert("service.j2".into(), "[Service]\n".into());
    let refusal = render(&systemd::FORMAT, &app, &options).unwrap_err().to_string();
    assert_eq!(refusal, "the template of `cluster-web-1.service` does not write the marker line");
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
        "launchd cannot carry the variable `A`: it holds a control character"
    );
    let types = vec![process("a_b", "./a", 1), process("a-b", "./b", 1)];
    assert_eq!(
        refusal(&kubernetes::FORMAT, &app("/srv/a", types, &[]), &options("a")),
        "`a_b` and `a-b` are both `a-b` in kubernetes"
    );
    let types = vec![process("web", "./a", 1), process("web-1", "./b", 1)];
    assert_eq!(
        refusal(&upstart::FORMAT, &app("/srv/a", types, &[]), &options("a")),
        "two files of this export are `a-web-1.conf`"
    );
    let long = Options { location: format!("/srv/{}", "x".repeat(300)).into(), ..options("a") };
    assert_eq!(
        refusal(&inittab::FORMAT, &app("/srv/a", web(), &[]), &long),
        "the inittab line of `web.1` would have 324 characters, and init skips lines over 253"
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
fn every_file_has_a_path_of_its_formats_list() {
    for (_, case) in APPS {
        let (app, with) = case();
        for format in FORMATS {
            for values in [Values::Inline, Values::EnvFile] {
                // Some values have no place in some env files.
                let files = render(format, &app, &Options { values, ..with.clone() });
                for file in files.unwrap_or_default() {
                    let path = file.path.to_str().unwrap();
                    assert!(paths::can_be(format, &with.app, path), "{} {path}", format.name);
                    let (folder, _) = path.split_once('/').unwrap_or_default();
                    let is_folder = paths::can_be_folder(format, &with.app, folder);
                    assert_eq!(is_folder, !folder.is_empty(), "{} {path}", format.name);
                }
            }
        }
    }
}

#[test]
fn every_format_removes_its_own_stale_files_and_no_copy_of_them() {
    use super::write::{Changes, Chown, Folder};
    for format in FORMATS {
        let dir = tempfile::tempdir().unwrap();
        let here = dir.path();
        let export = |web: u16, values: Values| {
            let (mut app, with) = cluster();
            app.types[0].count = web;
            app.types.truncate(usize::from(web));
            let files = render(format, &app, &Options { values, ..with }).unwrap();
            let folder = Folder::hold(here, || panic!("nobody else exports")).unwrap();
            let changes = Changes::plan(&folder, "cluster", format, &files).unwrap();
            changes.apply(Chown::Keep).unwrap();
            let written: Vec<PathBuf> = files.iter().map(|file| file.path.clone()).collect();
            (written, changes.removed().to_vec())
        };
        let (mut all, _) = export(2, Values::EnvFile);
        let mut copies = Vec::new();
        for path in &all {
            let name = path.file_name().unwrap().to_str().unwrap();
            for copy in [
                format!("{name}.bak"),
                format!("{name}~"),
                format!("my-copy.{name}"),
                format!("cluster-copy-9.{}", name.split_once('.').unwrap_or_default().1),
                "NOTES.md".to_owned(),
            ] {
                let copy = path.with_file_name(copy);
                let text = std::fs::read(here.join(path)).unwrap();
                std::fs::write(here.join(&copy), &text).unwrap();
                copies.push((copy, text));
            }
        }
        let (wanted, removed) = export(1, Values::Inline);
        all.retain(|path| !wanted.contains(path));
        all.sort();
        assert!(!all.is_empty(), "{}", format.name);
        assert_eq!(removed, all, "{}", format.name);
        for (copy, _) in copies.iter().rev() {
            assert!(here.join(copy).exists(), "{} {}", format.name, copy.display());
        }
    }
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
fn what_is_left_out_or_assumed_is_told() {
    use super::notices::{Account, notices};
    let told = |format: &Format, case: fn() -> (App, Options), account: Account, image: Image| {
        let (app, options) = case();
        let options = Options { image, ..options };
        let files = render(format, &app, &options).unwrap();
        notices(format, &app, &options, account, files.iter().map(|file| file.owner))
    };
    let named = || Image::Named("a".into());
    assert_eq!(told(&systemd::FORMAT, cluster, Account::Reachable, named()), [""; 0]);
    assert_eq!(
        told(&inittab::FORMAT, cluster, Account::Unknown, named()),
        [
            "the memory budget is left out: inittab does not limit memory",
            "the stop signal is left out: inittab sends TERM",
            "the timeout is left out: inittab has its own",
            "there is no user `deploy` on this machine; choose one with `-u`",
        ]
    );
    assert_eq!(
        told(&supervisord::FORMAT, compound, Account::OutOfReach, named()),
        [
            "`release` is left out: supervisord has no one-shot step; run it before each start",
            "only root can give files away: the scripts and env files must be owned by `deploy`",
        ]
    );
    assert_eq!(told(&compose::FORMAT, quoting, Account::Unknown, Image::Build), [""; 0]);
    assert_eq!(
        told(&quadlet::FORMAT, quoting, Account::Unknown, Image::Assumed),
        ["no image was named with `--image`: `localhost/quoting:latest` is assumed"]
    );
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
