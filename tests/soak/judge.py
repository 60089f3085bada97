"""Reads pm's output and holds every line against what the children wrote: none lost, doubled, torn or
misplaced. Knows the format of child.rs and pm's notes, and nothing of processes."""
import collections
import re
import threading
import time
import zlib

# What pm's own lines begin with: a word of it, and something that failed.
MARKS = '-- ', '!! '
NOTE = re.compile(
    r'(started with pid \d+$|(exited with code \d+|terminated by \S+|did not end|could not be started)'
    r'(; (restart \d+( of \d+)? in|restarting|crashed|not started again).*)?$'
    r'|did not stop within .* killing it$|its last lines:$|could not be killed, since |uses .*, over its budget of |cannot start: )')
END = re.compile(r'(exited with code (\d+)|terminated by SIG(\w+)|did not end|could not be started)')
# What pm itself sends to stop a run; it may come between a child's last entry in the journal and its end.
STOPS = {'terminated by SIGTERM', 'terminated by SIGKILL'}


def checked(record):
    """Returns (kind, instance, run, sequence) of a whole record, or None."""
    if record[-1:] != b'~' or record[:1] not in (b'@', b'%', b'&'):
        return None
    parts = record[:-1].split(b' ', 4)
    if len(parts) != 5:
        return None
    head = b' '.join(parts[:3]) + b' '
    try:
        if zlib.crc32(parts[4], zlib.crc32(head)) != int(parts[3], 16):
            return None
        return chr(record[0]), parts[0][1:].decode(), int(parts[1]), int(parts[2])
    except ValueError:
        return None


def without_mark(text):
    """Returns what pm says in a line of its own, or None where the line is none."""
    return text[len(MARKS[0]):] if text.startswith(MARKS) else None


class Instance:
    """What has come of one instance."""

    def __init__(self):
        self.run = None         # the run that is open, once a line of it has come
        self.next = 0           # its next line
        self.fragment = b''     # a piece of a line that goes on
        self.last_run = 0


class Judge:
    """Takes the bytes of pm's standard output."""

    def __init__(self, find):
        self.find = find        # find(assertion, who, detail): a finding
        self.rest = b''
        self.instances = collections.defaultdict(Instance)
        self.runs = {}          # (instance, run): [lines, how it ended, a piece that was left]
        self.system = []        # what pm said for itself
        self.lines = self.bytes = self.grand_lines = self.numbered = 0
        self.notes = collections.Counter()
        self.ears = 0
        self.lock = threading.Lock()

    def feed(self, data):
        """Takes what was read."""
        with self.lock:
            self.bytes += len(data)
            pieces = (self.rest + data).split(b'\n') if b'\n' in data else [self.rest + data]
            self.rest = pieces.pop()
            for line in pieces:
                self.lines += 1
                self.line(line)

    def line(self, line):
        """Takes a line of pm's: `HH:MM:SS web.1  | text`."""
        name, bar, text = line[9:].partition(b'| ')
        if not bar and line[9:].endswith(b' |'):
            name, bar, text = line[9:-1], b'|', b''
        if not bar or line[2:3] != b':':
            self.find('every line has a time and a name', 'pm', repr(line[:200]))
            return
        name = name.strip().decode('utf-8', 'replace')
        if name == 'system':
            self.system.append(without_mark(text.decode('utf-8', 'replace')) or f'without a mark: {text!r}')
        elif name != 'keys.1':  # a terminal echoes what is typed on it
            self.spoken(name, text)

    def spoken(self, name, text):
        it = self.instances[name]
        whole = it.fragment + text
        record = checked(whole)
        if record:
            it.fragment = b''
            self.record(name, it, record)
        elif text == b'#usr1':
            self.ears += 1
        elif text[:5] == b'-- | ':
            # One of the last lines of a run that crashed, shown once more.
            self.notes['repeated'] += 1
        elif self.is_note(name, it, text):
            pass
        elif it.fragment or text[:1] == b'%':
            # A long line, or one with a silence in it, may come in pieces.
            it.fragment = whole
        elif text:
            self.find('no line is torn', name, f'run {it.run} after line {it.next - 1}: {text[:120]!r}')

    def is_note(self, name, it, text):
        if len(text) > 300:
            return False
        note = without_mark(text.decode('utf-8', 'replace'))
        if not note or not NOTE.match(note):
            return False
        end = END.match(note)
        if note.startswith('started with pid'):
            self.notes['started'] += 1
            if it.run is not None:
                self.find('a run is told as ended before the next starts', name, f'run {it.run}: {note}')
            it.fragment = b''
        elif end:
            kind = 'asked' if '; restarting, as requested' in note else \
                'restart' if '; restart ' in note else \
                'gave up' if 'not started again' in note else 'over'
            self.notes[kind] += 1
            if it.run is not None:
                self.runs[name, it.run] = [it.next, end.group(1), it.fragment]
            it.run, it.fragment = None, b''
        else:
            self.notes['killed' if note.startswith('did not stop') else 'other'] += 1
        return True

    def record(self, name, it, record):
        kind, owner, run, sequence = record
        if owner != name:
            self.find('no line is misplaced', name, f'it has line {sequence} of run {run} of {owner}')
            return
        if kind == '&':
            self.grand_lines += 1
            if it.run != run:
                self.find('a grandchild speaks in its own run', name,
                          f'run {run}, line {sequence}, in run {it.run} (last {it.last_run})')
            return
        self.numbered += 1
        if it.run is None:
            if run <= it.last_run:
                self.find('no line comes after the end of its run', name, f'run {run}, line {sequence}')
                return
            it.run, it.next, it.last_run = run, 0, run
        if run != it.run:
            self.find('a run is told as ended before the next speaks', name,
                      f'run {run}, line {sequence}, in run {it.run}')
            it.run, it.next, it.last_run = run, 0, run
        if sequence != it.next:
            what = 'lost' if sequence > it.next else 'doubled'
            self.find(f'no line is {what}', name, f'run {run}: line {sequence} where {it.next} was next')
        it.next = sequence + 1

    def settle(self, journal):
        """Holds what came against the children's journal, when all of it has come. Returns counts."""
        begun, ended = set(), 0
        if self.rest:
            self.find('the output ends with a line feed', 'pm', repr(self.rest[-120:]))
        for name, it in self.instances.items():
            if it.run is not None:
                self.find('the end of every run is told', name, f'run {it.run}, {it.next} lines')
                self.runs[name, it.run] = [it.next, 'nothing', it.fragment]
        for entry in journal:
            what, name, run, *more = entry.split(' ')
            run = int(run)
            if what == 'start':
                begun.add((name, run))
                if (name, run) not in self.runs:
                    self.find('every run is in the output', name, f'run {run}: nothing of it came')
            elif what == 'double':
                self.find('an instance runs once at a time', name, f'run {run} while {more[0]} ran')
            elif what == 'end' and (name, run) in self.runs:
                ended += 1
                lines, how, fragment = self.runs[name, run]
                if lines != int(more[0]):
                    self.find('no line is lost', name,
                              f'run {run} wrote {more[0]} lines and ended by itself; {lines} came')
                if fragment:
                    self.find('no line is torn', name, f'run {run} left the piece {fragment[:120]!r}')
                expected = f'exited with code {more[2]}' if more[1] == 'code' else f'terminated by SIG{more[2]}'
                if how != expected and how not in STOPS:
                    self.find('an end is told as it was', name, f'run {run}: {how!r}, but it {expected}')
        return len(begun), ended


class Reader(threading.Thread):
    """Reads pm's standard output, and can be slow."""

    def __init__(self, stream, judge):
        super().__init__(daemon=True, name='reader')
        self.stream, self.judge = stream, judge
        self.flowing = threading.Event()
        self.flowing.set()
        self.step = 1 << 18
        self.delay = 0.0

    def run(self):
        while True:
            self.flowing.wait()
            data = self.stream.read1(self.step)
            if not data:
                return
            self.judge.feed(data)
            if self.delay:
                time.sleep(self.delay)
