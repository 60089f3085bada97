//! What the soak test's instances run: it writes numbered lines with a checksum, and ends in many ways.
//!
//! `child KIND` writes records `@INSTANCE RUN SEQ CRC PAYLOAD~`. The first byte says how: `@` in one write
//! that a pipe takes whole (PIPE_BUF of pipe(7)), `%` in writes that may be cut anywhere, `&` by a
//! grandchild. To a journal it writes what is true without pm: which runs began, and which ended by
//! themselves after how many lines. The length of a life comes from the seed, the instance and the run.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::fd::AsFd;
use std::process::{Command, Stdio, exit};
use std::thread::park_timeout;
use std::time::{Duration, Instant};

const CHUNK: usize = 65_536;
/// So much fills what pm keeps of one of 32 instances or more, so that its memory grows no further.
const FILL: usize = 270_000;

/// xorshift64*: the same lives for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + (self.next() >> 11) % (high - low + 1)
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.between(1, chances) == 1
    }
}

struct Child {
    instance: String,
    run: u64,
    lines: u64,
    random: Random,
    out: File,
    journal: File,
    table: [u32; 256],
}

impl Child {
    fn new(instance: String, run: u64) -> Self {
        let seed: u64 = variable("SOAK_SEED").parse().unwrap_or(1);
        let hash = instance.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut random = Random((seed ^ hash ^ (run << 32)) | 1);
        for _ in 0..8 {
            random.next();
        }
        let out = std::io::stdout().as_fd().try_clone_to_owned().map(File::from);
        Self {
            instance,
            run,
            lines: 0,
            random,
            out: out.unwrap_or_else(|_| exit(90)),
            journal: appended(&variable("SOAK_JOURNAL")),
            table: table(),
        }
    }

    /// The record without its line feed.
    fn record(&mut self, kind: char, length: usize) -> Vec<u8> {
        let head = format!("{kind}{} {} {} ", self.instance, self.run, self.lines);
        self.lines += 1;
        let mut word = self.random.next();
        let payload: Vec<u8> = (0..length)
            .map(|at| {
                if at % 16 == 0 {
                    word = self.random.next();
                }
                b"0123456789abcdef"[(word >> (at % 16 * 4)) as usize & 15]
            })
            .collect();
        let crc = self.crc(&[head.as_bytes(), &payload]);
        let mut record = format!("{head}{crc:08x} ").into_bytes();
        record.extend(payload);
        record.push(b'~');
        record
    }

    fn crc(&self, parts: &[&[u8]]) -> u32 {
        let step = |crc: u32, byte: &u8| self.table[usize::from(crc as u8 ^ *byte)] ^ (crc >> 8);
        !parts.iter().flat_map(|part| part.iter()).fold(!0, step)
    }

    /// A reader that is gone ends this run, and not by itself.
    fn write(&mut self, bytes: &[u8]) {
        if self.out.write_all(bytes).is_err() {
            exit(91);
        }
    }

    fn line(&mut self, kind: char) {
        let length = self.random.between(80, 200) as usize;
        let mut record = self.record(kind, length);
        record.push(b'\n');
        self.write(&record);
    }

    /// Many lines, in chunks that are cut anywhere, as stdio does.
    fn burst(&mut self, lines: u64) {
        let mut chunk = Vec::new();
        for _ in 0..lines {
            let length = self.random.between(20, 160) as usize;
            chunk.extend(self.record('%', length));
            chunk.push(b'\n');
            if chunk.len() >= CHUNK {
                let rest = chunk.split_off(CHUNK);
                self.write(&chunk);
                chunk = rest;
            }
        }
        self.write(&chunk);
    }

    fn journal(&mut self, what: &str) {
        let entry = format!("{what}\n");
        if self.journal.write_all(entry.as_bytes()).is_err() {
            exit(92);
        }
    }

    /// From here on only the end is left: what was written must arrive.
    fn tell_end(&mut self, how: &str) {
        let entry = format!("end {} {} {} {how}", self.instance, self.run, self.lines);
        self.journal(&entry);
    }

    fn leave(&mut self, code: i32) -> ! {
        self.tell_end(&format!("code {code}"));
        exit(code)
    }

    fn die_by(&mut self, signal: &str) -> ! {
        self.tell_end(&format!("signal {signal}"));
        // Twice: the first SIGSEGV or SIGBUS only takes the handler of Rust's runtime away.
        let me = std::process::id();
        let kill = format!("kill -s {signal} {me}; sleep 0.5; kill -s {signal} {me}");
        let _ = Command::new("/bin/sh").args(["-c", &kill]).status();
        pause(5000);
        exit(93)
    }

    /// Ends in one of many ways.
    fn crash(&mut self) -> ! {
        const SIGNALS: [&str; 8] = ["SEGV", "ABRT", "KILL", "TERM", "INT", "HUP", "QUIT", "BUS"];
        match self.random.between(0, 2) {
            0 => {
                let code = self.random.between(1, 255) as i32;
                self.leave(code)
            }
            1 => {
                let at = self.random.between(0, 7) as usize;
                self.die_by(SIGNALS[at])
            }
            _ => {
                self.tell_end("signal SEGV");
                // SAFETY: none; the end of this process is what it is for.
                unsafe { std::ptr::null_mut::<u8>().write_volatile(1) };
                exit(94)
            }
        }
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| exit(95))
}

fn appended(path: &str) -> File {
    OpenOptions::new().append(true).create(true).open(path).unwrap_or_else(|_| exit(96))
}

/// Lets time pass.
fn pause(milliseconds: u64) {
    let until = Instant::now() + Duration::from_millis(milliseconds);
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        park_timeout(left);
    }
}

fn table() -> [u32; 256] {
    let mut table = [0; 256];
    for (at, entry) in table.iter_mut().enumerate() {
        let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        *entry = (0..8).fold(at as u32, step);
    }
    table
}

/// Counts the runs of an instance. One that is still there when the next begins is written to the journal.
fn next_run(instance: &str) -> u64 {
    let path = format!("{}/{instance}", variable("SOAK_RUNS"));
    let text = fs::read_to_string(&path).unwrap_or_default();
    let mut words = text.split(' ').map_while(|word| word.parse::<u64>().ok());
    let (run, pid) = (words.next().unwrap_or(0) + 1, words.next().unwrap_or(0));
    let name = format!("PS={instance}");
    let before = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    if pid != 0 && before.split(|byte| *byte == 0).any(|entry| entry == name.as_bytes()) {
        let entry = format!("double {instance} {run} {pid}\n");
        let _ = appended(&variable("SOAK_JOURNAL")).write_all(entry.as_bytes());
    }
    // Whole or not at all: it may be killed at any time.
    let new = format!("{path}.new");
    let written = fs::write(&new, format!("{run} {}", std::process::id()));
    if written.and_then(|()| fs::rename(&new, &path)).is_err() {
        exit(97);
    }
    run
}

fn main() {
    let kind = env::args().nth(1).unwrap_or_default();
    if kind == "grand" {
        return grandchild();
    }
    let instance = variable("PS");
    let run = next_run(&instance);
    let mut child = Child::new(instance, run);
    child.line(if kind == "term" { '%' } else { '@' });
    let start = format!("start {} {run} {}", child.instance, std::process::id());
    child.journal(&start);
    if run == 1 && kind != "flap" {
        let kept = FILL / env::var("SOAK_SHARE").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
        child.burst(kept as u64 / 100);
    }
    live(&kind, &mut child)
}

fn live(kind: &str, child: &mut Child) {
    match kind {
        "steady" => loop {
            child.line('@');
            let wait = child.random.between(500, 3000);
            pause(wait);
        },
        "burst" => loop {
            let (wait, lines) =
                (child.random.between(1000, 15_000), child.random.between(50, 1500));
            pause(wait);
            child.burst(lines);
            for _ in 0..child.random.between(0, 60) {
                child.line('@');
            }
            if child.random.one_in(8) {
                child.leave(0);
            }
        },
        "crash" => {
            let (lines, wait) = (child.random.between(0, 300), child.random.between(0, 12_000));
            pause(if wait < 4000 { 0 } else { wait });
            child.burst(lines);
            child.line('@');
            child.crash()
        }
        "flap" => child.leave(7),
        "once" => {
            let wait = child.random.between(1000, 9000);
            pause(wait);
            let code = child.random.between(0, 1) as i32;
            child.leave(code)
        }
        "partial" => partial(child),
        "long" => long(child),
        "family" => family(child),
        "term" => loop {
            let (wait, lines) = (child.random.between(500, 6000), child.random.between(1, 40));
            pause(wait);
            for _ in 0..lines {
                child.line('%');
            }
            if child.random.one_in(12) {
                let code = child.random.between(0, 3) as i32;
                child.leave(code);
            }
        },
        "hog" => {
            pause(2000);
            let mut all = vec![0_u8; 96 << 20];
            for at in (0..all.len()).step_by(4096) {
                all[at] = 1;
            }
            loop {
                pause(1000);
                child.line('@');
                all[0] ^= 1;
            }
        }
        _ => exit(98),
    }
}

/// Lines in pieces with silence between them, the last one without its end.
fn partial(child: &mut Child) {
    for _ in 0..child.random.between(5, 20) {
        let length = child.random.between(10, 300) as usize;
        let mut record = child.record('%', length);
        record.push(b'\n');
        let cut = child.random.between(1, record.len() as u64 - 1) as usize;
        child.write(&record[..cut]);
        let wait = child.random.between(20, 600);
        pause(wait);
        child.write(&record[cut..]);
        let wait = child.random.between(0, 1500);
        pause(wait);
    }
    let last = child.record('%', 40);
    child.write(&last);
    child.leave(0)
}

/// Lines of any length, now and then one over the 16 MiB at which pm breaks it.
fn long(child: &mut Child) {
    for _ in 0..child.random.between(3, 12) {
        let bits = child.random.between(10, 19);
        let mut length = (1_usize << bits) + child.random.between(0, 4095) as usize;
        if child.random.one_in(60) {
            length = (16 << 20) + child.random.between(0, 1 << 20) as usize;
        }
        let mut record = child.record('%', length);
        record.push(b'\n');
        child.write(&record);
        let wait = child.random.between(200, 8000);
        pause(wait);
    }
    child.leave(0)
}

/// Grandchildren that ignore SIGTERM, that leave the group, that go on to write; then its own end.
fn family(child: &mut Child) {
    let me = env::current_exe().unwrap_or_else(|_| exit(99));
    for _ in 0..child.random.between(1, 3) {
        let seconds = child.random.between(2, 40);
        let writes = child.random.one_in(2);
        let mut command = match child.random.between(0, 2) {
            0 => shell(&format!("trap '' TERM INT HUP; exec {} grand", me.display())),
            1 => shell(&format!("exec {} grand", me.display())),
            // Forked by setsid itself where it leads a group: it is pm's to adopt.
            _ => {
                let mut command =
                    shell(&format!("trap '' TERM; exec setsid -f {} grand", me.display()));
                command.env("SOAK_STRAY", "1");
                command
            }
        };
        command.env("SOAK_RUN", child.run.to_string()).env("SOAK_SECONDS", seconds.to_string());
        if !writes {
            command.stdout(Stdio::null()).stderr(Stdio::null());
        }
        if command.spawn().is_err() {
            exit(100);
        }
        let wait = child.random.between(0, 2500);
        pause(wait);
        child.line('@');
    }
    let wait = child.random.between(0, 10_000);
    pause(wait);
    if child.random.one_in(2) { child.leave(0) } else { child.crash() }
}

fn shell(text: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", text]);
    command
}

fn grandchild() {
    let run: u64 = variable("SOAK_RUN").parse().unwrap_or(0);
    let seconds: u64 = variable("SOAK_SECONDS").parse().unwrap_or(1);
    let mut child = Child::new(variable("PS"), run);
    for _ in 0..seconds * 4 {
        let mut record = child.record('&', 60);
        record.push(b'\n');
        // One that writes after its parent's end may find the pipe closed, and goes on silently.
        let _ = child.out.write_all(&record);
        pause(250);
    }
}
