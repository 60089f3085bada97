"""What is done to the session: each method of Chaos is one deed, chosen by the seed."""
import os
import signal
import socket
import subprocess
import tempfile
import time

import procs

# How often each is done, to the others.
DEEDS = dict(scale=6, restart=6, restart_no_wait=3, stop_and_start=5, reload=2, reload_broken=1, forward=3,
             pause=1, kill_leader=5, pm_signal=2, garbage=4, hang=3, follow=2, deaf_follower=3, logs=2,
             attach=2, slow_reader=2, stalled_reader=1, status=4, side_session=2)


class Chaos:
    """Deeds for one session, from one source of chance."""

    def __init__(self, session, random, is_over):
        self.session, self.random, self.is_over = session, random, is_over
        self.connections = []

    def step(self):
        """Does one deed, and lets some time pass."""
        deed = self.random.choices(list(DEEDS), list(DEEDS.values()))[0]
        self.session.commands['deed ' + deed] += 1
        getattr(self, deed)()
        self.pause_for(self.random.uniform(0, 1.5))

    def pause_for(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.is_over():
            time.sleep(0.05)

    def some(self):
        """Returns a pattern of names."""
        kind = self.random.choice([kind for kind in self.session.counts if kind not in ('ears',)])
        one = f'{kind}.{self.random.randint(1, self.session.counts[kind])}'
        return self.random.choices([one, kind, kind[:2] + '*'], [6, 2, 1])[0]

    def scale(self):
        most = max(4, sum(self.session.counts.values()) // 8)
        self.session.command('scale', f'ext={self.random.randint(0, most)}', '--wait', '60')

    def restart(self):
        self.session.command('restart', self.some(), self.some(), '--wait', '60')

    def restart_no_wait(self):
        for _ in range(self.random.randint(1, 6)):
            self.session.command('restart', self.some(), '--no-wait')

    def stop_and_start(self):
        name = self.some()
        self.session.command('stop', name, '--wait', '60')
        self.pause_for(self.random.uniform(0, 1))
        self.session.ask(do='start', names=[name], wait=False)

    def reload(self):
        self.session.generation += 1
        extra = 'guest: exec sleep 1000\n' if self.random.random() < 0.5 else ''
        self.session.write_files(extra)
        self.session.command('reload', '--wait', '60')

    def reload_broken(self):
        before = self.session.generation
        self.session.write_files(broken=True)
        done = self.session.command('reload')
        self.session.write_files()
        if done is not None and done.returncode == 0 and before == self.session.generation:
            self.session.find('a broken Procfile is refused', 'pm reload', 'code 0')

    def forward(self):
        number = self.random.choice([signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH])
        self.session.process.send_signal(number)

    def pause(self):
        """Stops pm as Ctrl-Z does, and all with it; then both go on."""
        pid = self.session.pid
        self.session.process.send_signal(signal.SIGTSTP)
        state = lambda: (procs.stat(pid) or '?')[0]
        self.session.wait_until('SIGTSTP stops pm', lambda: (state() == 'T', state()))
        time.sleep(self.random.uniform(0, 1.5))
        self.session.process.send_signal(signal.SIGCONT)
        self.session.wait_until('SIGCONT resumes pm', lambda: (state() != 'T', state()))

    def kill_leader(self):
        """Kills some instances from outside."""
        found = [pid for pid, env in procs.marked(self.session.mark).items()
                 if env.get('PS') and procs.stat(pid) and procs.stat(pid)[2] == pid]
        for pid in self.random.sample(found, min(len(found), self.random.randint(1, 4))):
            try:
                os.kill(pid, self.random.choice([signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGINT]))
            except OSError:
                pass

    def pm_signal(self):
        self.session.command('signal', self.random.choice(['USR1', 'HUP', 'KILL', 'WINCH']), self.some())

    def garbage(self):
        stream = self.session.connect()
        if stream is None:
            return
        junk = self.random.choice([
            self.random.randbytes(self.random.randint(0, 3000)),
            b'{"pm":1,"do":"dance"}\n', b'{"pm":9,"do":"status"}\n', b'{"pm":1,"do":"stop","names":[""],"wait":true}\n',
            b'{"pm":1,"do":"scale","counts":[["nobody",3]],"wait":true}\n', b'x' * 300_000, b'[' * 60_000 + b'\n',
            b'{"pm":1,"do":"signal","names":["steady"],"signal":99999}\n', b'{"pm":1,"do":"status"}\n' * 50])
        try:
            stream.sendall(junk)
            if self.random.random() < 0.7:
                stream.shutdown(socket.SHUT_WR)
                while stream.recv(65536):
                    pass
        except OSError:
            pass
        stream.close()

    def hang(self):
        """Connects and says nothing, half a request, or a request whose answer is not read."""
        if len(self.connections) > 12:
            self.connections.pop(0).close()
        stream = self.session.connect()
        if stream is None:
            return
        try:
            stream.sendall(self.random.choice([
                b'', b'{"pm":1,', b'{"pm":1,"do":"status"}\n', b'{"pm":1,"do":"restart","names":["burst"],"wait":true}\n',
                b'{"pm":1,"do":"logs","names":[],"lines":2000,"follow":true}\n',
                b'{"pm":1,"do":"attach","name":"term.1","rows":20,"columns":70}\n']))
        except OSError:
            pass
        self.connections.append(stream)

    def follow(self):
        """A follower that reads what comes, and goes without a word."""
        with open(os.devnull, 'wb') as nowhere:
            process = self.session.background('logs', '-f', read=nowhere)
        self.pause_for(self.random.uniform(0.5, 5))
        self.session.end_client(process)

    def deaf_follower(self):
        """A follower that is not read."""
        idle = [process for process in self.session.clients]
        if len(idle) > 6:
            self.session.end_client(self.random.choice(idle))
        self.session.background('logs', '-f', *self.random.choice([(), ('burst',), ('long',)]), read=None)

    def logs(self):
        self.session.command('logs', '-n', str(self.random.choice([1, 50, 2000])), self.some())

    def attach(self):
        """Types on a terminal that does not echo, or changes a size, and goes."""
        stream = self.session.connect()
        if stream is None:
            return
        name = self.random.choice(['keys.1', f'term.{self.random.randint(1, self.session.counts["term"])}'])
        order = f'{{"pm":1,"do":"attach","name":"{name}","rows":30,"columns":90}}\n'
        try:
            stream.sendall(order.encode())
            if b'attached' in stream.recv(4096):
                stream.sendall(b'\1\0\4\0\x28\0\x64' + (b'\0\0\3ls\n' if name == 'keys.1' else b''))
                self.pause_for(self.random.uniform(0, 1))
            if self.random.random() < 0.3:
                stream.sendall(b'\xff' + self.random.randbytes(50))
        except OSError:
            pass
        stream.close()

    def slow_reader(self):
        reader = self.session.reader
        reader.step, reader.delay = 2000, 0.02
        self.pause_for(self.random.uniform(1, 5))
        reader.step, reader.delay = 1 << 18, 0

    def stalled_reader(self):
        """Nobody reads pm's output for a while; it is commanded all the same."""
        self.session.reader.flowing.clear()
        until = time.monotonic() + self.random.uniform(1, 6)
        while time.monotonic() < until and not self.is_over():
            self.status()
            self.session.command('restart', self.some(), '--no-wait')
        self.session.reader.flowing.set()

    def status(self):
        self.session.status()

    def side_session(self):
        """A small session beside it, with an end that is known."""
        code, procfile, words, number = self.random.choice([
            (7, 'a: exit 7\nb: exec sleep 1000\n', ['--restart', 'never', '--exit-on', 'first'], None),
            (139, 'a: kill -SEGV $$\nb: exec sleep 1000\n', ['--restart', 'never'], None),
            (0, 'a: echo x\nb: true\n', [], None),
            (3, 'a: exit 3\nb: exit 0\n', ['--restart', 'never', '--exit-on', 'all'], None),
            (0, 'a: exec sleep 1000\nb: trap "" TERM; sleep 1000\n', ['-t', '1'], signal.SIGTERM),
            (0, 'a: exec sleep 1000\nb: setsid -f sleep 1000; exec sleep 1000\n', [], signal.SIGINT),
            (-9, 'a: exec sleep 1000\nb: trap "" TERM; sleep 1000\nc: setsid -f sleep 1000; exec sleep 1000\n',
             [], signal.SIGKILL)])
        mark = f'PM_SOAK_SIDE={self.random.getrandbits(64)}'
        env = dict(self.session.env, **dict([mark.split('=')]))
        env = {key: value for key, value in env.items() if not key.startswith('SOAK_')}
        find, name = self.session.find, f'side session {procfile!r} {words}'
        with tempfile.TemporaryDirectory(prefix='side-', dir=self.session.dir) as folder:
            with open(folder + '/Procfile', 'w') as file:
                file.write(procfile)
            process = subprocess.Popen([self.session.pm, 'start', *words], cwd=folder, stdin=subprocess.DEVNULL,
                                       env=dict(env, XDG_RUNTIME_DIR=folder), stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT)
            if number:
                # All have their processes, and every shell has come to its last command.
                words = procfile.count('sleep')
                asleep = lambda: sum(procs.read(f'/proc/{pid}/comm') == b'sleep\n' for pid in procs.marked(mark))
                self.session.wait_until('a side session starts', lambda: (asleep() == words, f'{name}: {asleep()}'))
                process.send_signal(number)
            try:
                out, _ = process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                find('a side session ends', name, 'not within 60 s')
                process.kill()
                out, _ = process.communicate()
            if process.returncode != code:
                find('a session ends with the code that docs/exit-codes.md says', name, f'{process.returncode}, not {code}: {out!r}')
            left = lambda: procs.marked(mark)
            # The guard takes its time where pm was killed.
            self.session.wait_until('nothing is left of a session', lambda: (not left(), f'{name}: {left()}'), 30)

    def let_go(self):
        """Closes every connection, and ends every client."""
        for stream in self.connections:
            stream.close()
        self.connections.clear()
        for process in list(self.session.clients):
            self.session.end_client(process)


