//! `proxy`: one address for all instances of a process type.

use crate::sandbox::Sandbox;

/// What `pm start` says that it refuses.
fn refused(app: &Sandbox, args: &[&str]) -> String {
    let output = app.pm(["start"].iter().chain(args)).run();
    assert_ne!(output.code(), 0, "{output:?}");
    output.stderr
}

#[test]
fn what_cannot_have_a_proxy_is_refused_with_what_to_do() {
    for (toml, args, expected) in [
        (
            "",
            &["--proxy=wbe"][..],
            "no process type `wbe` in the Procfile\nhint: did you mean `web`?",
        ),
        ("", &["--proxy=web=0"], "`0` is not a port number (for `web`)"),
        (
            "[process.web]\nproxy = false\n",
            &["--proxy"],
            "`--proxy` finds no process type that serves: none is called `web`, or has a port or a path as `ready`\n\
             hint: name it: `--proxy=TYPE`",
        ),
        (
            "",
            &["--proxy=web", "web=50"],
            "`web` cannot have 50 instances behind `proxy`\nhint: 49 have ports of their own",
        ),
        (
            "",
            &["--proxy=web=5101,api"],
            "the proxy of `web` and `api.1` have the same port, 5101\nhint: choose another port for `proxy`",
        ),
        (
            "",
            &["--proxy=web=7000,api=7000"],
            "the proxy of `api` and that of `web` have the same port, 7000",
        ),
        (
            "[process.web]\nproxy = true\nshare-port = true\n",
            &[],
            "`web` has both `proxy` and `share-port`",
        ),
        (
            "[process.job]\nproxy = true\nonce = true\n",
            &[],
            "`job` cannot have `proxy`: it runs once, to its end",
        ),
    ] {
        let app =
            Sandbox::with_procfile("web: true\napi: true\njob: true\n").write("pm.toml", toml);
        let stderr = refused(&app, args);
        assert!(stderr.contains(expected), "{toml} {args:?}: {stderr}");
    }
}
