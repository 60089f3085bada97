//! `pm export`: what is written, what is refused, and that nothing is half done.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::sandbox::Sandbox;

const SHOP: [&str; 3] = ["-a", "shop", "-u=root"];

fn shop() -> Sandbox {
    Sandbox::with_procfile("web: ./serve --port $PORT\nworker: ./work\n").write(".env", "KEY=a%b\n")
}

/// Returns the names of the files in a folder of the sandbox, in order.
fn files(app: &Sandbox, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(app.path(folder)).expect("the folder was made");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("it is read").file_name().to_string_lossy().into())
        .collect();
    names.sort();
    names
}

fn sorted<const N: usize>(mut names: [&str; N]) -> [&str; N] {
    names.sort_unstable();
    names
}

#[test]
fn systemd_units_are_written_and_a_second_export_changes_nothing() {
    let app = shop();
    let export = ["export", "systemd", "out", "-m", "web=2,worker=1"];
    let output = app.pm(export.iter().chain(&SHOP)).run();
    assert_eq!(output.code(), 0, "{}", output.stderr);
    let expected = [
        "shop-web-1.service",
        "shop-web-2.service",
        "shop-web.target",
        "shop-worker-1.service",
        "shop-worker.target",
        "shop.target",
    ];
    assert_eq!(files(&app, "out"), expected);
    let unit = app.read("out/shop-web-2.service").expect("it is there");
    for line in
        ["Environment=\"KEY=a%%b\"", "Environment=\"PORT=5001\"", "Environment=\"PS=web.2\""]
    {
        assert!(unit.lines().any(|found| found == line), "{line}: {unit}");
    }
    let mode = fs::metadata(app.path("out/shop-web-2.service")).expect("it is there").permissions();
    assert_eq!(mode.mode() & 0o777, 0o600, "values are secrets");
    app.pm(export.iter().chain(&SHOP)).run();
    assert_eq!(app.read("out/shop-web-2.service").as_deref(), Some(unit.as_str()));
}

#[test]
fn a_smaller_formation_removes_its_own_units_and_no_one_elses() {
    let app = shop().write("out/shopping.service", "[Unit]\n");
    app.pm(["export", "systemd", "out", "-m", "web=3"].iter().chain(&SHOP)).run();
    let output = app.pm(["export", "systemd", "out", "-m", "web=1"].iter().chain(&SHOP)).run();
    assert_eq!(output.code(), 0, "{}", output.stderr);
    let expected = ["shop-web-1.service", "shop-web.target", "shop.target", "shopping.service"];
    assert_eq!(files(&app, "out"), expected);
}

#[test]
fn a_strangers_file_in_the_way_stops_everything_before_a_file_is_written() {
    let app = shop().write("out/shop-worker-1.service", "[Unit]\nDescription=mine\n");
    let output = app.pm(["export", "systemd", "out"].iter().chain(&SHOP)).run();
    assert_eq!(output.code(), 1);
    assert!(output.stderr.contains("shop-worker-1.service"), "{}", output.stderr);
    assert_eq!(files(&app, "out"), ["shop-worker-1.service"]);
}

#[test]
fn copies_and_notes_with_the_marker_in_them_stay() {
    let app = shop();
    let export = ["export", "systemd", "out", "-m", "web=2"];
    assert_eq!(app.pm(export.iter().chain(&SHOP)).run().code(), 0);
    let unit = app.read("out/shop-web-2.service").expect("it is there");
    let app = app
        .write("out/my-copy.service", &unit)
        .write("out/shop-web-2.service.bak", &unit)
        .write("out/NOTES.md", format!("Notes\n{unit}"));
    let output = app.pm(["export", "systemd", "out", "-m", "web=1"].iter().chain(&SHOP)).run();
    assert_eq!(output.code(), 0, "{}", output.stderr);
    let removed: Vec<_> =
        output.stdout.lines().filter(|line| line.starts_with("removed ")).collect();
    let path = app.path("out/shop-web-2.service");
    assert_eq!(removed, [format!("removed {}", path.display())]);
    assert!(!path.exists());
    for kept in ["my-copy.service", "shop-web-2.service.bak", "NOTES.md"] {
        assert!(app.path(&format!("out/{kept}")).exists(), "{kept}");
    }
}

#[test]
fn the_unit_of_a_renamed_type_goes_and_one_of_an_earlier_pm_is_told() {
    let app = shop();
    let export = || app.pm(["export", "systemd", "out"].iter().chain(&SHOP)).run();
    assert_eq!(export().code(), 0);
    fs::write(app.path("Procfile"), "www: ./serve\n").expect("it is written");
    let old = "# pm export: app=shop format=systemd\n[Unit]\n";
    fs::write(app.path("out/shop-db-1.service"), old).expect("it is written");
    let output = export();
    assert_eq!(output.code(), 0, "{}", output.stderr);
    assert_eq!(
        files(&app, "out"),
        ["shop-db-1.service", "shop-www-1.service", "shop-www.target", "shop.target"]
    );
    let removed = format!("removed {}\n", app.path("out/shop-web-1.service").display());
    assert!(output.stdout.contains(&removed), "{}", output.stdout);
    let told = "shop-db-1.service` was written by an earlier version of pm";
    assert!(output.stderr.contains(told), "{}", output.stderr);
}

#[test]
fn exports_at_the_same_time_all_succeed_and_leave_no_temporary_file() {
    let types: String = (0..60).map(|number| format!("p{number}: ./serve\n")).collect();
    let app = Sandbox::with_procfile(&types);
    std::thread::scope(|scope| {
        let one = || app.pm(["export", "systemd", "out"].iter().chain(&SHOP)).run();
        let all: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
        for export in all {
            let output = export.join().expect("it does not panic");
            assert_eq!(output.code(), 0, "{}", output.stderr);
        }
    });
    assert_eq!(files(&app, "out").len(), 121);
}

#[test]
fn values_can_stand_in_a_file_of_their_own() {
    let app = shop();
    app.pm(["export", "systemd", "out", "--env-file"].iter().chain(&SHOP)).run();
    assert!(app.read("out/shop.env").expect("it is there").contains("KEY="));
    let mode = fs::metadata(app.path("out/shop.env")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!app.read("out/shop-web-1.service").expect("it is there").contains("a%%b"));
}

#[test]
fn printing_and_a_dry_run_write_nothing() {
    for option in ["--print", "--dry-run"] {
        let app = shop();
        let output = app.pm(["export", "compose", "out", option].iter().chain(&SHOP)).run();
        assert_eq!(output.code(), 0, "{}", output.stderr);
        assert!(output.stdout.contains("services:"), "{option}: {}", output.stdout);
        assert!(!app.path("out").exists(), "{option}");
    }
}

#[test]
fn what_cannot_be_exported_is_one_error_and_writes_nothing() {
    let table: [(&[&str], &str); 5] = [
        (&["export", "runit", "out", "--s6-rc"], "runit has no s6-rc form (`--s6-rc`)"),
        (&["export", "systemdd", "out"], "systemd"),
        (&["export", "systemd", "out", "-e", "nope.env"], "nope.env"),
        (&["export", "systemd", "out", "-T", "nope"], "nope"),
        (&["export", "systemd", "out", "-m", "wbe=1"], "web"),
    ];
    for (args, part) in table {
        let app = shop();
        let output = app.pm(args).run();
        assert_eq!(output.code(), 1, "{args:?}: {}", output.stderr);
        assert!(output.stderr.contains(part), "{args:?}: {}", output.stderr);
        assert!(!app.path("out").exists(), "{args:?}");
    }
}

#[test]
fn what_to_do_with_the_files_names_the_folder_and_nothing_in_a_longer_word() {
    let app = shop();
    let output = app.pm(["export", "s6", "DIR"].iter().chain(&SHOP)).run();
    assert_eq!(output.code(), 0, "{}", output.stderr);
    let folder = app.path("DIR").display().to_string();
    for part in ["`s6-svscanctl -a SCANDIR`", &format!("`s6-rc-compile COMPILED {folder}`")] {
        assert!(output.stderr.contains(part), "{}", output.stderr);
    }
}

#[test]
fn an_inittab_goes_into_a_folder_that_is_not_there_yet_or_a_file() {
    for (location, folder, tab) in
        [("etc/tabs/", "etc/tabs", "shop.inittab"), ("etc/my.tab", "etc", "my.tab")]
    {
        let app = shop();
        let output = app.pm(["export", "inittab", location].iter().chain(&SHOP)).run();
        assert_eq!(output.code(), 0, "{}", output.stderr);
        assert_eq!(files(&app, folder), sorted([tab, "shop-web-1.sh", "shop-worker-1.sh"]));
        let told = format!("append {}/{tab} to /etc/inittab", app.path(folder).display());
        assert!(output.stderr.contains(&told), "{}", output.stderr);
        let script = app.path(folder).join("shop-web-1.sh").display().to_string();
        let lines = app.read(&format!("{folder}/{tab}")).expect("it is there");
        assert!(lines.contains(&script), "{lines}");
    }
}

#[test]
fn a_database_for_s6_rc_replaces_service_folders_and_is_replaced_by_them() {
    let app = shop();
    let plain = ["export", "s6", "out"];
    let database = ["export", "s6", "out", "--s6-rc"];
    let mut before = Vec::new();
    for export in [&plain[..], &database, &plain, &database] {
        let output = app.pm(export.iter().chain(&SHOP)).run();
        assert_eq!(output.code(), 0, "{}", output.stderr);
        let all = output.stdout;
        assert!(!all.contains("nothing has changed"), "{all}");
        let is_database = export.len() == database.len();
        for (path, is_there) in [
            ("out/shop/contents", is_database),
            ("out/shop-web-1/type", is_database),
            ("out/shop-web-1-log/run", is_database),
            ("out/shop-web-1/log/run", !is_database),
            ("out/shop-web-1/run", true),
        ] {
            assert_eq!(app.path(path).exists(), is_there, "{path}");
        }
        before.push(files(&app, "out"));
    }
    assert_eq!(before[0], before[2]);
    assert_eq!(before[1], before[3]);
}
