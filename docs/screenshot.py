#!/usr/bin/env python3
"""screenshot.py PM OUT.svg: makes the picture of README.md from a real run.

Runs examples/node-cluster in a copy, in a terminal of its own, kills its worker, asks `pm ps` from a second
terminal, stops the session, and draws what both terminals showed. Needs node and redis-server, and the ports
5000, 5001, 5100 and 6390. Fails where a line that the picture is for does not come within 20 s.
"""
import fcntl
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import urllib.request
from html import escape

START = "pm start web=2 worker redis -q redis"
COLUMNS, ROWS, LIMIT = 92, 40, 20
CELL, LINE, SIZE, PAD, BAR = 8.4, 19, 14, 16, 30
FRAME, TEXT, MUTED = "#0d1117", "#e6edf3", "#7d8590"
# The sixteen colours of a terminal: normal, then bright.
PALETTE = ("#484f58 #ff7b72 #3fb950 #d29922 #58a6ff #bc8cff #39c5cf #b1bac4 "
           "#6e7681 #ffa198 #56d364 #e3b341 #79c0ff #d2a8ff #56d4dd #ffffff").split()
# Plain blanks in a row are drawn as one.
NBSP = "\u00a0"
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"


class Terminal:
    """A program in a pseudo-terminal, and the bytes that it has written."""

    def __init__(self, argv, folder, env):
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(argv[0], argv, env)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        # As after `stty -echo`: no `^C` in the middle of the log.
        look = termios.tcgetattr(self.master)
        look[3] &= ~termios.ECHO
        termios.tcsetattr(self.master, termios.TCSANOW, look)
        self.seen = b""

    def read(self, seconds):
        """Reads what comes within the time; returns whether more may come."""
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:
            data = b""
        self.seen += data
        return bool(data)

    def wait_for(self, text, times=1):
        until = time.monotonic() + LIMIT
        while self.seen.count(text.encode()) < times:
            if time.monotonic() > until or not self.read(0.2):
                sys.exit(f"no {text!r} in:\n{self.seen.decode(errors='replace')}")

    def end(self):
        """Reads to the end, and returns the exit status."""
        while self.read(LIMIT):
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def run(pm):
    """Returns what the two terminals showed."""
    example = pathlib.Path(__file__).resolve().parent.parent / "examples/node-cluster"
    with tempfile.TemporaryDirectory(prefix="shop-") as scratch:
        folder = pathlib.Path(scratch) / "shop"
        shutil.copytree(example, folder, ignore=shutil.ignore_patterns("node_modules"))
        os.chmod(scratch, 0o700)
        env = {"PATH": os.environ["PATH"], "HOME": scratch, "TERM": "xterm-256color", "LANG": "C.UTF-8", "PM_NO_STATUS": "1",
               "XDG_RUNTIME_DIR": scratch, "TZ": "UTC"}
        session = Terminal([pm, *START.split()[1:]], folder, env)
        try:
            session.wait_for("web.1 listening on port")
            session.wait_for("web.2 listening on port")
            session.wait_for("waiting for jobs")
            job(b"hello")
            session.wait_for("job 1 done")
            os.kill(program("worker.js", folder), signal.SIGKILL)
            session.wait_for("waiting for jobs", 2)
            job(b"again")
            session.wait_for("job 2 done")
            ps = Terminal([pm, "ps"], folder, env)
            if ps.end() != 0:
                sys.exit("pm ps failed")
            os.write(session.master, b"\x03")
            if session.end() != 0:
                sys.exit("pm start did not end with 0")
        except SystemExit:
            os.kill(session.pid, signal.SIGTERM)
            raise
        return session.seen, ps.seen


def program(word, folder):
    """Returns the pid of the program in this folder that has the word as an argument."""
    for proc in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if word.encode() in (proc / "cmdline").read_bytes().split(b"\0") and (proc / "cwd").samefile(folder):
                return int(proc.name)
        except OSError:
            continue
    sys.exit(f"no {word} runs")


def job(text):
    """Gives the application a job."""
    urllib.request.urlopen("http://127.0.0.1:5000/jobs", text, timeout=LIMIT).close()


def pieces(line):
    """Yields (column, colour, text) of one line; a terminal's colours are all that pm uses."""
    column, colour = 0, TEXT
    for text, codes in re.findall(r"([^\x1b]+)|\x1b\[([0-9;]*)m", line):
        for code in (int(code or 0) for code in codes.split(";")) if not text else ():
            if code in (0, 39):
                colour = TEXT
            elif code == 2:
                colour = MUTED
            elif 30 <= code <= 37:
                colour = PALETTE[code - 30]
            elif 90 <= code <= 97:
                colour = PALETTE[code - 82]
        if text:
            yield column, colour, text
            column += len(text)
    if column > COLUMNS:
        sys.exit(f"wider than {COLUMNS} columns: {line!r}")


def lines_of(command, seen):
    """Returns the lines of a terminal, after a prompt with the command."""
    text = seen.decode().replace("\r\n", "\n").rstrip("\n")
    prompt = f"\x1b[92m$\x1b[0m \x1b[97m{command}\x1b[0m"
    return [prompt, *text.split("\n")]


def window(top, title, lines):
    """Returns the drawing of one terminal, and where it ends."""
    height = BAR + PAD + len(lines) * LINE
    width = COLUMNS * CELL + 2 * PAD
    out = [f'<rect x="1" y="{top}" width="{width:.0f}" height="{height}" rx="8" fill="{FRAME}" stroke="#30363d"/>']
    for index, dot in enumerate(("#ff5f57", "#febc2e", "#28c840")):
        out.append(f'<circle cx="{20 + 18 * index}" cy="{top + 16}" r="5" fill="{dot}"/>')
    out.append(f'<text x="{width / 2:.0f}" y="{top + 21}" fill="{MUTED}" text-anchor="middle">{escape(title)}</text>')
    for row, line in enumerate(lines):
        y = top + BAR + PAD + row * LINE
        for column, colour, text in pieces(line):
            # With textLength the columns line up in whatever font the reader has.
            out.append(f'<text x="{PAD + column * CELL:.1f}" y="{y}" fill="{colour}" '
                       f'textLength="{len(text) * CELL:.1f}">{escape(text).replace(" ", NBSP)}</text>')
    return out, top + height


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    pm, target = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2])
    session, ps = run(pm)
    drawn, end = window(1, "shop", lines_of(START, session))
    below, end = window(end + 12, "shop: another terminal, before the Ctrl-C", lines_of("pm ps", ps))
    width = COLUMNS * CELL + 2 * PAD + 2
    picture = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {end + 1}" width="{width:.0f}" '
               f'height="{end + 1}" font-family="{FONTS}" font-size="{SIZE}">',
               "<title>pm start runs two web instances and a worker, restarts the worker, and ends at Ctrl-C</title>",
               *drawn, *below, "</svg>"]
    target.write_text("\n".join(picture) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
