//! Reads the application's files and names the path in every error.
//! Paths stay as the user typed them, so that messages say `sub/Procfile:2`.

pub(crate) mod config;
mod npm;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::npm::NpmStart;
use crate::app::loaded::{LoadedEnvFile, LoadedEnvironment, LoadedProcfile};
use crate::app::procfile::ProcfileEntry;
use crate::app::warning::LineError;
use crate::app::{Environment, Source};
use crate::error::{Alternative, Error};

/// Where the application's files are, as it was typed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    /// `-f`, from the current folder.
    pub(crate) procfile: Option<PathBuf>,
    /// `-d`, from the current folder.
    pub(crate) root: Option<PathBuf>,
    /// `-e`, from the current folder; the later wins. `None`: `.env` of `-d`, else of the current
    /// folder, if it is there.
    pub(crate) env: Option<Vec<PathBuf>>,
    /// Variables over the env files, the later over the earlier.
    pub(crate) set: Vec<SetVariable>,
}

/// A variable that is set over the env files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SetVariable {
    /// Its name.
    pub(crate) key: String,
    /// Its value.
    pub(crate) value: String,
    /// Where it was set.
    pub(crate) source: Source,
}

impl Files {
    /// Returns the root as a message shows it; empty for the current folder.
    /// `-d`, else the folder of `-f`, else the current folder (foreman cli.rb).
    pub(crate) fn root_as_typed(&self) -> PathBuf {
        let of_procfile = || self.procfile.as_deref().and_then(Path::parent).map(Path::to_owned);
        self.root.clone().or_else(of_procfile).unwrap_or_default()
    }

    /// Returns the Procfile as it was typed, or the one of the root.
    pub(crate) fn procfile_as_typed(&self) -> PathBuf {
        self.procfile.clone().unwrap_or_else(|| self.root_as_typed().join("Procfile"))
    }

    /// Returns the one path of the Procfile, whatever was typed: absolute and, where it is there, without
    /// symbolic links.
    pub(crate) fn procfile(&self, cwd: &Path) -> PathBuf {
        let path = cwd.join(self.procfile_as_typed());
        fs::canonicalize(&path).unwrap_or(path)
    }

    /// Returns the application's folder, absolute where `cwd` is.
    ///
    /// # Errors
    /// It is not there, or no folder.
    pub(crate) fn root(&self, cwd: &Path) -> Result<PathBuf, Error> {
        let path = self.root_as_typed();
        // `components` drops `.` and a slash at the end.
        let root: PathBuf = cwd.join(&path).components().collect();
        let is_dir = fs::metadata(&root).map(|metadata| metadata.is_dir());
        match is_dir {
            Ok(true) => Ok(root),
            Ok(false) => Err(Error::Root { path, source: io::ErrorKind::NotADirectory.into() }),
            Err(source) => Err(Error::Root { path, source }),
        }
    }
}

/// Reads the Procfile. Where none was named and the root has none, but a package.json that `npm start` can
/// run, its one process type is `web: npm start`, as in node-foreman, and the notice says so. A Procfile.dev
/// is more than that: nobody who has one means `npm start`.
///
/// # Errors
/// The root or the file cannot be used, or a line of it stops everything.
pub(crate) fn procfile(files: &Files, cwd: &Path) -> Result<LoadedProcfile, Error> {
    let root = files.root(cwd)?;
    let path = files.procfile_as_typed();
    let bytes = match fs::read(cwd.join(&path)) {
        Ok(bytes) => bytes,
        Err(source) if source.kind() == io::ErrorKind::NotFound => {
            let other = path.with_file_name("Procfile.dev");
            if other != path && cwd.join(&other).is_file() {
                return Err(Error::ProcfileMissing { path, instead: Alternative::Procfile(other) });
            }
            if files.procfile.is_some() {
                return Err(Error::ProcfileRead { path, source });
            }
            let package = files.root_as_typed().join("package.json");
            return match npm::start(&root) {
                NpmStart::Can => Ok(npm_start(package)),
                NpmStart::NoPackage => Err(Error::ProcfileRead { path, source }),
                NpmStart::NoScript { script } => {
                    let instead = Alternative::Package { path: package, script };
                    Err(Error::ProcfileMissing { path, instead })
                }
            };
        }
        Err(source) => return Err(Error::ProcfileRead { path, source }),
    };
    LoadedProcfile::parse(path.clone(), &bytes).map_err(|LineError { line, reason, hint }| {
        Error::ProcfileLine { path, line, reason, hint }
    })
}

fn npm_start(path: PathBuf) -> LoadedProcfile {
    let notice = format!("no Procfile: running `web: npm start` for `{}`", path.display());
    let entry = ProcfileEntry { name: "web".into(), command: "npm start".into(), line: 1 };
    LoadedProcfile {
        path,
        text: String::new(),
        entries: vec![entry],
        notes: Vec::new(),
        notice: Some(notice),
    }
}

/// Refuses a Procfile without an entry. A caller that shows the warnings first shows why it has none.
pub(crate) fn require_entries(procfile: &LoadedProcfile) -> Result<(), Error> {
    if procfile.entries.is_empty() {
        Err(Error::ProcfileEmpty { path: procfile.path.clone() })
    } else {
        Ok(())
    }
}

/// Lays the env files over the caller's environment, then `--set`.
///
/// # Errors
/// A file that was named with `-e` cannot be read (the default one is optional), or a line of one
/// stops everything.
pub(crate) fn environment(
    files: &Files,
    cwd: &Path,
    caller: Environment,
) -> Result<LoadedEnvironment, Error> {
    let mut all = LoadedEnvironment { environment: caller, files: Vec::new() };
    if files.env.is_none() {
        // Not of the folder of `-f`: foreman looks for it before it has seen the Procfile (cli.rb).
        let path = files.root.clone().unwrap_or_default().join(".env");
        // A folder of this name is a Python virtual environment, not a file of variables.
        if !cwd.join(&path).is_dir() {
            match env_file(path, cwd) {
                Ok(file) => all.files.push(file),
                Err(Error::EnvFileRead { source, .. })
                    if source.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    for path in files.env.iter().flatten() {
        all.files.push(env_file(path.clone(), cwd)?);
    }
    for file in &all.files {
        let path = Arc::new(file.path.clone());
        for assignment in &file.assignments {
            let source = Source::EnvFile { path: Arc::clone(&path), line: assignment.line };
            all.environment.set(&assignment.key, &assignment.value, source);
        }
    }
    for SetVariable { key, value, source } in &files.set {
        all.environment.set(key, value, source.clone());
    }
    Ok(all)
}

fn env_file(path: PathBuf, cwd: &Path) -> Result<LoadedEnvFile, Error> {
    let bytes = match fs::read(cwd.join(&path)) {
        Ok(bytes) => bytes,
        Err(source) => return Err(Error::EnvFileRead { path, source }),
    };
    LoadedEnvFile::parse(path.clone(), &bytes)
        .map_err(|LineError { line, reason, hint }| Error::EnvFileLine { path, line, reason, hint })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sandbox(tempfile::TempDir);

    impl Sandbox {
        fn new(files: &[(&str, &str)]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            for (name, text) in files {
                let path = dir.path().join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Self(dir)
        }

        fn cwd(&self) -> &Path {
            self.0.path()
        }
    }

    fn value(loaded: &LoadedEnvironment, key: &str) -> Option<String> {
        loaded.environment.get(key).map(|value| value.text.to_string_lossy().into_owned())
    }

    #[test]
    fn the_root_is_that_of_d_else_the_folder_of_f_else_the_current_one() {
        let sandbox = Sandbox::new(&[("sub/Procfile", "web: a"), ("sub/deep/x", "")]);
        let table = [
            (None, None, ""),
            (Some("sub/Procfile"), None, "sub"),
            (None, Some("sub"), "sub"),
            (Some("sub/Procfile"), Some("./sub/deep/"), "sub/deep"),
        ];
        for (procfile, root, expected) in table {
            let files = Files {
                procfile: procfile.map(PathBuf::from),
                root: root.map(PathBuf::from),
                ..Files::default()
            };
            let expected: PathBuf = sandbox.cwd().join(expected).components().collect();
            assert_eq!(files.root(sandbox.cwd()).unwrap(), expected, "{procfile:?} {root:?}");
        }
        let files = Files { root: Some("sub/Procfile".into()), ..Files::default() };
        assert_eq!(
            files.root(sandbox.cwd()).unwrap_err().to_string(),
            "cannot use the folder `sub/Procfile`"
        );
    }

    #[test]
    fn messages_name_the_procfile_as_it_was_typed() {
        let sandbox = Sandbox::new(&[
            ("sub/Procfile", "web: a\njunk\n"),
            ("sub/twice", "web: a\nweb: b\n"),
            ("Procfile", "#\n"),
        ]);
        let load = |procfile: Option<&str>, root: Option<&str>| {
            let files = Files {
                procfile: procfile.map(PathBuf::from),
                root: root.map(PathBuf::from),
                ..Files::default()
            };
            procfile_of(&files, sandbox.cwd())
        };
        let warning = "sub/Procfile:2: skipped: not NAME: COMMAND";
        assert_eq!(load(None, Some("sub")).unwrap().warnings()[0].to_string(), warning);
        assert_eq!(load(Some("sub/Procfile"), None).unwrap().warnings()[0].to_string(), warning);
        let error = load(Some("sub/twice"), None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "sub/twice:2: `web` is defined twice, on line 1 and on line 2"
        );
        assert_eq!(
            load(Some("nope"), None).unwrap_err().to_string(),
            "cannot read the Procfile `nope`"
        );
        assert_eq!(
            load(None, Some("nope")).unwrap_err().to_string(),
            "cannot use the folder `nope`"
        );
        let empty = load(None, None).unwrap();
        assert_eq!(
            require_entries(&empty).unwrap_err().to_string(),
            "no processes defined in `Procfile`"
        );
    }

    use super::procfile as procfile_of;

    #[test]
    fn a_package_json_that_npm_can_start_stands_in_for_a_procfile_that_was_not_named() {
        let sandbox = Sandbox::new(&[("package.json", r#"{"scripts": {"start": "node ."}}"#)]);
        let loaded = procfile(&Files::default(), sandbox.cwd()).unwrap();
        assert_eq!(loaded.entries[0].command, "npm start");
        assert_eq!(
            loaded.notice.as_deref(),
            Some("no Procfile: running `web: npm start` for `package.json`")
        );
        let named = Files { procfile: Some("Procfile".into()), ..Files::default() };
        assert!(matches!(procfile(&named, sandbox.cwd()), Err(Error::ProcfileRead { .. })));
        let sandbox = Sandbox::new(&[("app/package.json", r#"{"scripts": {"dev": "vite"}}"#)]);
        let error =
            procfile(&Files { root: Some("app".into()), ..Files::default() }, sandbox.cwd());
        let error = error.unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot read the Procfile `app/Procfile`: file not found, and `app/package.json` has no script \
             `start`"
        );
        let hint =
            "create a Procfile with a line such as `web: npm run dev`, or name one with `-f`";
        assert_eq!(error.hint().as_deref(), Some(hint));
    }

    #[test]
    fn a_procfile_dev_is_named_as_it_is_typed_from_here() {
        let with_start = r#"{"scripts": {"start": "node ."}}"#;
        let sandbox = Sandbox::new(&[
            ("Procfile.dev", "web: a\n"),
            ("package.json", with_start),
            ("app/Procfile.dev", "web: a\n"),
            ("my app/it's/Procfile.dev", "web: a\n"),
        ]);
        let absolute = sandbox.cwd().join("app").display().to_string();
        let table = [
            (None, None, "-f Procfile.dev"),
            (None, Some("."), "-f ./Procfile.dev"),
            (None, Some("app"), "-f app/Procfile.dev"),
            (None, Some("app/"), "-f app/Procfile.dev"),
            (None, Some(absolute.as_str()), &format!("-f {absolute}/Procfile.dev")),
            (None, Some("my app/it's"), r"-f 'my app/it'\''s/Procfile.dev'"),
            (Some("app/Procfile"), None, "-f app/Procfile.dev"),
            (Some("Procfile"), Some("app"), "-f Procfile.dev"),
        ];
        for (procfile, root, expected) in table {
            let files = Files {
                procfile: procfile.map(PathBuf::from),
                root: root.map(PathBuf::from),
                ..Files::default()
            };
            let error = procfile_of(&files, sandbox.cwd()).unwrap_err();
            assert_eq!(error.hint(), Some(format!("name it with `{expected}`")), "{error}");
        }
        let missing = Files { procfile: Some("nope/Procfile.dev".into()), ..Files::default() };
        let error = procfile_of(&missing, sandbox.cwd()).unwrap_err();
        assert!(matches!(error, Error::Root { .. }), "{error}");
    }

    #[test]
    fn env_files_lie_over_the_caller_and_set_over_them() {
        let sandbox = Sandbox::new(&[
            (".env", "A=env\nB=env\nJUNK\n"),
            ("a.env", "B=a\nC=a\n"),
            ("b.env", "C=b\n"),
        ]);
        let mut caller = Environment::default();
        for key in ["A", "B", "C", "D"] {
            caller.set(key, "caller", Source::Caller);
        }
        let load = |env: Option<&[&str]>, set: &[(&str, &str)]| {
            let env = env.map(|env| env.iter().map(PathBuf::from).collect());
            let set = set.iter().map(|&(key, value)| SetVariable {
                key: key.to_owned(),
                value: value.to_owned(),
                source: Source::Set,
            });
            let set = set.collect();
            environment(&Files { env, set, ..Files::default() }, sandbox.cwd(), caller.clone())
        };
        let all = |loaded: &LoadedEnvironment| {
            ["A", "B", "C", "D"].map(|key| value(loaded, key).unwrap())
        };
        let by_default = load(None, &[]).unwrap();
        assert_eq!(all(&by_default), ["env", "env", "caller", "caller"]);
        assert_eq!(by_default.warnings()[0].to_string(), ".env:3: skipped: `JUNK` has no `=`");
        assert!(load(Some(&[]), &[]).unwrap().files.is_empty());
        let named = load(Some(&["a.env", "b.env"]), &[("D", "x=y"), ("E", "")]).unwrap();
        assert_eq!(all(&named), ["caller", "a", "b", "x=y"]);
        assert_eq!(value(&named, "E").as_deref(), Some(""));
        let source = named.environment.get("C").map(|value| value.source.clone());
        assert_eq!(source, Some(Source::EnvFile { path: Arc::new("b.env".into()), line: 1 }));
        assert_eq!(
            load(Some(&["nope.env"]), &[]).unwrap_err().to_string(),
            "cannot read the env file `nope.env`"
        );
    }

    #[test]
    fn the_default_env_file_is_optional_and_lies_in_d_else_in_the_current_folder() {
        let sandbox = Sandbox::new(&[("sub/.env", "A=sub\n"), (".env/bin/python", "")]);
        let here = environment(&Files::default(), sandbox.cwd(), Environment::default()).unwrap();
        assert!(here.files.is_empty());
        let files = Files { root: Some("sub".into()), ..Files::default() };
        let there = environment(&files, sandbox.cwd(), Environment::default()).unwrap();
        assert_eq!(value(&there, "A").as_deref(), Some("sub"));
        assert_eq!(there.files[0].path, Path::new("sub/.env"));
        let files = Files { procfile: Some("sub/Procfile".into()), ..Files::default() };
        let of_procfile = environment(&files, sandbox.cwd(), Environment::default()).unwrap();
        assert!(of_procfile.files.is_empty());
    }
}
