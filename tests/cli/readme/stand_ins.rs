//! The folder in which the documents' commands run: an application, and stand-ins for what it starts.

#![expect(clippy::disallowed_methods, reason = "the caller's PATH comes behind the stand-ins")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::document::Section;
use crate::sandbox::{PM, Sandbox};

/// Does what a test, a migration or a version asks at once, and says so; else it is a server, which
/// says that it is ready and obeys SIGTERM alone.
const STAND_IN: &str = r#"#!/bin/sh
case " $* " in
*" -e "*|*" -v "*|*" test "*|*migrate*|*createsuperuser*|*db:*) echo "done: ${0##*/} $*"; exit 0 ;;
esac
trap : HUP USR1
echo "ready: ${0##*/} $* with PORT=$PORT in ${PWD##*/}"
while :; do read -r line; done
"#;

const ON_PATH: &[&str] = &["node", "npm", "python", "celery", "redis-server"];
const IN_FOLDER: &[&str] = &["bin/rails", "bin/jobs", "node_modules/.bin/webpack"];

/// What a section finds, where it does not bring its own.
const FILES: &[(&str, &str)] = &[
    ("Procfile", "web: exec node server.js\nworker: node worker.js\n"),
    ("Procfile.dev", "web: node server.js\n"),
    (".env", "DATABASE_URL=postgres://localhost/shop\n"),
    (".env.local", "STRIPE_KEY=for-tests-only\n"),
    ("services/api/Procfile", "web: node server.js\nworker: node worker.js\n"),
    ("services/api/Procfile.dev", "web: node server.js\n"),
    ("services/site/Procfile", "web: npm run dev\n"),
];

/// Makes the folder for a section.
pub(crate) fn folder(section: &Section) -> Sandbox {
    let mut app = Sandbox::new();
    let programs = ON_PATH.iter().map(|name| format!(".on-path/{name}"));
    for name in programs.chain(IN_FOLDER.iter().map(|name| (*name).to_owned())) {
        app = executable(app, &name, STAND_IN);
    }
    symlink(PM, app.path(".on-path/pm")).expect("links can be made in the sandbox");
    for (path, text) in FILES {
        app = app.write(path, text);
    }
    for (path, text) in &section.files {
        app = match text.starts_with("#!") {
            true => executable(app, path, text),
            false => app.write(path, text),
        };
    }
    let path = std::env::var("PATH").unwrap_or_default();
    if !std::env::split_paths(&path).any(|folder| folder.join("jq").is_file()) {
        app = executable(app, ".on-path/jq", "#!/bin/sh\nexec cat\n");
    }
    let path = format!("{}:{path}", app.path(".on-path").display());
    app.env("PATH", path)
}

fn executable(app: Sandbox, name: &str, text: &str) -> Sandbox {
    let app = app.write(name, text);
    make_executable(&app.path(name));
    app
}

fn make_executable(path: &Path) {
    fs::set_permissions(path, Permissions::from_mode(0o755)).expect("the file was just written");
}
