#!/usr/bin/env python3
"""compare.py: measures pm beside other process managers and beside a limit, in one run.

The limit is limit.c, a manager that only puts a name before each line. The others are measured where they are
installed, and named where they are not:

    apt-get install ruby-foreman
    python3 -m venv target/compare/venv && target/compare/venv/bin/pip install honcho
    npm install --prefix target/compare foreman

Every manager runs the same children (child.c) from the same Procfile with its default options, and its output
goes to a pipe. The managers take turns within a round. A cell is the median of all rounds and, in brackets,
the median of the ratios to the limit of the same round. Needs Linux, gcc and Python 3.8 or later.
"""
import argparse
import os
import pathlib
import selectors
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
BUILT = TOP / "target" / "compare"
MANY = 100
LINE = 100
TICKS = 200
PATIENCE = 60
MIB = 1 << 20

# Name: command with {procfile} and {folder}, and how many MB it is given (about a second of work).
MANAGERS = {
    "limit": ([str(BUILT / "limit"), "{procfile}"], 200),
    "pm": (["{pm}", "start", "-f", "{procfile}"], 200),
    "foreman": (["foreman", "start", "-f", "{procfile}", "-d", "{folder}"], 5),
    "honcho": (["honcho", "start", "-f", "{procfile}", "-d", "{folder}"], 3),
    "nf": (["nf", "-j", "{procfile}", "start"], 10),
}
MEASURES = {
    "first": "first line of 1 process, ms",
    "last": f"last line of {MANY} processes, ms",
    "mb1": "throughput of 1 process, MB/s",
    "mb4": "throughput of 4 processes, MB/s",
    "cpu4": "CPU time for that, s per GB",
    "median": "latency of a line, median, µs",
    "p99": "latency of a line, 99th percentile, µs",
    "pss": f"memory with {MANY} idle processes, MiB",
}


class Run:
    """One manager with its children: from its start until all have ended."""

    def __init__(self, command, pm, count, task):
        self.folder = tempfile.TemporaryDirectory(prefix="pm-compare-")
        folder = pathlib.Path(self.folder.name)
        gate, procfile = folder / "gate", folder / "Procfile"
        os.mkfifo(gate)
        # Open for both, so that opening does not wait; the children end when this end is closed.
        self.gate = os.open(gate, os.O_RDWR | os.O_CLOEXEC)
        child = f"{BUILT / 'child'} {gate} {task}"
        procfile.write_text("".join(f"p{i}: {child}\n" for i in range(count)))
        (folder / ".env").touch()
        values = {"procfile": procfile, "folder": folder, "pm": pm}
        words = [word.format(**values) for word in command]
        environment = {key: value for key, value in os.environ.items() if key != "PORT"}
        environment["XDG_RUNTIME_DIR"] = str(folder)
        self.count = count
        # Memory is touched before the clock starts.
        self.data, self.end = bytearray(1 * MIB), 0
        self.began = time.monotonic_ns()
        self.manager = subprocess.Popen(words, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
                                        start_new_session=True)
        self.output = self.manager.stdout.fileno()
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.output, selectors.EVENT_READ)

    def reserve(self, size):
        """Makes room for this much output, so that reading it needs no new memory."""
        self.data.extend(bytes(max(0, self.end + size - len(self.data))))

    def read(self):
        """Reads what is there into the buffer, and returns where it begins."""
        if len(self.data) - self.end < 65536:
            self.reserve(8 * MIB)
        if not self.selector.select(PATIENCE):
            raise RuntimeError(f"no output for {PATIENCE} s")
        begin = self.end
        with memoryview(self.data) as view:
            n = os.readv(self.output, [view[begin:begin + 65536]])
        if n == 0:
            raise RuntimeError("the manager has ended")
        self.end += n
        return begin

    def until_marks(self, marks):
        """Reads until so many `@` have come; returns when the first and the last came, in ns."""
        first = None
        while marks > 0:
            begin = self.read()
            seen = self.data.count(b"@", begin, self.end)
            if seen and first is None:
                first = time.monotonic_ns()
            marks -= seen
        return first, time.monotonic_ns()

    def open_gate(self):
        os.write(self.gate, b"x" * self.count)

    def own_processes(self):
        """Returns the manager's processes: its descendants without the children and their shells."""
        parents, names = {}, {}
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                head, tail = (folder / "stat").read_text().rsplit(")", 1)
            except (FileNotFoundError, ProcessLookupError):
                continue
            pid = int(folder.name)
            parents[pid], names[pid] = int(tail.split()[1]), head.split("(", 1)[1]
        family = {self.manager.pid}
        while True:
            more = {pid for pid, parent in parents.items() if parent in family} - family
            if not more:
                return [pid for pid in family if names.get(pid) not in ("child", "sh", None)]
            family |= more

    def cpu(self):
        """Returns the CPU time of the manager's processes in seconds, from their clocks."""
        return sum(time.clock_gettime((~pid << 3) | 2) for pid in self.own_processes())

    def memory(self):
        """Returns the memory of the manager's processes in MiB; what is shared counts by its share."""
        total = 0
        for pid in self.own_processes():
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        return total / 1024

    def close(self):
        """Lets the children end, and with them the manager; kills one that stays."""
        os.close(self.gate)
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline and self.selector.select(max(0, deadline - time.monotonic())):
            if not os.read(self.output, 65536):
                break
        own = [] if self.manager.poll() is not None else self.own_processes()
        for pid in own:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.manager.wait()
        self.manager.stdout.close()
        self.selector.close()
        self.folder.cleanup()


def throughput(command, pm, count, megabytes):
    lines = int(megabytes * 1e6 / LINE / count)
    run = Run(command, pm, count, f"{LINE} {lines}")
    try:
        run.until_marks(count)
        run.reserve(2 * count * lines * LINE + MIB)
        payload, cpu, begin, began = count * lines * LINE, run.cpu(), run.end, time.monotonic_ns()
        run.open_gate()
        _, ended = run.until_marks(count)
        cpu = run.cpu() - cpu
        whole = run.data.count(b"x" * (LINE - 1) + b"\n", begin, run.end)
        return payload * 1e3 / (ended - began), cpu / payload * 1e9, count * lines - whole
    finally:
        run.close()


def measure(command, pm, megabytes):
    """Returns every measure of one manager in one round, and how many lines it lost or broke."""
    one = Run(command, pm, 1, f"tick {TICKS}")
    try:
        first, _ = one.until_marks(1)
        one.open_gate()
        delays, marks = [], 1
        while marks > 0:
            begin = one.read()
            now = time.monotonic_ns()
            text = bytes(one.data[begin:one.end])
            marks -= text.count(b"@")
            delays += [now - int(part.split()[0]) for part in text.split(b"tick=")[1:] if b"\n" in part]
    finally:
        one.close()
    many = Run(command, pm, MANY, f"{LINE} 0")
    try:
        _, last = many.until_marks(MANY)
        pss = many.memory()
    finally:
        many.close()
    mb1, _, bad1 = throughput(command, pm, 1, megabytes)
    mb4, cpu4, bad4 = throughput(command, pm, 4, megabytes)
    delays.sort()
    values = {"first": (first - one.began) / 1e6, "last": (last - many.began) / 1e6, "mb1": mb1, "mb4": mb4,
              "cpu4": cpu4, "median": delays[len(delays) // 2] / 1e3, "p99": delays[len(delays) * 99 // 100] / 1e3,
              "pss": pss}
    return values, bad1 + bad4


def installed(pm):
    """Returns the managers that are here, with their programs; says which are not."""
    os.environ["PATH"] = os.pathsep.join(
        [str(BUILT / "venv" / "bin"), str(BUILT / "node_modules" / ".bin"), os.environ["PATH"]])
    here = {}
    for name, (command, megabytes) in MANAGERS.items():
        if shutil.which(command[0].format(pm=pm)):
            here[name] = command, megabytes
        else:
            print(f"SKIPPED: {name} is not installed", file=sys.stderr)
    return here


def digits(number):
    """Writes a number with what is worth reading of it."""
    return f"{number:,.{0 if number >= 100 else 1 if number >= 10 else 2 if number >= 0.1 else 4}f}"


def table(rounds, bad):
    """Prints the medians as a Markdown table."""
    names = list(rounds)
    print("| | " + " | ".join(names) + " |\n|---|" + "---:|" * len(names))
    for key, title in MEASURES.items():
        cells = []
        for name in names:
            value = statistics.median(values[key] for values in rounds[name])
            ratio = statistics.median(
                values[key] / limit[key] for values, limit in zip(rounds[name], rounds["limit"]))
            cells.append(f"{digits(value)} ({digits(ratio)} ×)")
        print(f"| {title} | " + " | ".join(cells) + " |")
    print("| lines lost or broken | " + " | ".join(f"{bad[name]:,}" for name in names) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--pm", type=os.path.abspath, default=str(TOP / "target" / "release" / "pm"), help="the program to measure")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", help="names, divided by commas; the limit is always measured")
    parser.add_argument("--small", action="store_true", help="little data: shows that all of this works")
    options = parser.parse_args()
    BUILT.mkdir(parents=True, exist_ok=True)
    for program in ("child", "limit"):
        subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-o", BUILT / program, HERE / f"{program}.c"], check=True)
    managers = installed(options.pm)
    if options.only:
        managers = {name: managers[name] for name in managers if name in ["limit", *options.only.split(",")]}
    rounds, bad = {name: [] for name in managers}, dict.fromkeys(managers, 0)
    for number in range(options.rounds):
        for name, (command, megabytes) in managers.items():
            values, lost = measure(command, options.pm, megabytes / 20 if options.small else megabytes)
            rounds[name].append(values)
            bad[name] += lost
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
    table(rounds, bad)


if __name__ == "__main__":
    main()
