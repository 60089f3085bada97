#!/usr/bin/env python3
"""A thousand instances of one type: start, stop, CPU time and memory of pm, beside a minimal manager in C.

    cargo build --release && tests/soak/thousand.py [--runs 5] [--instances 1000]

The other one is `cpm` of the project's bench (`../shared/bench/build.sh` puts it into ~/.cache/pm-bench/bin;
`--cpm FILE` names another; without it only pm is measured). The two take turns, so that what else the machine
does meets both. Two commands: one that is idle, and one that writes a line first.

start   from the manager's beginning until it has all its children (idle), or until the last line (line)
stop    from SIGTERM to the end of the manager, which comes after that of all children
CPU     user and system time of the manager alone, in the whole of its life
memory  private memory of the manager, and for pm of its guard: (at N instances - at 1) / (N - 1)

It fails only where the memory of an instance is over 20 KiB; times are told, for a person to judge.
"""
import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import procs

LIMIT_KIB = 20
COMMANDS = {'idle': 'exec sleep 1000', 'line': 'echo up; exec sleep 1000'}
HERE = os.path.dirname(os.path.abspath(__file__))


def guard_of(pid):
    """Returns the guard of a pm, or None."""
    named = [child for child in procs.children(pid) if procs.read(f'/proc/{child}/comm').strip() == b'procfile-guard']
    return named[0] if named else None


def once(manager, program, case, instances):
    """Starts and stops so many instances, and returns what was measured."""
    folder = tempfile.mkdtemp(prefix='thousand-', dir='/tmp')
    try:
        one = manager == 'pm'
        with open(folder + '/Procfile', 'w') as file:
            for number in range(1 if one else instances):
                file.write(f'web{"" if one else number}: {COMMANDS[case]}\n')
        words = [program, 'start', '-m', f'web={instances}'] if one else [program, 'Procfile']
        began = time.monotonic()
        process = subprocess.Popen(words, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   env=dict(os.environ, XDG_RUNTIME_DIR=folder))
        pid = process.pid
        if case == 'line':
            seen, rest = 0, b''
            while seen < instances:
                data = rest + process.stdout.read1(1 << 16)
                lines = data.split(b'\n')
                rest = lines.pop()
                seen += sum(line.endswith(b'| up') for line in lines)
        else:
            # pm has one child more: its guard.
            while len(procs.children(pid)) < instances + one:
                time.sleep(0.01)
        start = time.monotonic() - began
        # All have become `sleep` by then, and what pm says is said.
        time.sleep(1)
        guard = guard_of(pid) if one else None
        private = procs.private_kib(pid) + (procs.private_kib(guard) if guard else 0)
        cpu_start = procs.cpu_seconds(pid)
        began = time.monotonic()
        os.kill(pid, signal.SIGTERM)
        # What it writes meanwhile: a note for each end.
        while process.stdout.read1(1 << 16):
            pass
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        stop = time.monotonic() - began
        cpu = procs.cpu_seconds(pid)
        process.wait()
        return dict(start=start, stop=stop, cpu_start=cpu_start, cpu_stop=cpu - cpu_start, private=private)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    state = os.environ.get('BENCH_STATE') or os.path.expanduser('~/.cache/pm-bench')
    parser.add_argument('--pm', default=os.path.dirname(os.path.dirname(HERE)) + '/target/release/pm')
    parser.add_argument('--cpm', default=state + '/bin/cpm')
    parser.add_argument('--runs', type=int, default=5)
    parser.add_argument('--instances', type=int, default=1000)
    options = parser.parse_args()
    managers = {'pm': os.path.abspath(options.pm)}
    if os.access(options.cpm, os.X_OK):
        managers['cpm'] = options.cpm
    n = options.instances
    print(f'{n} instances, {options.runs} runs; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs')
    results = {(case, name): [] for case in COMMANDS for name in managers}
    alone = {name: [] for name in managers}
    for at in range(options.runs):
        turns = list(managers.items())[::-1 if at % 2 else 1]
        for name, program in turns:
            alone[name].append(once(name, program, 'idle', 1)['private'])
        for case in COMMANDS:
            for name, program in turns:
                results[case, name].append(once(name, program, case, n))
    median = statistics.median
    over = False
    for (case, name), runs in results.items():
        figures = {key: median(run[key] for run in runs) for key in runs[0]}
        print(f'{case} {name:4} start {figures["start"] * 1000:6.0f} ms, CPU {figures["cpu_start"] * 1000:5.0f} ms;  '
              f'stop {figures["stop"] * 1000:6.0f} ms, CPU {figures["cpu_stop"] * 1000:5.0f} ms;  '
              f'private {figures["private"]:5.0f} KiB')
        each = (figures['private'] - median(alone[name])) / (n - 1)
        print(f'{case} {name:4} private at 1: {median(alone[name]):.0f} KiB; {each:.2f} KiB an instance')
        over |= name == 'pm' and each > LIMIT_KIB
    for case in COMMANDS if 'cpm' in managers else []:
        for key in ('start', 'cpu_start', 'stop', 'cpu_stop'):
            ratios = [a[key] / max(b[key], 0.01) for a, b in zip(results[case, 'pm'], results[case, 'cpm'])]
            print(f'{case} {key:9} pm to cpm: {median(ratios):.2f} (of each run: '
                  f'{", ".join(f"{ratio:.2f}" for ratio in ratios)})')
    print(f'load at the end {os.getloadavg()[0]:.1f}')
    return 1 if over else 0


if __name__ == '__main__':
    sys.exit(main())
