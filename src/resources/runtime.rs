//! How each language's runtime is told its heap and how to collect garbage: the variable that it reads,
//! and only where the user has not already said something. Which runtime a command starts is not known
//! here; variables of the others do no harm. What each value does stands in `docs/resources.md`.

use std::ffi::OsString;

use super::budget::Share;
use crate::app::shell::{Token, lex};
use crate::app::{Environment, Gc, Size, Source};

/// V8's flags for [`Gc::Size`], which NODE_OPTIONS refuses; [`super::command`] puts them into the command.
pub const V8_SIZE_FLAGS: [&str; 2] = ["--optimize-for-size", "--gc-interval=100"];

/// What was decided for an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tuning {
    /// The heap of one worker.
    pub heap: Option<Size>,
    /// What garbage collection is to save.
    pub gc: Option<Gc>,
}

/// A variable that pm adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeVariable {
    /// Its name.
    pub key: &'static str,
    /// Its whole value, with what the user has put in it.
    pub text: OsString,
    /// What it is for, for `pm env`.
    pub source: Source,
}

/// Returns MEMORY_AVAILABLE and WEB_CONCURRENCY, where the user has not set them.
pub fn budget_variables(environment: &Environment, share: Share) -> Vec<RuntimeVariable> {
    let mut added = Added { environment, variables: Vec::new() };
    added.unless_set("MEMORY_AVAILABLE", share.available_mib.to_string(), "memory budget, in MiB");
    if let Some(workers) = share.concurrency {
        // An empty WEB_CONCURRENCY is none: share() has counted it so.
        added.variables.push(variable(
            "WEB_CONCURRENCY",
            workers.to_string(),
            "memory budget / WEB_MEMORY, else 1",
        ));
    }
    added.variables
}

/// Returns the variables that carry `tuning` to whichever runtime `command` starts. Each is left out
/// where the user has said something on it, in the environment or in the command.
pub fn variables(environment: &Environment, command: &str, tuning: Tuning) -> Vec<RuntimeVariable> {
    let command = &words_of(command);
    let mut added = Added { environment, variables: Vec::new() };
    added.node(command, tuning);
    added.jvm(command, tuning);
    if let Some(heap) = tuning.heap {
        added.unless_set("GOMEMLIMIT", format!("{}MiB", heap.mib()), "heap, for Go");
        added.dotnet(
            "GCHeapHardLimit",
            "DOTNET_GCHeapHardLimit",
            format!("{:X}", heap.bytes()),
            "heap, for .NET",
        );
    }
    match tuning.gc {
        Some(Gc::Size) => {
            added.unless_set("GOGC", "50", "gc size, for Go");
            added.unless_set("MALLOC_ARENA_MAX", "2", "gc size, for glibc's malloc");
            added.dotnet("GCConserveMemory", "DOTNET_GCConserveMemory", "7", "gc size, for .NET");
        }
        Some(Gc::Speed) => {
            added.unless_set("GOGC", "200", "gc speed, for Go");
            added.dotnet("gcServer", "DOTNET_gcServer", "1", "gc speed, for .NET");
        }
        None => {}
    }
    added.variables
}

/// Returns the words of a command without their quotes, and without comments and the files of redirections.
fn words_of(command: &str) -> String {
    let lexed = lex(command);
    let words = lexed.tokens.iter().filter_map(Token::word);
    words.map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
}

/// From this heap on, [`Gc::Speed`] gives Node's young generation the larger of its two sizes.
const LARGE_HEAP_MIB: u64 = 1000;

/// Returns the size of one of V8's semi-spaces, in MiB, for [`Gc::Speed`]. The default is 16, powers of two
/// are all there is, and the young generation takes three times that beside the heap.
fn semi_space_mib(heap: Option<Size>) -> u64 {
    if heap.is_some_and(|heap| heap.mib() < LARGE_HEAP_MIB) { 32 } else { 64 }
}

/// Variables with which JVM flags reach `java`: the three that it reads, and those of the usual start scripts.
const JVM_VARIABLES: [&str; 9] = [
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "_JAVA_OPTIONS",
    "JAVA_OPTS",
    "JVM_OPTS",
    "CATALINA_OPTS",
    "GRADLE_OPTS",
    "MAVEN_OPTS",
    "SBT_OPTS",
];

struct Added<'a> {
    environment: &'a Environment,
    variables: Vec<RuntimeVariable>,
}

impl Added<'_> {
    fn said(&self, key: &str) -> Option<String> {
        self.environment.get(key).map(|value| value.text.to_string_lossy().into_owned())
    }

    fn unless_set(&mut self, key: &'static str, text: impl Into<OsString>, why: &'static str) {
        if self.environment.get(key).is_none() {
            self.variables.push(variable(key, text, why));
        }
    }

    /// Adds a setting of .NET, unless it or one that begins like it is set under either of its prefixes.
    fn dotnet(
        &mut self,
        name: &str,
        key: &'static str,
        text: impl Into<OsString>,
        why: &'static str,
    ) {
        let is_said = self.environment.iter().any(|(key, _)| {
            let key = key.to_string_lossy();
            let setting = key.strip_prefix("DOTNET_").or_else(|| key.strip_prefix("COMPlus_"));
            setting.is_some_and(|setting| setting.starts_with(name))
        });
        if !is_said {
            self.variables.push(variable(key, text, why));
        }
    }

    fn node(&mut self, command: &str, tuning: Tuning) {
        let own = self.said("NODE_OPTIONS").unwrap_or_default();
        // V8 takes `_` for `-` in the names of its flags.
        let said = format!("{own} {command}").replace('_', "-");
        let mut flags = Vec::new();
        if let Some(heap) = tuning.heap
            && !said.contains("--max-old-space-size")
            && !said.contains("--max-heap-size")
        {
            flags.push(format!("--max-old-space-size={}", heap.mib()));
        }
        if tuning.gc == Some(Gc::Speed) && !said.contains("semi-space-size") {
            flags.push(format!("--max-semi-space-size={}", semi_space_mib(tuning.heap)));
        }
        self.append("NODE_OPTIONS", &flags, "heap or gc, for Node");
    }

    fn jvm(&mut self, command: &str, tuning: Tuning) {
        let texts = JVM_VARIABLES.iter().filter_map(|key| self.said(key));
        let said = texts.chain([command.to_owned()]).collect::<Vec<_>>().join(" ");
        let options: Vec<&str> = said
            .split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '=' | ','))
            .collect();
        let mut flags = Vec::new();
        if let Some(heap) = tuning.heap
            && !options.iter().any(|option| limits_java_heap(option))
            && !said_initial_heaps(&said).any(|bytes| bytes > heap.bytes())
        {
            flags.push(format!("-Xmx{}m", heap.mib()));
        }
        // Two collectors are an error to the JVM, which then does not start.
        if !options.iter().any(|option| chooses_java_collector(option)) {
            match tuning.gc {
                Some(Gc::Size) => flags.push("-XX:+UseSerialGC".to_owned()),
                Some(Gc::Speed) => flags.push("-XX:+UseParallelGC".to_owned()),
                None => {}
            }
        }
        self.append("JAVA_TOOL_OPTIONS", &flags, "heap or gc, for the JVM");
    }

    /// Puts flags behind what the user has in a variable.
    fn append(&mut self, key: &'static str, flags: &[String], why: &'static str) {
        if flags.is_empty() {
            return;
        }
        let own = self.environment.get(key).map(|value| value.text.clone()).unwrap_or_default();
        let source = if own.is_empty() { Source::Pm(why) } else { Source::Appended(why) };
        let mut text = own;
        if !text.is_empty() {
            text.push(" ");
        }
        text.push(flags.join(" "));
        self.variables.push(RuntimeVariable { key, text, source });
    }
}

fn variable(key: &'static str, text: impl Into<OsString>, why: &'static str) -> RuntimeVariable {
    RuntimeVariable { key, text: text.into(), source: Source::Pm(why) }
}

/// Options that fix the heap, or from which the JVM works it out.
fn limits_java_heap(option: &str) -> bool {
    ["-Xmx", "-XX:MaxHeapSize", "-XX:MaxRAM"].iter().any(|start| option.starts_with(start))
}

/// `-XX:+UseG1GC`, `-XX:-UseZGC` and their kin.
fn chooses_java_collector(option: &str) -> bool {
    let switch = option.strip_prefix("-XX:+Use").or_else(|| option.strip_prefix("-XX:-Use"));
    switch.is_some_and(|name| name.ends_with("GC"))
}

/// Returns the initial heaps in bytes: above the limit, one keeps the JVM from starting.
fn said_initial_heaps(said: &str) -> impl Iterator<Item = u64> {
    let starts = ["-Xms", "-XX:InitialHeapSize="];
    starts.into_iter().flat_map(move |start| {
        said.split(start).skip(1).filter_map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
            let text = &rest[..end];
            // The JVM's bare number is bytes.
            let is_bytes = text.bytes().all(|b| b.is_ascii_digit());
            let text = if is_bytes { format!("{text}B") } else { text.to_owned() };
            Size::parse(&text).ok().map(Size::bytes)
        })
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn environment(vars: &[(&str, &str)]) -> Environment {
        let mut all = Environment::default();
        for (key, text) in vars {
            all.set(*key, *text, Source::Caller);
        }
        all
    }

    fn heap(mib: u64) -> Tuning {
        Tuning { heap: Size::from_mib(mib), gc: None }
    }

    fn gc(gc: Gc) -> Tuning {
        Tuning { heap: None, gc: Some(gc) }
    }

    fn shown(vars: &[(&str, &str)], command: &str, tuning: Tuning) -> Vec<String> {
        let added = variables(&environment(vars), command, tuning);
        added.iter().map(|v| format!("{}={}", v.key, v.text.to_string_lossy())).collect()
    }

    /// Returns the value of one variable, `-` where it is not added.
    fn one(key: &str, vars: &[(&str, &str)], command: &str, tuning: Tuning) -> String {
        let start = format!("{key}=");
        let all = shown(vars, command, tuning);
        all.iter().find_map(|text| text.strip_prefix(&start)).unwrap_or("-").to_owned()
    }

    #[test]
    fn a_heap_reaches_every_runtime() {
        let expected = [
            "NODE_OPTIONS=--max-old-space-size=460",
            "JAVA_TOOL_OPTIONS=-Xmx460m",
            "GOMEMLIMIT=460MiB",
            "DOTNET_GCHeapHardLimit=1CC00000",
        ];
        assert_eq!(shown(&[], "./app", heap(460)), expected);
    }

    #[test]
    fn gc_size_and_speed_reach_every_runtime() {
        let size = [
            "JAVA_TOOL_OPTIONS=-XX:+UseSerialGC",
            "GOGC=50",
            "MALLOC_ARENA_MAX=2",
            "DOTNET_GCConserveMemory=7",
        ];
        assert_eq!(shown(&[], "./app", gc(Gc::Size)), size);
        let speed = [
            "NODE_OPTIONS=--max-semi-space-size=64",
            "JAVA_TOOL_OPTIONS=-XX:+UseParallelGC",
            "GOGC=200",
            "DOTNET_gcServer=1",
        ];
        assert_eq!(shown(&[], "./app", gc(Gc::Speed)), speed);
    }

    #[test]
    fn nothing_is_decided_without_heap_and_gc() {
        assert_eq!(shown(&[], "./app", Tuning::default()), Vec::<String>::new());
    }

    #[test]
    fn node_keeps_the_users_own_flags() {
        let table = [
            ("--inspect", "node x", "--inspect --max-old-space-size=460"),
            ("", "node x", "--max-old-space-size=460"),
            ("--max-old-space-size=300", "node x", "-"),
            ("--max_old_space_size=300", "node x", "-"),
            ("--max-old_space-size=300", "node x", "-"),
            ("", "node --max-old-space-size=300 x", "-"),
            ("", "node --max_old_space_size 300 x", "-"),
            ("", "node --max-heap-size=300 x", "-"),
            ("", "node --max'-heap-size'=300 x", "-"),
            ("", "sh -c 'node --max-heap-size=300 x'", "-"),
            ("", "node x # --max-heap-size=300", "--max-old-space-size=460"),
            ("", "NODE_OPTIONS=--max-old-space-size=300 npm start", "-"),
        ];
        for (own, command, expected) in table {
            assert_eq!(
                one("NODE_OPTIONS", &[("NODE_OPTIONS", own)], command, heap(460)),
                expected,
                "{own} {command}"
            );
        }
        let both = Tuning { gc: Some(Gc::Speed), ..heap(460) };
        assert_eq!(
            one("NODE_OPTIONS", &[], "node x", both),
            "--max-old-space-size=460 --max-semi-space-size=32"
        );
        assert_eq!(one("NODE_OPTIONS", &[], "node --max_semi_space_size=8 x", gc(Gc::Speed)), "-");
    }

    #[test]
    fn the_jvm_keeps_the_users_own_flags() {
        let size = Tuning { gc: Some(Gc::Size), ..heap(460) };
        let table = [
            ("JAVA_TOOL_OPTIONS", "-Da=b", "java -jar x", "-Da=b -Xmx460m -XX:+UseSerialGC"),
            ("JAVA_TOOL_OPTIONS", "-Xmx1g", "java -jar x", "-Xmx1g -XX:+UseSerialGC"),
            ("_JAVA_OPTIONS", "-Xmx1g", "java -jar x", "-XX:+UseSerialGC"),
            ("JDK_JAVA_OPTIONS", "-XX:MaxRAMPercentage=50", "java -jar x", "-XX:+UseSerialGC"),
            ("JAVA_OPTS", "-Xmx1g -XX:+UseG1GC", "java $JAVA_OPTS -jar x", "-"),
            ("A", "", "java -Xmx1g -jar x", "-XX:+UseSerialGC"),
            ("A", "", "java '-XX:+UseZGC' -jar x", "-Xmx460m"),
            ("A", "", "sh -c 'java \"-XX:+UseZGC\" -jar x'", "-Xmx460m"),
            ("A", "", "java -jar x # -Xmx1g", "-Xmx460m -XX:+UseSerialGC"),
            ("A", "", "JAVA_OPTS=-Xmx1g bin/start", "-XX:+UseSerialGC"),
            ("A", "", "java -XX:+UseGCOverheadLimit -jar x", "-Xmx460m -XX:+UseSerialGC"),
            ("A", "", "java -Xms600m -jar x", "-XX:+UseSerialGC"),
            ("A", "", "java -Xms1073741824 -jar x", "-XX:+UseSerialGC"),
            ("A", "", "java -Xms256m -jar x", "-Xmx460m -XX:+UseSerialGC"),
        ];
        for (key, own, command, expected) in table {
            assert_eq!(
                one("JAVA_TOOL_OPTIONS", &[(key, own)], command, size),
                expected,
                "{key}={own} {command}"
            );
        }
    }

    #[test]
    fn what_the_user_has_set_is_left_alone() {
        let both = Tuning { gc: Some(Gc::Size), ..heap(460) };
        let table = [
            ("GOMEMLIMIT", "GOMEMLIMIT"),
            ("GOGC", "GOGC"),
            ("MALLOC_ARENA_MAX", "MALLOC_ARENA_MAX"),
            ("DOTNET_GCHeapHardLimit", "DOTNET_GCHeapHardLimit"),
            ("DOTNET_GCHeapHardLimitPercent", "DOTNET_GCHeapHardLimit"),
            ("COMPlus_GCHeapHardLimit", "DOTNET_GCHeapHardLimit"),
            ("COMPlus_GCConserveMemory", "DOTNET_GCConserveMemory"),
        ];
        for (set, key) in table {
            assert_ne!(one(key, &[], "./app", both), "-", "{key}");
            assert_eq!(one(key, &[(set, "own")], "./app", both), "-", "{set}");
        }
    }

    #[test]
    fn a_budget_sets_what_the_user_has_not() {
        let share = Share { available_mib: 512, concurrency: Some(1), heap: None };
        let keys = |vars: &[(&str, &str)], share| {
            let added = budget_variables(&environment(vars), share);
            added
                .iter()
                .map(|v| format!("{}={}", v.key, v.text.to_string_lossy()))
                .collect::<Vec<_>>()
        };
        assert_eq!(keys(&[], share), ["MEMORY_AVAILABLE=512", "WEB_CONCURRENCY=1"]);
        assert_eq!(keys(&[("MEMORY_AVAILABLE", "300")], share), ["WEB_CONCURRENCY=1"]);
        assert_eq!(
            keys(&[("WEB_CONCURRENCY", "3")], Share { concurrency: None, ..share }),
            ["MEMORY_AVAILABLE=512"]
        );
    }

    #[test]
    fn pm_env_can_say_that_the_users_flags_are_kept() {
        let added = variables(&environment(&[("NODE_OPTIONS", "--inspect")]), "node x", heap(460));
        assert_eq!(added[0].source, Source::Appended("heap or gc, for Node"));
    }

    /// Runs a program with what is added for it; its stdout, or `None` where this machine lacks it.
    fn asked(program: &str, args: &[&str], tuning: Tuning) -> Option<String> {
        let mut command = Command::new(program);
        command.args(args).env_remove("NODE_OPTIONS");
        for key in JVM_VARIABLES {
            command.env_remove(key);
        }
        for added in variables(&Environment::default(), program, tuning) {
            command.env(added.key, added.text);
        }
        crate::skipped::has_program(program).then(|| {
            let output = command.output().unwrap();
            String::from_utf8_lossy(&output.stdout).into_owned()
        })
    }

    #[test]
    fn node_itself_reports_the_heap() {
        let script = "console.log(require('v8').getHeapStatistics().heap_size_limit / 1048576)";
        // The limit is the old space and three semi-spaces: of 16 MiB, or what `speed` makes of them.
        let table = [
            (heap(460), "508"),
            (Tuning { gc: Some(Gc::Speed), ..heap(460) }, "556"),
            (Tuning { gc: Some(Gc::Speed), ..heap(1840) }, "2032"),
        ];
        for (tuning, expected) in table {
            if let Some(printed) = asked("node", &["-e", script], tuning) {
                assert_eq!(printed.trim_end(), expected, "{tuning:?}");
            }
        }
    }

    #[test]
    fn the_jvm_itself_reports_heap_and_collector() {
        let args = ["-XX:+PrintFlagsFinal", "-version"];
        for (mode, collector) in [(Gc::Size, "UseSerialGC"), (Gc::Speed, "UseParallelGC")] {
            let Some(printed) = asked("java", &args, Tuning { gc: Some(mode), ..heap(460) }) else {
                return;
            };
            let is = |name: &str, value: &str| {
                printed.lines().any(|line| {
                    let words: Vec<_> = line.split_whitespace().collect();
                    words.get(1) == Some(&name) && words.get(3) == Some(&value)
                })
            };
            assert!(is("MaxHeapSize", "482344960"), "{printed}");
            assert!(is(collector, "true"), "{printed}");
        }
    }
}
