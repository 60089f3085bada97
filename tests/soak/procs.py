"""What /proc says: who carries the soak's marker, descriptors, memory, CPU time. Knows nothing of pm."""
import collections
import os


def read(path):
    """Returns the bytes of a file of /proc; empty where the process is gone."""
    try:
        with open(path, 'rb') as file:
            return file.read()
    except OSError:
        return b''


def stat(pid):
    """Returns (state, parent, group, ticks of CPU, start time) of a process, or None."""
    text = read(f'/proc/{pid}/stat').decode('utf-8', 'replace')
    if not text:
        return None
    fields = text[text.rindex(')') + 2:].split()
    return fields[0], int(fields[1]), int(fields[2]), int(fields[11]) + int(fields[12]), int(fields[19])


def environ(pid):
    """Returns the environment that a process began with."""
    pairs = read(f'/proc/{pid}/environ').split(b'\0')
    return dict(pair.decode('utf-8', 'replace').split('=', 1) for pair in pairs if b'=' in pair)


def pids():
    """Returns all process ids."""
    return [int(name) for name in os.listdir('/proc') if name.isdigit()]


def marked(marker):
    """Returns {pid: environment} of the living processes whose environment has this variable.

    A zombie has none any more, so it is not among them."""
    wanted = marker.encode()
    found = {}
    for pid in pids():
        if wanted in read(f'/proc/{pid}/environ').split(b'\0'):
            found[pid] = environ(pid)
    return found


def children(pid):
    """Returns the children of all threads of a process."""
    found = []
    try:
        threads = os.listdir(f'/proc/{pid}/task')
    except OSError:
        return found
    for thread in threads:
        found += [int(child) for child in read(f'/proc/{pid}/task/{thread}/children').split()]
    return found


def zombies(pid):
    """Returns {(pid, start time)} of the children that have ended and are not reaped."""
    found = set()
    for child in children(pid):
        about = stat(child)
        if about and about[0] == 'Z':
            found.add((child, about[4]))
    return found


def descriptors(pid):
    """Returns the open descriptors of a process by kind: `pipe`, `socket`, or the path."""
    kinds = collections.Counter()
    try:
        numbers = os.listdir(f'/proc/{pid}/fd')
    except OSError:
        return kinds
    for number in numbers:
        try:
            target = os.readlink(f'/proc/{pid}/fd/{number}')
        except OSError:
            continue
        if target.startswith(('pipe:', 'socket:')):
            target = target.split(':')[0]
        kinds[target] += 1
    return kinds


def threads(pid):
    """Returns the number of threads of a process."""
    try:
        return len(os.listdir(f'/proc/{pid}/task'))
    except OSError:
        return 0


def field_kib(path, *names):
    """Returns the sum of these fields of a file with lines such as `Rss:  12 kB`."""
    total = 0
    for line in read(path).decode().splitlines():
        if line.split(':')[0] in names:
            total += int(line.split()[1])
    return total


def private_kib(pid):
    """Returns the memory that a process shares with nobody, in KiB."""
    return field_kib(f'/proc/{pid}/smaps_rollup', 'Private_Clean', 'Private_Dirty')


def peak_kib(pid):
    """Returns the highest resident memory of a process so far, in KiB."""
    return field_kib(f'/proc/{pid}/status', 'VmHWM')


def cpu_seconds(pid):
    """Returns user and system time of a process, without its children."""
    about = stat(pid)
    return about[3] / os.sysconf('SC_CLK_TCK') if about else 0.0
