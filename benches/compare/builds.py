#!/usr/bin/env python3
"""builds.py NAME=PROGRAM...: measures builds of pm beside each other (static with musl, an old glibc, this machine's),
in turns within each round, and prints the medians as a Markdown table.

    benches/compare/builds.py musl=A/pm glibc-2.17=B/pm native=target/release/pm [--rounds 7] [--small]

Start-up: `pm --version` beside /bin/true, and the first line of one process. Allocation under load: the output of four
processes, its CPU time, and the memory with 100 idle ones. Account look-ups: `pm export -u` with a user that is there
and one that is not, beside the same without a user. A quiet machine; Linux, gcc, Python 3.8 or later.
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import compare

STARTS = 200
NOBODY = "no-such-user-here"


def cost(words, folder, times):
    """Returns the median CPU and wall time of a command, in microseconds."""
    seen = []
    actions = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_WRONLY, 0) for fd in (1, 2)]
    here = os.getcwd()
    os.chdir(folder)
    try:
        for _ in range(times):
            began = time.perf_counter()
            pid = os.posix_spawn(words[0], words, os.environ, file_actions=actions)
            _, status, usage = os.wait4(pid, 0)
            if status != 0:
                sys.exit("builds: %s failed" % " ".join(words))
            seen.append(((usage.ru_utime + usage.ru_stime) * 1e6, (time.perf_counter() - began) * 1e6))
    finally:
        os.chdir(here)
    return [statistics.median(column) for column in zip(*seen)]


def commands(pm, folder, times):
    """Returns what short commands cost."""
    export = [pm, "export", "systemd", "--print", "-a", "shop"]
    values = {}
    for name, words in (("version", [pm, "--version"]), ("plain", export), ("known", export + ["-u", "root"]),
                        ("unknown", export + ["-u", NOBODY])):
        values[name + "-cpu"], values[name + "-wall"] = cost(words, folder, times)
    return values


ROWS = {
    "size": "size, bytes",
    "version-cpu": "`pm --version`: CPU, µs",
    "version-wall": "`pm --version`: time, µs",
    "first": "first line of one process, ms",
    "mb1": "output of one process, MB/s",
    "mb4": "output of four processes, MB/s",
    "cpu4": "CPU time for that, s per GB",
    "median": "latency of a line, median, µs",
    "p99": "latency of a line, 99th percentile, µs",
    "pss": "memory with 100 idle processes, MiB",
    "plain-cpu": "`pm export systemd`, no account: CPU, µs",
    "known-cpu": "the same, `-u root`: CPU, µs",
    "unknown-cpu": "the same, `-u %s`: CPU, µs" % NOBODY,
    "unknown-wall": "that, time, µs",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("builds", nargs="+", metavar="NAME=PROGRAM")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--small", action="store_true", help="little data: shows that all of this works")
    options = parser.parse_args()
    builds = {name: os.path.abspath(path) for name, path in (build.split("=", 1) for build in options.builds)}
    compare.BUILT.mkdir(parents=True, exist_ok=True)
    for program in ("child", "limit"):
        source = str(compare.HERE / (program + ".c"))
        subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-o", compare.BUILT / program, source], check=True)
    command, megabytes = compare.MANAGERS["pm"]
    starts = STARTS // 10 if options.small else STARTS
    seen = {name: [] for name in builds}
    true, lost = [], 0
    with tempfile.TemporaryDirectory(prefix="pm-builds-") as folder:
        pathlib.Path(folder, "Procfile").write_text("web: true\n")
        for number in range(options.rounds):
            true.append(cost(["/bin/true"], folder, starts)[0])
            for name, pm in builds.items():
                values, bad = compare.measure(command, pm, megabytes / 20 if options.small else megabytes)
                values.update(commands(pm, folder, starts), size=os.stat(pm).st_size)
                seen[name].append(values)
                lost += bad
            print("round %d of %d" % (number + 1, options.rounds), file=sys.stderr)
    print("| | " + " | ".join(builds) + " |\n|---|" + "---:|" * len(builds))
    for key, title in ROWS.items():
        medians = [statistics.median(values[key] for values in rounds) for rounds in seen.values()]
        print("| %s | %s |" % (title, " | ".join(map(compare.digits, medians))))
    print("`true`: CPU %s µs; lines lost or broken: %d" % (compare.digits(statistics.median(true)), lost))
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
