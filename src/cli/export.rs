//! `pm export`

pub(crate) mod answer;
pub(crate) mod args;

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use clap::ArgMatches;

use super::args::Tool;
use super::layers::CliLayers;
use super::resolve::BaseWish;
use super::settings::Settings;
use super::sources::Sources;
use super::{diagnostics, json::AnswerForm, resolve, session_logs};
use crate::app::{App, LogLimits, Role};
use crate::error::Error;
use crate::export::notices::{Account, notices};
use crate::export::verify::{Verdict, verify};
use crate::export::write::{Changes, Chown, Destination};
use crate::export::{
    self, ExportError, Feature, File, Format, Hardening, Image, Inittab, Options, Release, Scope,
    ServiceTree, Values,
};
use answer::{ExportAnswer, ExportObject};
use args::ExportArgs;

/// Writes the application in another supervisor's format, or shows what would be written.
pub(crate) fn export(
    args: &ExportArgs,
    called_as: Tool,
    matches: &ArgMatches,
    (form, sources): (AnswerForm, &Sources),
) -> Result<i32, Error> {
    let format = format(args)?;
    let (app, log_limits) = application(called_as, matches, sources)?;
    let target = target(args, format, sources)?;
    let options = Options { log_limits, ..options(args, format, &app, &target, sources)? };
    let files = export::render(format, &app, &options)?;
    let user = user_ids(&options.user);
    let owners = files.iter().map(|file| file.owner);
    let notices = notices(format, &app, &options, account(user), owners);
    let location = match target {
        Target::Stdout => {
            diagnostics::notices(&notices);
            let object = ExportObject::printed(format, &files);
            return form.answer(ExportAnswer { object, text: whole(&files) });
        }
        Target::Folder(_) | Target::File(..) if args.print => {
            diagnostics::notices(&notices);
            let object = ExportObject::printed(format, &files);
            return form.answer(ExportAnswer { object, text: each(&files) });
        }
        Target::Folder(folder) | Target::File(folder, _) => folder,
    };
    let folder = if args.dry_run {
        Destination::look(&location)
    } else {
        let shown = location.display();
        let waiting =
            format!("another export is writing to `{shown}`: waiting until it has finished");
        Destination::hold(&location, || diagnostics::notices(std::slice::from_ref(&waiting)))?
    };
    let changes = Changes::plan(&folder, &options.app, format, &files)?;
    // Only what happens is worth a notice: a refusal stands alone.
    diagnostics::notices(&notices);
    let unsure: Vec<String> = changes.unsure().iter().map(|path| left(&location, path)).collect();
    diagnostics::notices(&unsure);
    let mut object = ExportObject::to(format, &location, &files, &changes);
    if args.dry_run {
        return form.answer(ExportAnswer { object, text: changes.diff()? });
    }
    changes.apply(match user {
        Some((id, group)) if is_root() && options.scope == Scope::System => Chown::To(id, group),
        Some(_) | None => Chown::Keep,
    })?;
    let mut said = changed(&changes, &location);
    if args.verify {
        let verdict = verdict(verify(format, &location, &files)?);
        said.push_str(&format!("{verdict}\n"));
        object.verdict = Some(verdict);
    }
    let install = install(format, &options);
    object.install = Some(install.clone());
    form.answer(ExportAnswer { object, text: said })?;
    diagnostics::notices(&[format!("to install: {install}")]);
    Ok(0)
}

/// Returns what to do with the files. Its placeholders are whole words: `DIR` in `SCANDIR` is none.
fn install(format: &Format, options: &Options) -> String {
    let mut said = String::new();
    let mut word = String::new();
    let finish = |word: &mut String, said: &mut String| {
        said.push_str(&match word.as_str() {
            "APP" => options.app.clone(),
            "DIR" => options.location.display().to_string(),
            "LOG" => options.log.display().to_string(),
            "INITTAB" => match &options.inittab {
                Inittab::File(name) => options.location.join(name).display().to_string(),
                Inittab::Lines => "the lines".to_owned(),
            },
            _ => word.clone(),
        });
        word.clear();
    };
    for c in format.install.chars() {
        if c.is_ascii_alphabetic() {
            word.push(c);
        } else {
            finish(&mut word, &mut said);
            said.push(c);
        }
    }
    finish(&mut word, &mut said);
    said
}

/// Where the files go.
#[derive(Clone, Debug)]
enum Target {
    /// A folder; absolute.
    Folder(PathBuf),
    /// A folder, and the name of the main file in it (an inittab).
    File(PathBuf, String),
    /// Standard output (an inittab).
    Stdout,
}

fn format(args: &ExportArgs) -> Result<&'static Format, Error> {
    Ok(export::format(args.format.as_deref())?)
}

/// Reads the files, and makes the application as `pm start` would; with what is said of its logs.
fn application(
    called_as: Tool,
    matches: &ArgMatches,
    sources: &Sources,
) -> Result<(App, Option<LogLimits>), Error> {
    let mut settings = Settings::read(CliLayers::read(matches, sources)?, sources)?;
    settings.rules = called_as;
    let (procfile, environment) =
        settings.read_files(sources, |found| diagnostics::warnings(found))?;
    diagnostics::notices(procfile.notice.as_slice());
    let root = settings.files.root(&sources.cwd)?;
    if resolve::base_wish(&settings, &environment) == BaseWish::Auto {
        // What pm has chosen here is this machine's.
        let notice = "`port = auto` applies to this machine only: exported with base 5000; choose another base with `-p`";
        diagnostics::notices(&[notice.to_owned()]);
    }
    let resolved = resolve::app(&settings, root, procfile.entries, environment)?;
    resolve::check_ports(&resolved.app)?;
    diagnostics::notices(resolved.brought_notice().as_slice());
    Ok((resolved.app, session_logs::limits(&settings.session)))
}

fn target(args: &ExportArgs, format: &Format, sources: &Sources) -> Result<Target, ExportError> {
    let Some(location) = &args.location else {
        if args.print {
            return Ok(Target::Folder(sources.cwd.clone()));
        }
        return Err(ExportError::NoLocation { format: format.name });
    };
    if format.name != "inittab" {
        return Ok(Target::Folder(absolute(location, sources)));
    }
    if location == Path::new("-") {
        return Ok(Target::Stdout);
    }
    let path = absolute(location, sources);
    let is_folder = path.is_dir() || location.as_os_str().as_bytes().ends_with(b"/");
    match (is_folder, path.parent(), path.file_name().and_then(|name| name.to_str())) {
        (false, Some(folder), Some(name)) => Ok(Target::File(folder.to_owned(), name.to_owned())),
        (true | false, _, _) => Ok(Target::Folder(path)),
    }
}

fn absolute(path: &Path, sources: &Sources) -> PathBuf {
    // `components` drops `.` and a slash at the end.
    sources.cwd.join(path).components().collect()
}

fn options(
    args: &ExportArgs,
    format: &Format,
    app: &App,
    target: &Target,
    sources: &Sources,
) -> Result<Options, Error> {
    let name = match &args.app {
        Some(name) => name.clone(),
        None => export::app_from(&app.root.file_name().unwrap_or_default().to_string_lossy()),
    };
    export::check_app(&name)?;
    check_supported(args, format)?;
    let user = args.user.clone().unwrap_or_else(|| name.clone());
    export::check_user(&user)?;
    let template = args.template.as_ref().map(|folder| absolute(folder, sources));
    if let (Some(typed), Some(folder)) = (&args.template, &template)
        && !folder.is_dir()
    {
        return Err(ExportError::TemplateFolder { path: typed.clone() }.into());
    }
    let folder = |given: &Option<PathBuf>, default: &str| match given {
        Some(path) => absolute(path, sources),
        None => Path::new(default).join(&name),
    };
    let (location, inittab) = match target {
        Target::Folder(folder) => (folder.clone(), Inittab::File(format!("{name}.inittab"))),
        Target::File(folder, file) => (folder.clone(), Inittab::File(file.clone())),
        Target::Stdout => (sources.cwd.clone(), Inittab::Lines),
    };
    Ok(Options {
        log: folder(&args.log, "/var/log"),
        run: folder(&args.run, "/var/run"),
        user,
        location,
        image: image(args, app)?,
        values: if args.env_file { Values::EnvFile } else { Values::Inline },
        scope: if args.user_units { Scope::User } else { Scope::System },
        hardening: if args.harden { Hardening::Sandbox } else { Hardening::Default },
        release: if has_release(app) && !format.leaves_out.contains(&Feature::Release) {
            Release::First
        } else {
            Release::LeftOut
        },
        inittab,
        service_tree: if args.s6_rc { ServiceTree::Compiled } else { ServiceTree::Scanned },
        log_limits: None,
        templates: export::overrides::read(
            format,
            template.as_deref(),
            config_folder(sources).as_deref(),
        )?,
        app: name,
    })
}

/// Refuses options that the format has nothing for.
fn check_supported(args: &ExportArgs, format: &Format) -> Result<(), ExportError> {
    let unsupported = |what| Err(ExportError::Unsupported { format: format.name, what });
    if args.harden && !format.has_sandbox {
        return unsupported("sandbox options (`--harden`)");
    }
    if args.s6_rc && format.name != "s6" {
        return unsupported("s6-rc form (`--s6-rc`)");
    }
    if args.user_units && !format.has_user_scope {
        return unsupported("user units (`--user-units`)");
    }
    Ok(())
}

fn image(args: &ExportArgs, app: &App) -> Result<Image, ExportError> {
    match &args.image {
        Some(image) => {
            export::check_image(image)?;
            Ok(Image::Named(image.clone()))
        }
        None => Ok(built(&app.root)),
    }
}

/// Returns the image that a Dockerfile in the root makes. One that cannot be read is compose's to complain of.
fn built(root: &Path) -> Image {
    let path = root.join("Dockerfile");
    if !path.is_file() {
        return Image::Assumed;
    }
    let text = std::fs::read_to_string(path).unwrap_or_default();
    Image::Build { workdir: export::dockerfile::workdir(&text) }
}

/// Returns the folder of the user's own templates.
fn config_folder(sources: &Sources) -> Option<PathBuf> {
    let config = sources.var("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = config.or_else(|| sources.var("HOME").map(|home| Path::new(home).join(".config")));
    Some(config?.join("pm"))
}

/// Returns whether a `release` type is wanted, by `--release` or by its name in the formation.
fn has_release(app: &App) -> bool {
    app.types
        .iter()
        .any(|process_type| process_type.policy.role == Role::Release && process_type.count > 0)
}

/// Returns the user and group ids of a user of this machine.
fn user_ids(name: &str) -> Option<(u32, u32)> {
    let user = nix::unistd::User::from_name(name).ok().flatten()?;
    Some((user.uid.as_raw(), user.gid.as_raw()))
}

fn account(user: Option<(u32, u32)>) -> Account {
    match user {
        None => Account::Unknown,
        Some((id, _)) if is_root() || id == nix::unistd::geteuid().as_raw() => Account::Reachable,
        Some(_) => Account::OutOfReach,
    }
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Says which files were written and removed.
fn changed(changes: &Changes<'_>, location: &Path) -> String {
    let line = |verb, path| format!("{verb} {}\n", location.join(path).display());
    let written = changes.written().map(|path| line("wrote", path));
    let removed = changes.removed().iter().map(|path| line("removed", path));
    let said: String = written.chain(removed).collect();
    if said.is_empty() { "nothing has changed\n".to_owned() } else { said }
}

/// Says that a file stays which an earlier pm may have written.
fn left(location: &Path, path: &Path) -> String {
    let path = location.join(path);
    format!(
        "`{}` was written by an earlier version of pm and is not part of this export: remove it if you do not need it",
        path.display()
    )
}

fn verdict(verdict: Verdict) -> String {
    match verdict {
        Verdict::Accepted(program) => format!("{program} accepts it"),
        Verdict::NotInstalled(programs) => {
            format!("not verified: {} is not installed", programs.join(" or "))
        }
        Verdict::NoChecker => "not verified: the format has no checker".to_owned(),
    }
}

/// Returns the one file that there is.
fn whole(files: &[File]) -> String {
    files.iter().map(|file| file.contents.as_str()).collect()
}

/// Returns every file under its name, as head(1) does.
fn each(files: &[File]) -> String {
    let mut text = String::new();
    for (at, file) in files.iter().enumerate() {
        let gap = if at == 0 { "" } else { "\n" };
        text.push_str(&format!("{gap}==> {} <==\n{}", file.path.display(), file.contents));
    }
    text
}
