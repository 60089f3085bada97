#!/usr/bin/env python3
"""Soak test of pm: hundreds of instances that crash, flood and fork, clients that hang, for 20 minutes.

    cargo build --release && tests/soak/run.py              # 200 instances, 20 minutes
    tests/soak/run.py --short                               # 40 instances, 40 s
    tests/soak/run.py --seed 7 --seconds 300 --instances 100 --pm target/debug/pm

Every line that an instance writes has a number and a checksum, and every run that ends by itself says in a
journal how many it wrote: a line that is lost, doubled, torn or misplaced is found. At quiet points, when all
is stopped, pm must have the descriptors and threads of the first such point, no zombie, no process but what left
its group, and its memory must not grow from point to point. At the end nothing may be left, and the exit code must
be right. Each finding says which assertion, which instance, which line. The exit status is 1 where
there is one. No assertion is about speed: limits of time only end what hangs.

Needs Python 3.11, rustc (for child.rs), sh and setsid. It writes to a folder in /tmp that it removes (`--keep`).
"""
import argparse
import os
import random
import signal
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
import procs
from chaos import Chaos
from session import HERE, Findings, Session

# Private memory in KiB. What leaks grows by more than this at most of the quiet points; the jump that 16 hung
# followers with 4 MiB of small blocks each may cause is one of a few.
GROWTH = {'pm': 100, 'guard': 16}
# It never comes to more than this: those followers, what is kept for `pm logs`, and a line of 16 MiB.
CEILING = {'pm': 128 << 10, 'guard': 2048}
# A zombie that stays longer than this is one that pm forgot: stop timeout, drain, and a busy machine.
ZOMBIE = 30


class Watch(threading.Thread):
    """Looks at pm every second: memory, zombies, whether it lives."""

    def __init__(self, session):
        super().__init__(daemon=True, name='watch')
        self.session, self.guard = session, 0
        self.guard_peak = self.descriptors = self.threads = 0
        self.zombies = {}
        self.over = threading.Event()

    def run(self):
        pid = self.session.pid
        while not self.over.wait(1) and self.session.is_up():
            self.guard_peak = max(self.guard_peak, procs.private_kib(self.guard))
            self.descriptors = max(self.descriptors, procs.descriptors(pid).total())
            self.threads = max(self.threads, procs.threads(pid))
            now, found = time.monotonic(), procs.zombies(pid)
            self.zombies = {zombie: self.zombies.get(zombie, now) for zombie in found}
            for zombie, since in self.zombies.items():
                if now - since > ZOMBIE:
                    self.session.find('no zombie stays', f'pid {zombie[0]}', f'for {now - since:.0f} s')


class Soak:
    """The course of the test."""

    def __init__(self, options):
        self.options = options
        self.find = Findings()
        self.session = Session(options.pm, options.instances, options.seed, self.find, options.keep)
        self.random = random.Random(options.seed)
        self.until = 0.0
        self.points = []        # (private memory of pm, of the guard) at quiet points
        self.baseline = None
        self.chaos = [Chaos(self.session, random.Random(options.seed * 1000 + at), lambda: self.is_over())
                      for at in (1, 2)]

    def is_over(self):
        return time.monotonic() > self.until or not self.session.is_up()

    def run(self):
        began = time.monotonic()
        session = self.session
        up = lambda: (session.is_up() and os.path.getsize(session.journal) > 0, 'no instance speaks')
        if not session.wait_until('the session starts', up):
            return
        session.wait_until('the guard is there', lambda: (session.guard(), ''))
        self.guard = session.guard()
        self.watch = Watch(session)
        self.watch.guard = self.guard
        self.watch.start()
        all_began = lambda: ((names := session.status() or {}) and all(
            one['state'] not in ('waiting', 'starting') for one in names.values()), 'some wait for their start')
        session.wait_until('all instances start', all_began)
        end = began + self.options.seconds
        rounds = max(3, round(self.options.seconds / 60))
        for at in range(rounds):
            # The first is shorter: only its descriptors are needed, for all that follow.
            self.until = began + (at + (0.5 if at == 0 else 1)) * (end - began) / rounds
            self.riot()
            if not session.is_up():
                self.find('pm lives', 'pm', f'it ended with {session.process.returncode}')
                return
            self.quiet_point()
        self.growth()
        self.until = time.monotonic() + 2
        self.riot()
        self.finish(began)

    def riot(self):
        """Lets all loose until the time is over."""
        def one(chaos):
            while not self.is_over():
                chaos.step()
        threads = [threading.Thread(target=one, args=(chaos,)) for chaos in self.chaos]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.session.reader.flowing.set()

    def quiet_point(self):
        """Stops all instances; then pm must be as it was at the first quiet point."""
        session, pid = self.session, self.session.pid
        for chaos in self.chaos:
            chaos.let_go()
        session.write_files()
        session.command('reload', '--wait', '100')
        self.hears()
        self.agrees()
        session.command('stop', '*', '--wait', '100', codes=(0,))
        at_rest = ('stopped', 'done', 'failed')
        def rests():
            moving = [f'{name} is {one["state"]}' for name, one in (session.status() or {}).items()
                      if one['state'] not in at_rest]
            return not moving, ', '.join(moving)
        session.wait_until('`pm stop` stops all', rests)
        ours = {pid, self.guard}
        def nothing_runs():
            left = {other: env.get('PS') for other, env in procs.marked(session.mark).items()
                    if other not in ours and 'SOAK_STRAY' not in env}
            return not left, f'these run: {left}'
        session.wait_until('what is stopped has no process left', nothing_runs)
        strangers = lambda: [child for child in procs.children(pid) if child != self.guard and procs.stat(child)
                             and 'SOAK_STRAY' not in procs.environ(child)]
        session.wait_until('pm has no child but the guard and strays', lambda: (not strangers(), strangers()))
        self.same_as_before()
        before, wall = procs.cpu_seconds(pid), time.monotonic()
        time.sleep(2)
        used, wall = procs.cpu_seconds(pid) - before, time.monotonic() - wall
        if used > wall / 2:
            self.find('pm does nothing where nothing happens', 'pm', f'{used:.2f} s of CPU in {wall:.2f} s')
        self.points.append((procs.private_kib(pid), procs.private_kib(self.guard)))
        print(f'quiet point {len(self.points)}: private {self.points[-1]} KiB, '
              f'descriptors {procs.descriptors(pid).total()}, threads {procs.threads(pid)}, '
              f'lines {session.judge.numbered}, findings {len(self.find.all)}', flush=True)
        session.command('start', '*', limit=200)

    def same_as_before(self):
        """Holds descriptors and threads against the first quiet point."""
        pid = self.session.pid
        seen = lambda: (procs.descriptors(pid), procs.threads(pid), procs.descriptors(self.guard))
        if self.baseline is None:
            # Clients have just gone: the least of some looks is what pm needs.
            looks = []
            for _ in range(40):
                looks.append(seen())
                time.sleep(0.1)
            self.baseline = min(looks, key=lambda look: (look[0].total(), look[1]))
            return
        what = 'pm has the descriptors and threads of the first quiet point'
        self.session.wait_until(what, lambda: (seen() == self.baseline, f'{seen()}, not {self.baseline}'), 30)

    def hears(self):
        """pm passes SIGUSR1 on."""
        one = (self.session.status() or {}).get('ears.1', {})
        if one.get('state') not in ('up', 'ready') or (one['uptime'] or 0) < 3:
            return
        before = self.session.judge.ears
        self.session.process.send_signal(signal.SIGUSR1)
        self.session.wait_until('SIGUSR1 reaches the instances',
                                lambda: (self.session.judge.ears > before, 'ears.1 is silent'), 30)

    def agrees(self):
        """What status calls running must run. What is wrong in every one of some looks is wrong."""
        wrong = None
        for _ in range(20):
            looked = set()
            for name, one in (self.session.status() or {}).items():
                pid = one['pid']
                runs = pid and procs.stat(pid) and procs.environ(pid).get('PS') == name
                if one['state'] in ('up', 'ready') and not runs:
                    looked.add((name, pid))
            wrong = looked if wrong is None else wrong & looked
            if not wrong:
                return
            time.sleep(0.3)
        for name, pid in wrong:
            self.find('status tells what runs', name, f'running with pid {pid}, which is no process of it')

    def growth(self):
        """Looks for what leaks. In the first third of the points, what pm keeps for `pm logs` fills up."""
        for at, who in enumerate(GROWTH):
            memory = [point[at] for point in self.points]
            later = memory[len(memory) // 3:]
            rises = sum(after - before > GROWTH[who] for before, after in zip(later, later[1:]))
            if len(later) > 5 and rises > len(later) // 2:
                self.find('memory does not grow', who, f'at quiet points, in KiB: {memory}')
            if max(memory) > CEILING[who]:
                self.find('memory has a ceiling', who, f'at quiet points, in KiB: {memory}')

    def finish(self, began):
        """Ends the session, and looks at what is left of it."""
        session, pid = self.session, self.session.pid
        for chaos in self.chaos:
            chaos.let_go()
        restarts = sum(one['restarts'] for one in (session.status() or {}).values())
        cpu, peak = (procs.cpu_seconds(pid), procs.cpu_seconds(self.guard)), procs.peak_kib(pid)
        self.watch.over.set()
        way = self.random.choice([signal.SIGTERM, signal.SIGINT, signal.SIGHUP, None])
        if way is None:
            session.command('quit', '--wait', '60')
        else:
            session.process.send_signal(way)
        try:
            code = session.process.wait(timeout=90)
        except subprocess.TimeoutExpired:
            self.find('pm ends when it is told to', 'pm', f'not within 90 s of {way}')
            return
        if code != 0:
            self.find('the exit code is 0 where the stop was asked for', 'pm', f'{code} after {way}')
        # At once: pm ends after all that it started. What was killed may be on its way out.
        left = lambda: {other: env.get('PS') for other, env in procs.marked(session.mark).items()}
        session.wait_until('nothing is left of the session', lambda: (not left(), left()), 2)
        session.reader.join(30)
        if session.reader.is_alive():
            self.find('the output ends with pm', 'pm', 'its pipe is still open')
        rest = os.listdir(session.dir + '/run/pm')
        if rest:
            self.find('the runtime folder is left empty', 'pm', repr(rest))
        with open(session.dir + '/stderr', errors='replace') as file:
            if text := file.read():
                self.find('nothing is on standard error', 'pm', text[:500])
        for line in session.judge.system:
            if not line.startswith(('SIG', '`pm quit` received', 'waiting for ', 'peak memory: ', 'killed: ', 'killing ')):
                self.find('pm says for itself only what it should', 'system', line[:300])
        with open(session.journal) as file:
            runs, ended = session.judge.settle([line for line in file.read().splitlines()
                                                if not line.startswith('stray')])
        self.figures(began, runs, ended, restarts, cpu, peak)

    def figures(self, began, runs, ended, restarts, cpu, peak):
        judge, watch, options = self.session.judge, self.watch, self.options
        deeds = {word[5:]: n for word, n in self.session.commands.items() if word.startswith('deed ')}
        commands = sum(n for word, n in self.session.commands.items() if not word.startswith('deed '))
        rows = [
            ('instances', options.instances), ('duration', f'{time.monotonic() - began:.0f} s'),
            ('seed', options.seed), ('runs of instances', runs), ('of these ended by themselves', ended),
            ('restarts by policy', judge.notes['restart']), ('restarts in the last status', restarts),
            ('gave up', judge.notes['gave up']), ('killed after their timeout', judge.notes['killed']),
            ('commands to the session', commands), ('lines', judge.lines), ('numbered lines', judge.numbered),
            ('lines of grandchildren', judge.grand_lines), ('bytes', judge.bytes),
            ('pm: peak RSS', f'{peak} KiB'),
            ('pm: private at quiet points', f'{self.points[0][0]} to {max(p[0] for p in self.points)}, '
                                            f'last {self.points[-1][0]} KiB'),
            ('guard: peak private', f'{watch.guard_peak} KiB'),
            ('pm: descriptors', f'{self.baseline[0].total()} at quiet points, at most {watch.descriptors}'),
            ('pm: threads', f'{self.baseline[1]} at quiet points, at most {watch.threads}'),
            ('CPU', f'{cpu[0]:.1f} s pm, {cpu[1]:.2f} s guard'), ('findings', len(self.find.all))]
        width = max(len(name) for name, _ in rows)
        print('deeds:', ', '.join(f'{n} {word}' for word, n in sorted(deeds.items())))
        for name, value in rows:
            print(f'{name:{width}}  {value}')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = os.path.dirname(os.path.dirname(HERE))
    parser.add_argument('--pm', default=root + '/target/release/pm', help='the program (default: the release build)')
    parser.add_argument('--seconds', type=float, help='length (default: 1200; with --short 40)')
    parser.add_argument('--instances', type=int, help='how many (default: 200; with --short 40)')
    parser.add_argument('--seed', type=int, default=random.SystemRandom().randrange(1 << 31), help='of all chance')
    parser.add_argument('--short', action='store_true', help='40 instances for 40 s')
    parser.add_argument('--keep', action='store_true', help='leave the folder in /tmp')
    options = parser.parse_args()
    options.seconds = options.seconds or (40 if options.short else 1200)
    options.instances = options.instances or (40 if options.short else 200)
    options.pm = os.path.abspath(options.pm)
    print(f'soak: {options.instances} instances, {options.seconds:.0f} s, seed {options.seed}, {options.pm}', flush=True)
    # What was started is ended then, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    soak = Soak(options)
    try:
        soak.run()
    finally:
        soak.session.clean_up()
    found = soak.find.all
    for assertion, count in soak.find.seen.items():
        print(f'FOUND {count} times: {assertion}')
    print('soak: ' + (f'{len(found)} findings; again with --seed {options.seed}' if found else 'all is well'))
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
