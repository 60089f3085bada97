#!/usr/bin/env python3
"""How soon a thousand instances start that wait for one: pm, beside a minimal manager in C that starts as many at once.

    cargo build --release && tests/soak/dependents.py [--runs 5] [--instances 1000]

`cpm` is the other one, of the project's bench (`../shared/bench/build.sh` puts it into ~/.cache/pm-bench/bin; `--cpm FILE`
names another). It knows no dependencies: what it does is what any program needs that starts them one after the other. The
two take turns, so that what else the machine does meets both.

waited  pm: from the line that makes `db` ready, which says the time, until the last of its dependents was forked
spread  from the first to the last of the dependents (pm), or of all (cpm)
CPU     user and system time of the manager alone, until then
forked as the kernel says it (proc_pid_stat(5), starttime: hundredths of a second since the boot)

It fails never: it tells figures, for a person to judge.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import procs

HERE = os.path.dirname(os.path.abspath(__file__))
IDLE = 'exec sleep 1000'
DB = "sleep 1.3; read up rest </proc/uptime; echo accepting $up; exec sleep 1000"
TICKS = os.sysconf('SC_CLK_TCK')


def forked(pid, count):
    """Waits until a process has so many children more than it began with; returns when each was forked, in seconds since the boot."""
    while len(procs.children(pid)) < count:
        time.sleep(0.02)
    # What was forked last has begun, too.
    time.sleep(0.5)
    return {child: procs.stat(child)[4] / TICKS for child in procs.children(pid) if procs.stat(child)}


def once(manager, program, instances):
    """Starts so many instances, and returns what was measured."""
    folder = tempfile.mkdtemp(prefix='dependents-', dir='/tmp')
    process = None
    try:
        with open(folder + '/Procfile', 'w') as file:
            if manager == 'pm':
                file.write(f'db: {DB}\nweb: {IDLE}\n')
            else:
                file.writelines(f'web{number}: {IDLE}\n' for number in range(instances))
        with open(folder + '/pm.toml', 'w') as file:
            file.write('[process.db]\nready = "log:accepting"\n[process.web]\ndepends-on = ["db"]\n')
        words = {'pm': [program, 'start', '-m', f'db=1,web={instances}', '-p', '24100', '--keep', '0'], 'cpm': [program, 'Procfile']}
        output = open(folder + '/output', 'wb')
        process = subprocess.Popen(words[manager], cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                   env=dict(os.environ, XDG_RUNTIME_DIR=folder))
        pid = process.pid
        # pm has two children more: its guard and db.
        times = forked(pid, instances + (2 if manager == 'pm' else 0))
        cpu = procs.cpu_seconds(pid)
        figures = dict(cpu=cpu)
        if manager == 'pm':
            lines = procs.read(folder + '/output').decode('utf-8', 'replace').split('\n')
            ready = next(float(line.split('accepting ')[1].split()[0]) for line in lines if 'accepting ' in line)
            # The guard and db were there before; the dependents come after.
            times = sorted(times.values())[2:]
            figures['waited'] = times[-1] - ready
        else:
            times = sorted(times.values())
        figures['spread'] = times[-1] - times[0]
        return figures
    finally:
        if process is not None:
            process.terminate()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    state = os.environ.get('BENCH_STATE') or os.path.expanduser('~/.cache/pm-bench')
    parser.add_argument('--pm', default=os.path.dirname(os.path.dirname(HERE)) + '/target/release/pm')
    parser.add_argument('--cpm', default=state + '/bin/cpm')
    parser.add_argument('--runs', type=int, default=5)
    parser.add_argument('--instances', type=int, default=1000)
    options = parser.parse_args()
    managers = [('pm', os.path.abspath(options.pm))]
    if os.access(options.cpm, os.X_OK):
        managers.append(('cpm', options.cpm))
    print(f'{options.instances} dependents, {options.runs} runs; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs')
    results = {name: [] for name, _ in managers}
    for at in range(options.runs):
        for name, program in managers[::-1 if at % 2 else 1]:
            results[name].append(once(name, program, options.instances))
    for name, runs in results.items():
        for key in runs[0]:
            each = [run[key] for run in runs]
            print(f'{name:4} {key:7} {statistics.median(each):5.2f} s  (of each run: {", ".join(f"{one:.2f}" for one in each)})')
    if 'cpm' in results:
        ratios = [a['spread'] / max(b['spread'], 0.01) for a, b in zip(results['pm'], results['cpm'])]
        print(f'spread, pm to cpm: {statistics.median(ratios):.2f} (of each run: {", ".join(f"{ratio:.2f}" for ratio in ratios)})')
    print(f'load at the end {os.getloadavg()[0]:.1f}')


if __name__ == '__main__':
    main()
