//! The logs of `--log-dir`: one file a process type, with the lines of its instances as they are. A copy: what
//! cannot be written is lost here, and nowhere else.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, ErrorKind, Write};

use super::{Rotation, TypeLogFolder};
use crate::app::InstanceId;
use crate::output::assembler::LineAssembler;
use crate::output::batch::BATCH;
use crate::output::filter::Fragment;
use crate::output::render::{LabelId, Look, TextRenderer};

/// The logs that are open.
#[derive(Debug)]
pub(in crate::output) struct TypeLogs {
    folder: TypeLogFolder,
    /// By the position of the type.
    logs: HashMap<u16, TypeLog>,
    troubles: Vec<String>,
}

#[derive(Debug)]
struct TypeLog {
    /// Where it is written; `None` where it could not be opened.
    file: Option<(File, Rotation)>,
    renderer: TextRenderer,
    labels: HashMap<InstanceId, LabelId>,
    /// What is not written yet.
    bytes: Vec<u8>,
    /// Lines are missing behind what was written.
    has_gap: bool,
    /// That was told.
    is_told: bool,
}

/// The lines of a run on their way to the log of its type.
#[derive(Debug)]
pub(in crate::output) struct TypeOutput {
    process_type: u16,
    label: LabelId,
    lines: LineAssembler,
}

impl TypeOutput {
    /// Returns whether something waits for its end, or for silence.
    pub(in crate::output) fn is_waiting(&self) -> bool {
        self.lines.is_waiting()
    }
}

impl TypeLogs {
    /// Makes them, with no log open.
    pub(in crate::output) fn new(folder: TypeLogFolder) -> Self {
        Self { folder, logs: HashMap::new(), troubles: Vec::new() }
    }

    /// Takes the output of a run; `name` is that of its instance. `lines` makes lines of it.
    pub(in crate::output) fn begin(
        &mut self,
        id: InstanceId,
        name: &str,
        lines: LineAssembler,
    ) -> TypeOutput {
        let process_type = id.process_type;
        let log = self.logs.entry(process_type).or_insert_with(|| {
            let name = name.rsplit_once('.').map_or(name, |(process_type, _)| process_type);
            let (log, trouble) = TypeLog::open(&self.folder, name);
            self.troubles.extend(trouble);
            log
        });
        let renderer = &mut log.renderer;
        let label = *log.labels.entry(id).or_insert_with(|| renderer.label("", None));
        TypeOutput { process_type, label, lines }
    }

    /// Takes the next bytes of a run.
    pub(in crate::output) fn push(&mut self, output: &mut TypeOutput, bytes: &[u8]) {
        let Some(log) = self.logs.get_mut(&output.process_type) else { return };
        log.renderer.show(output.label, &mut output.lines, bytes, &mut log.bytes);
        if log.bytes.len() >= BATCH {
            self.troubles.extend(log.write());
        }
    }

    /// Writes what waits, and was silent.
    pub(in crate::output) fn silence(&mut self, output: &mut TypeOutput) {
        let Some(log) = self.logs.get_mut(&output.process_type) else { return };
        let TypeLog { renderer, bytes, .. } = log;
        output.lines.silence(|piece| renderer.put(output.label, piece, bytes));
    }

    /// Writes what is left at the end of a run.
    pub(in crate::output) fn end(&mut self, mut output: TypeOutput) {
        let Some(log) = self.logs.get_mut(&output.process_type) else { return };
        let TypeLog { renderer, bytes, .. } = log;
        output.lines.end(|piece| renderer.put(output.label, piece, bytes));
        renderer.put(output.label, Fragment::Restarted, bytes);
    }

    /// Writes the batch, and returns what has gone wrong: each once.
    pub(in crate::output) fn write(&mut self) -> Vec<String> {
        for log in self.logs.values_mut().filter(|log| !log.bytes.is_empty()) {
            self.troubles.extend(log.write());
        }
        std::mem::take(&mut self.troubles)
    }
}

impl TypeLog {
    fn open(folder: &TypeLogFolder, process_type: &str) -> (Self, Option<String>) {
        let path = folder.log_of(process_type);
        let opened = Rotation::open(&path).and_then(|file| {
            let rotation = Rotation::of(&path, folder.limits, &file)?;
            Ok(rotation.map(|rotation| (file, rotation)))
        });
        let (file, trouble) = match opened {
            Ok(file) => (file, None),
            Err(error) => {
                (None, Some(format!("cannot write the log `{}`: {error}", path.display())))
            }
        };
        let log = Self {
            file,
            renderer: TextRenderer::new(Look::plain()),
            labels: HashMap::new(),
            bytes: Vec::new(),
            has_gap: false,
            is_told: false,
        };
        (log, trouble)
    }

    /// Writes what there is. Returns what has gone wrong, where that was not told before.
    fn write(&mut self) -> Option<String> {
        let written = self.write_all();
        self.bytes.clear();
        let (_, rotation) = self.file.as_mut()?;
        let Err(error) = written else { return rotation.take_trouble() };
        self.has_gap = true;
        let path = rotation.path().display();
        let trouble = format!("cannot write the log `{path}`: {error}; lines are missing there");
        (!std::mem::replace(&mut self.is_told, true)).then_some(trouble)
    }

    fn write_all(&mut self) -> io::Result<()> {
        let Some((file, rotation)) = &mut self.file else { return Ok(()) };
        if self.has_gap {
            let end = if rotation.is_at_line_start() { "" } else { "\n" };
            write_some(file, rotation, format!("{end}{GAP}").as_bytes())?;
            self.has_gap = false;
        }
        write_some(file, rotation, &self.bytes)
    }
}

/// Stands where lines are missing.
const GAP: &str = "!! lines are missing here: the log could not be written\n";

fn write_some(file: &mut File, rotation: &mut Rotation, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let step = rotation.step(&*file, bytes);
        if let Some(next) = step.file {
            *file = next;
        }
        match file.write(&bytes[..step.length]) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => {
                rotation.note(&bytes[..count]);
                bytes = &bytes[count..];
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::LogLimits;
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    fn id(process_type: u16, number: u16) -> InstanceId {
        InstanceId { process_type, number }
    }

    fn logs(folder: &Path) -> TypeLogs {
        let limits = LogLimits { size: 0, keep: 0 };
        TypeLogs::new(TypeLogFolder { path: folder.to_owned(), limits })
    }

    fn read(folder: &Path, name: &str) -> String {
        fs::read_to_string(folder.join(name)).unwrap()
    }

    #[test]
    fn each_type_has_a_log_of_its_own_with_the_lines_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let mut logs = logs(folder.path());
        let begin =
            |logs: &mut TypeLogs, id, name| logs.begin(id, name, LineAssembler::unchanged());
        let mut first = begin(&mut logs, id(0, 1), "web.1");
        let mut second = begin(&mut logs, id(0, 2), "web.2");
        let mut worker = begin(&mut logs, id(1, 1), "my-worker.1");
        logs.push(&mut first, b"one\r\n\xff\x1b[31m tw");
        logs.push(&mut second, b"other\n");
        logs.push(&mut worker, b"work\nask: ");
        logs.push(&mut first, b"o\nlast");
        assert!(worker.is_waiting() && !second.is_waiting());
        logs.silence(&mut worker);
        logs.push(&mut worker, b"yes\n");
        logs.end(first);
        assert_eq!(logs.write(), Vec::<String>::new());
        let web = fs::read(folder.path().join("web.log")).unwrap();
        assert_eq!(web, b"one\r\nother\n\xff\x1b[31m two\nlast\n");
        assert_eq!(read(folder.path(), "my-worker.log"), "work\nask: yes\n");
        let mode = fs::metadata(folder.path().join("web.log")).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_prompt_is_ended_by_another_instance_that_speaks() {
        let folder = tempfile::tempdir().unwrap();
        let mut logs = logs(folder.path());
        let mut first = logs.begin(id(0, 1), "web.1", LineAssembler::unchanged());
        let mut second = logs.begin(id(0, 2), "web.2", LineAssembler::unchanged());
        logs.push(&mut first, b"name: ");
        logs.silence(&mut first);
        logs.push(&mut second, b"tick\n");
        logs.push(&mut first, b"Ada\n");
        logs.write();
        assert_eq!(read(folder.path(), "web.log"), "name: \ntick\nAda\n");
    }

    #[test]
    fn what_cannot_be_written_is_told_once_and_its_place_is_marked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.log");
        let mut logs = logs(folder.path());
        let mut web = logs.begin(id(0, 1), "web.1", LineAssembler::unchanged());
        logs.push(&mut web, b"one\nhalf: ");
        logs.silence(&mut web);
        logs.write();
        let swap = |logs: &mut TypeLogs, file| {
            let log = logs.logs.get_mut(&0).unwrap();
            std::mem::replace(&mut log.file.as_mut().unwrap().0, file)
        };
        let writable = swap(&mut logs, File::open(&path).unwrap());
        logs.push(&mut web, b"lost\nlost too\n");
        let troubles = logs.write();
        assert_eq!(troubles.len(), 1);
        assert!(troubles[0].starts_with("cannot write the log `"), "{troubles:?}");
        logs.push(&mut web, b"lost as well\n");
        assert_eq!(logs.write(), Vec::<String>::new());
        swap(&mut logs, writable);
        logs.push(&mut web, b"two\n");
        logs.write();
        assert_eq!(read(folder.path(), "web.log"), format!("one\nhalf: \n{GAP}two\n"));
    }

    #[test]
    fn a_log_that_cannot_be_opened_costs_the_copy_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("web.log")).unwrap();
        let mut logs = logs(folder.path());
        let mut web = logs.begin(id(0, 1), "web.1", LineAssembler::unchanged());
        logs.push(&mut web, b"lost\n");
        let troubles = logs.write();
        assert_eq!(troubles.len(), 1);
        assert!(troubles[0].starts_with("cannot write the log `"), "{troubles:?}");
    }
}
