//! How each command of the documents is run, where that does not follow from the command itself.

use Way::{Ends, NotRun, Stays, Until};

use crate::sandbox::CTRL_C;

/// How a command ends, and what is done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// It ends by itself, with this code.
    Ends(i32),
    /// It stays until the next `pm start` or the end of the section, and ends at Ctrl-C with 0.
    Stays,
    /// It runs until these keys are typed, and then ends with this code.
    Until(&'static str, i32),
    /// It is not run.
    NotRun(&'static str),
}

/// Sections whose commands ask a session that the reader has: it runs before them.
pub(crate) const ASKS_A_SESSION: &[&str] = &[
    r#"docs/troubleshooting.md, "Troubleshooting""#,
    r#"docs/json.md, "`pm ps --json`""#,
    r#"docs/metrics.md, "What uses how much now""#,
    r#"docs/metrics.md, "Prometheus""#,
    r#"docs/troubleshooting.md, "``no session runs in `...` ``""#,
];

/// A command, how it is run, and what must be seen of it.
pub(crate) type Special = (&'static str, Way, &'static [&'static str]);

const BUILDS: Way = NotRun("builds for minutes; .ci/run does it");
const WHOLE: Way = NotRun("runs this test among others");
const SHARED: Way = NotRun("needs the project's shared folder, and minutes");
const NETWORK: Way = NotRun("needs the network");
const INSTALLS: Way = NotRun("needs a release; .ci/try_release.py does it");
const SYSTEM: Way = NotRun("changes the machine that it runs on");
const EXAMPLE: Way = NotRun("tests/cli/node_cluster.rs asks the real server");
/// Ctrl-].
const CTRL_BRACKET: &str = "\x1d";

/// Every command that needs a word more than its text, or that shows something worth a look.
pub(crate) const SPECIAL: &[Special] = &[
    // README.md
    ("cargo run --release -- start", NotRun("tests/cli/demo.rs runs it"), &[]),
    ("cargo install --path .", BUILDS, &[]),
    ("pip install --no-index --find-links . procfile-pm", INSTALLS, &[]),
    (r#"tar -xzf pm-*-"$(uname -m)"-unknown-linux-musl.tar.gz"#, INSTALLS, &[]),
    ("cargo bench", NotRun("measures for minutes"), &[]),
    ("pm check", Ends(0), &["valid procfile detected (web"]),
    ("pm start web=2 worker", Stays, &["web.2"]),
    ("pm start -p 3000", Stays, &["PORT=3000"]),
    ("pm -p 3000 start", Stays, &["PORT=3000"]),
    ("pm -e .env,.env.local start", Stays, &["ready: node"]),
    ("pm start --daemon", Ends(0), &["runs in the background"]),
    ("pm env web", Ends(0), &["DATABASE_URL=", "# .env:1"]),
    ("pm env web -e .env,.env.local", Ends(0), &["STRIPE_KEY=", "# .env.local:"]),
    ("pm run node -e 'console.log(process.env.DATABASE_URL)'", Ends(0), &["done: node -e"]),
    ("pm start --daemon --json", Ends(0), &[r#"{"v":1,"session":{"pid":"#]),
    ("pm stop nobody --json", Ends(1), &[r#""code":"unknown-name""#]),
    ("pm env --settings", Ends(0), &["pm.toml"]),
    ("pm export systemd --print -a shop -u deploy -m web=3,worker=2", Ends(0), &["shop-web-3"]),
    ("bin/dev", Stays, &["ready: rails server -p 3000", "jobs.1"]),
    ("pm start --release", Stays, &["done: python manage.py migrate", "ready: celery"]),
    ("pm run python manage.py createsuperuser", Ends(0), &["done: python"]),
    ("pm start --memory web=512M", Stays, &["ready: node"]),
    (
        "pm env web --show --memory web=512M",
        Ends(0),
        &["MEMORY_AVAILABLE=512", "WEB_CONCURRENCY=1", "JAVA_TOOL_OPTIONS=-Xmx460m"],
    ),
    ("pm start api", Stays, &["ready: node server.js with PORT=5000 in api"]),
    ("pm start -d services/api", Stays, &["worker.1", "in api"]),
    ("pm start -f services/site/Procfile", Stays, &["ready: npm run dev with PORT=5000 in site"]),
    ("pm start -x redis", Stays, &["ready: webpack", "ready: node api.js"]),
    ("pm start --exit-on first", Ends(0), &["done: npm test"]),
    ("pm run migrate", Ends(0), &["done: rails db:migrate"]),
    ("pm run bin/rails db:rollback", Ends(0), &["done: rails db:rollback"]),
    ("pm start -d services/api -p 3000 -t 10", Stays, &["PORT=3000"]),
    ("pm run node -v", Ends(0), &["done: node -v"]),
    ("pm start --no-prefix", Stays, &["ready: node"]),
    ("pm start -m all=1,web=2,worker=2", Stays, &["worker.2"]),
    ("pm run -c 'command -v node; echo $PATH'", Ends(0), &[".on-path/node"]),
    ("pm start --pty always | cat", Until(CTRL_C, 130), &["ready: node"]),
    ("ulimit -n 1024; pm start --nofile web=1024", Stays, &["ready: node"]),
    ("STRIPE_KEY=from-the-vault pm start", Stays, &["ready: node"]),
    ("pm start --restart never", Stays, &["ready: node"]),
    ("pm attach --procfile Procfile.dev web", Until(CTRL_BRACKET, 0), &["ready: rails"]),
    ("pm attach web", Until(CTRL_BRACKET, 0), &["ready: node"]),
    ("~/bin/foreman start", Stays, &["ready: node server.js"]),
    ("pm run node migrate.js", Ends(0), &["done: node migrate.js"]),
    ("pm start worker.1", Ends(0), &[]),
    // docs/measurements.md
    ("apt-get install ruby-foreman", SYSTEM, &[]),
    (
        "python3 -m venv target/compare/venv && target/compare/venv/bin/pip install honcho",
        NETWORK,
        &[],
    ),
    ("npm install --prefix target/compare foreman", NETWORK, &[]),
    ("cargo build --release", BUILDS, &[]),
    ("benches/compare/compare.py", NotRun("measures for minutes; .ci/run does a short one"), &[]),
    ("apt-get install haproxy nginx", SYSTEM, &[]),
    ("benches/compare/proxy.py", NotRun("measures for minutes; .ci/run does a short one"), &[]),
    // docs/reference.md
    ("pm start --daemon --pty always", Ends(0), &["runs in the background"]),
    ("pm ps --watch", Until(CTRL_C, 130), &[" up "]),
    ("pm logs -f", Until(CTRL_C, 130), &["ready: node"]),
    // docs/metrics.md
    ("pm top", Until("q", 0), &["q quit"]),
    ("pm top web worker", Until("q", 0), &["q quit"]),
    ("pm top --pss", Until("q", 0), &["q quit"]),
    ("pm top --json", Until(CTRL_C, 130), &["\"v\":1"]),
    ("pm metrics --all --output /var/lib/node_exporter/textfile/pm.prom", SYSTEM, &[]),
    // docs/logs.md
    ("pm logs --last", Ends(1), &["no such run"]),
    ("pm attach web.1", Until(CTRL_BRACKET, 0), &["ready: node"]),
    // docs/sessions.md
    ("pm quit -d ~/src/shop-fix", Ends(1), &["no session runs in"]),
    // docs/export.md
    ("systemctl daemon-reload && systemctl enable --now shop.target", SYSTEM, &[]),
    // docs/packaging.md
    (".ci/release", BUILDS, &[]),
    (".ci/try_release.py target/dist", INSTALLS, &[]),
    (
        "npm install --save-dev ./procfile-pm-[0-9]*.tgz ./procfile-pm-linux-x64-*.tgz",
        INSTALLS,
        &[],
    ),
    ("npx pm check", INSTALLS, &[]),
    ("pm schema > pm.schema.json", Ends(0), &[]),
    // CONTRIBUTING.md
    ("cargo build", WHOLE, &[]),
    ("cargo run -- start", NotRun("tests/cli/demo.rs runs it"), &[]),
    ("PM_TRACE=trace cargo run -- start", NotRun("tests/cli/trace.rs traces a session"), &[]),
    ("cargo test", WHOLE, &[]),
    ("cargo test --lib procfile", WHOLE, &[]),
    ("cargo test --test cli readme", WHOLE, &[]),
    ("cargo fmt --check", BUILDS, &[]),
    ("cargo clippy --all-targets -- -D warnings", BUILDS, &[]),
    ("bash .ci/run", WHOLE, &[]),
    ("PM_BLESS=1 cargo test", WHOLE, &[]),
    ("git diff tests/golden", NotRun("shows what the line before has changed"), &[]),
    (
        "python3 docs/screenshot.py target/debug/pm docs/screenshot.svg",
        NotRun("writes into the tree"),
        &[],
    ),
    ("python3 docs/pictures.py target/release/pm docs", NotRun("writes into the tree"), &[]),
    (
        "python3 benches/compare/terminal.py target/release/pm",
        NotRun("runs for minutes, and needs a quiet machine"),
        &[],
    ),
    ("fuzz/run", NotRun("runs for minutes"), &[]),
    ("PM_CI_LONG=1 cargo mutants --jobs 2", NotRun("runs for hours"), &[]),
    ("python3 tests/soak/run.py", NotRun("runs for minutes; .ci/run does a short one"), &[]),
    ("python3 tests/soak/thousand.py", SHARED, &[]),
    ("python3 tests/soak/dependents.py", SHARED, &[]),
    ("python3 tests/consumers/order.py", SHARED, &[]),
    // examples
    ("npm ci", NotRun("needs the network; .ci/run does it"), &[]),
    ("curl -d 'hello' http://127.0.0.1:5000/jobs", EXAMPLE, &[]),
    ("curl http://127.0.0.1:5000/jobs/1", EXAMPLE, &[]),
    (
        "curl -X POST http://127.0.0.1:5000/hello",
        NotRun("tests/cli/stack.rs asks the real server"),
        &[],
    ),
];
