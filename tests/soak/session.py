"""The session under test: its scratch application, its process, and the commands that are given to it."""
import collections
import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import uuid

import judge
import procs

HERE = os.path.dirname(os.path.abspath(__file__))
# Shares of all instances. `ext` is scaled, and so is not counted.
SHARES = dict(steady=32, burst=19, crash=17, family=9, partial=7, term=6, long=3, deaf=3, once=2, flap=1, hog=1)
COMMANDS = dict.fromkeys(SHARES, '{trap} exec {child} {kind}')
COMMANDS['deaf'] = "trap '' TERM INT; {trap} exec {child} steady"
COMMANDS['ext'] = '{trap} exec {child} burst'
COMMANDS['keys'] = 'stty -echo; exec cat >/dev/null'
COMMANDS['ears'] = "exec 2>/dev/null; trap 'echo \"#usr1\"' USR1; trap '' USR2; while :; do sleep 0.3; done"
TOML = '''[defaults]
exit-on = "all"
timeout = 3
max-restarts = 1000000
restart = "always"
[process.crash]
restart = "on-failure"
[process.flap]
restart = "on-failure"
max-restarts = 3
[process.once]
restart = "never"
[process.term]
pty = "always"
[process.keys]
pty = "always"
[process.deaf]
stop-timeout = 2
[process.hog]
memory = "48M"
'''


class Findings:
    """What was found wrong, each assertion and instance a few times only."""

    def __init__(self):
        self.all = []
        self.seen = collections.Counter()
        self.lock = threading.Lock()

    def __call__(self, assertion, who, detail):
        with self.lock:
            self.seen[assertion] += 1
            self.all.append((assertion, who, detail))
            if self.seen[assertion] <= 20:
                print(f'FOUND: {assertion}: {who}: {detail}', flush=True)


class Session:
    """A folder with a Procfile, and `pm start` in it."""

    def __init__(self, pm, instances, seed, find, keep):
        self.pm, self.find, self.keep = pm, find, keep
        self.mark = f'PM_SOAK={uuid.uuid4().hex}'
        self.dir = tempfile.mkdtemp(prefix='soak-', dir='/tmp')
        self.app, self.child = self.dir + '/app', self.dir + '/child'
        for folder in (self.app, self.dir + '/run', self.dir + '/runs'):
            os.mkdir(folder, 0o700)
        subprocess.run(['rustc', '--edition', '2024', '-O', '-o', self.child, HERE + '/child.rs'], check=True)
        total = sum(SHARES.values())
        self.counts = {kind: max(1, instances * share // total) for kind, share in SHARES.items()}
        self.counts.update(ears=1, keys=1)
        self.counts['steady'] += max(0, instances - sum(self.counts.values()))
        self.types = list(self.counts) + ['ext']
        self.generation = 0
        self.write_files()
        self.journal = self.dir + '/journal'
        open(self.journal, 'w').close()
        self.env = {key: value for key, value in os.environ.items() if not key.startswith(('PM_', 'SOAK_'))}
        self.env.update(XDG_RUNTIME_DIR=self.dir + '/run', SOAK_JOURNAL=self.journal, SOAK_SEED=str(seed),
                        SOAK_RUNS=self.dir + '/runs', SOAK_SHARE=str(max(1, instances // 32)), NO_COLOR='1')
        self.env.pop('PORT', None)
        self.clients = set()    # processes of ours that must end before a quiet point
        self.commands = collections.Counter()
        self.judge = judge.Judge(find)
        formation = ','.join(f'{kind}={count}' for kind, count in self.counts.items()) + ',ext=1'
        self.stderr = open(self.dir + '/stderr', 'wb')
        marked = dict(self.env, **dict([self.mark.split('=')]))
        # A group of its own, in this session: a SIGTSTP counts only where a shell could resume pm.
        self.process = subprocess.Popen([pm, 'start', '-m', formation], cwd=self.app, env=marked,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.stderr,
                                        process_group=0, bufsize=0x100000)
        self.pid = self.process.pid
        self.reader = judge.Reader(self.process.stdout, self.judge)
        self.reader.start()

    def write_files(self, extra='', broken=False):
        """Writes the application's files; `.env` has a generation that only `burst` is told about."""
        trap = "trap '' USR1 USR2;"
        lines = [f'{kind}: {COMMANDS[kind].format(trap=trap, child=self.child, kind=kind)}\n' for kind in self.types]
        if broken:
            lines.append('steady: exit 1\n')
        self.replace('Procfile', ''.join(lines) + extra)
        self.replace('pm.toml', TOML + f'[process.burst.env]\nSOAK_GENERATION = "{self.generation}"\n')

    def replace(self, name, text):
        """Writes a file whole: pm may read it at any time."""
        with open(f'{self.app}/{name}.new', 'w') as file:
            file.write(text)
        os.rename(f'{self.app}/{name}.new', f'{self.app}/{name}')

    def guard(self):
        """Returns the process id of the guard."""
        for child in procs.children(self.pid):
            if procs.read(f'/proc/{child}/comm').strip() == b'procfile-guard':
                return child
        return 0

    def is_up(self):
        return self.process.poll() is None

    def command(self, *words, codes=(0, 1), limit=120):
        """Runs a pm command. It must end, without a panic, with one of these codes."""
        self.commands[words[0]] += 1
        name = 'pm ' + ' '.join(words)
        try:
            done = subprocess.run([self.pm, *words], cwd=self.app, env=self.env, stdin=subprocess.DEVNULL,
                                  capture_output=True, timeout=limit)
        except subprocess.TimeoutExpired:
            self.find('a command comes back', name, f'not within {limit} s')
            return None
        error = done.stderr.decode('utf-8', 'replace')
        if done.returncode not in codes or 'panicked' in error or done.returncode and 'error: ' not in error:
            self.find('a command ends as it should', name, f'code {done.returncode}: {error[:500]!r}')
        return done

    def status(self):
        """Returns what `pm status --json` says, by name of instance."""
        done = self.command('status', '--json', codes=(0,))
        if done is None or done.returncode != 0:
            return None
        return {one['name']: one for one in json.loads(done.stdout)['instances']}

    def background(self, *words, read):
        """Starts a pm command whose output is read by nobody, or by a file."""
        self.commands[words[0]] += 1
        out = read if read else subprocess.PIPE
        process = subprocess.Popen([self.pm, *words], cwd=self.app, env=self.env, stdin=subprocess.DEVNULL,
                                   stdout=out, stderr=subprocess.DEVNULL)
        self.clients.add(process)
        return process

    def end_client(self, process):
        """Ends a command that was started in the background."""
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
        self.clients.discard(process)

    def connect(self):
        """Returns a connection to the session's socket, or None where it has no room."""
        found = glob.glob(self.dir + '/run/pm/*.sock')
        if len(found) != 1:
            self.find('the session has its socket', 'pm', repr(found))
            return None
        stream = socket.socket(socket.AF_UNIX)
        stream.settimeout(30)
        try:
            stream.connect(found[0])
        except OSError as error:
            stream.close()
            self.find('the session can be reached', 'pm', str(error))
            return None
        return stream

    def ask(self, **order):
        """Sends an order as a client would, and returns the first line of the answer."""
        stream = self.connect()
        if stream is None:
            return b''
        try:
            stream.sendall(json.dumps(dict(pm=1, **order)).encode() + b'\n')
            return stream.makefile('rb').readline()
        except OSError as error:
            self.find('an order is answered', 'pm', f'{order}: {error}')
            return b''
        finally:
            stream.close()

    def wait_until(self, assertion, is_so, limit=60, pause=0.1):
        """Waits for what must become so; a finding where it does not. is_so() returns (bool, detail)."""
        until = time.monotonic() + limit
        while True:
            so, detail = is_so()
            if so:
                return True
            if time.monotonic() > until:
                self.find(assertion, 'pm', f'not within {limit} s: {detail}')
                return False
            time.sleep(pause)

    def clean_up(self):
        """Ends what is left of a test that failed, by process id, and removes the folder."""
        for process in list(self.clients):
            self.end_client(process)
        if self.is_up():
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        for pid in procs.marked(self.mark):
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        self.stderr.close()
        if self.keep:
            print('kept:', self.dir)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)
