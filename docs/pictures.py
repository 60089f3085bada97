#!/usr/bin/env python3
"""pictures.py PM FOLDER: makes the pictures of docs/terminal.md from a real run: line.svg, ui.svg and top.svg.

Runs an application of its own for half a minute in a terminal, opens `pm ui` and `pm top` in others, and draws what
a terminal emulator shows of them. Needs pyte (pip install pyte). Fails where something does not come within 20 s.
"""
import fcntl
import os
import pathlib
import pty
import re
import signal
import struct
import sys
import tempfile
import termios
import threading
import time
from html import escape

import pyte

from screenshot import BAR, CELL, FONTS, FRAME, LINE, MUTED, NBSP, PAD, PALETTE, SIZE, TEXT

LIMIT = 20
NAMES = "black red green brown blue magenta cyan white".split()
# The emulator knows no faint text: it is drawn in the grey of a terminal.
FAINT = re.compile(rb"\x1b\[((?:\d+;)*)2((?:;\d+)*)m")
APP = r'''
import os, random, sys, time
kind, name = sys.argv[1], os.environ["PS"]
random.seed(name)
kept = bytearray(b"x" * (9_000_000 if kind == "web" else 3_000_000))
print(f"listening on {os.environ['PORT']}" if kind == "web" else "waiting for jobs", flush=True)
if kind == "css":
    print("reading main.scss\n\x1b[31merror\x1b[0m: main.scss:41: undefined variable `$gap`", flush=True)
    sys.exit(3)
for at in range(1, 10**6):
    end = time.monotonic() + random.choice((0.02, 0.05, 0.1, 0.3))
    while time.monotonic() < end: pass
    kept += b"x" * (400_000 if kind == "web" else random.choice((-900_000, 900_000)) if len(kept) > 4_000_000 else 900_000)
    if kind == "web":
        path = random.choice(("/", "/items", f"/items/{at}", "/cart", "/login"))
        code = random.choice(("\x1b[32m200\x1b[0m",) * 6 + ("\x1b[33m404\x1b[0m",))
        print(f"GET {path} {code} in {random.randrange(3, 60)} ms", flush=True)
    else:
        print(f"job {at} done in {random.randrange(80, 900)} ms", flush=True)
    time.sleep(random.uniform(0.2, 0.8))
'''
PROCFILE = "web: exec python3 -S app.py web\nworker: exec python3 -S app.py worker\ncss: exec python3 -S app.py css\n"
SETTINGS = "[process.web]\nready = \"log:listening\"\nmemory = \"64M\"\n[process.css]\nrestart = \"never\"\n"


class Picture:
    """A program on a terminal, and the screen that it shows."""

    def __init__(self, argv, folder, env, size):
        self.columns, self.rows = size
        self.screen = pyte.Screen(*size)
        self.stream, self.lock = pyte.ByteStream(self.screen), threading.Lock()
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", self.rows, self.columns, 0, 0))
            os.chdir(folder)
            os.execve(argv[0], argv, env)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while True:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            with self.lock:
                self.stream.feed(FAINT.sub(lambda found: b"\x1b[" + found[1] + b"90" + found[2] + b"m", data))

    def wait_for(self, pattern):
        until = time.monotonic() + LIMIT
        while not re.search(pattern, "\n".join(self.screen.display)):
            if time.monotonic() > until:
                sys.exit(f"no {pattern!r} in:\n" + "\n".join(self.screen.display))
            time.sleep(0.05)

    def type(self, keys):
        for key in keys:
            os.write(self.master, key.encode())
            time.sleep(0.3)

    def end(self, keys):
        self.type(keys)
        os.waitpid(self.pid, 0)

    def draw(self, target, title, what, when=""):
        """Writes the screen as soon as it shows this, without empty rows at its end."""
        self.wait_for(when)
        with self.lock:
            while not re.search(when, "\n".join(self.screen.display)):
                self.lock.release()
                time.sleep(0.01)
                self.lock.acquire()
            rows = [[self.screen.buffer[y][x] for x in range(self.columns)] for y in range(self.rows)]
        while rows and not any(cell.data.strip() or cell.reverse for cell in rows[-1]):
            rows.pop()
        width, height = self.columns * CELL + 2 * PAD, BAR + 2 * PAD + len(rows) * LINE - 8
        out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width + 2:.0f} {height + 2}" width="{width + 2:.0f}" '
               f'height="{height + 2}" font-family="{FONTS}" font-size="{SIZE}">', f"<title>{escape(what)}</title>",
               f'<rect x="1" y="1" width="{width:.0f}" height="{height}" rx="8" fill="{FRAME}" stroke="#30363d"/>']
        for index, dot in enumerate(("#ff5f57", "#febc2e", "#28c840")):
            out.append(f'<circle cx="{20 + 18 * index}" cy="17" r="5" fill="{dot}"/>')
        out.append(f'<text x="{width / 2:.0f}" y="22" fill="{MUTED}" text-anchor="middle">{escape(title)}</text>')
        for number, row in enumerate(rows):
            y = 1 + BAR + PAD + number * LINE
            for x, length, text, fore, back, bold in runs(row):
                left = f"{PAD + x * CELL:.1f}"
                if back:
                    out.append(f'<rect x="{left}" y="{y - 14}" width="{length * CELL:.1f}" height="{LINE}" fill="{back}"/>')
                if text.strip():
                    weight = ' font-weight="bold"' if bold else ""
                    out.append(f'<text x="{left}" y="{y}" fill="{fore}"{weight} textLength="{length * CELL:.1f}">'
                               f'{escape(text).replace(" ", NBSP)}</text>')
        target.write_text("\n".join([*out, "</svg>"]) + "\n", encoding="utf-8")


def colour(name, usual):
    if name == "default":
        return usual
    if name.startswith("bright"):
        return PALETTE[8 + NAMES.index(name.removeprefix("bright"))]
    return PALETTE[NAMES.index(name)] if name in NAMES else f"#{name}"


def runs(row):
    """Yields (column, columns, text, colour, background, bold) of cells that look the same."""
    def look(cell):
        fore, back = colour(cell.fg, TEXT), colour(cell.bg, None)
        return (FRAME, fore, cell.bold) if cell.reverse else (fore, back, cell.bold)
    begin = 0
    for x in range(1, len(row) + 1):
        if x == len(row) or look(row[x]) != look(row[begin]):
            text = "".join(cell.data for cell in row[begin:x])
            fore, back, bold = look(row[begin])
            # Blanks around a text are nothing to draw, and not every viewer keeps them.
            first = 0 if back else len(text) - len(text.lstrip())
            length = len(text) if back else len(text.strip())
            yield begin + first, length, text[first:first + length], fore, back, bold
            begin = x


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    pm, target = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2])
    with tempfile.TemporaryDirectory(prefix="shop-") as scratch:
        folder = pathlib.Path(scratch) / "shop"
        folder.mkdir()
        for name, text in (("app.py", APP), ("Procfile", PROCFILE), ("pm.toml", SETTINGS)):
            (folder / name).write_text(text)
        env = {"PATH": os.environ["PATH"], "HOME": scratch, "TERM": "xterm-256color", "LANG": "C.UTF-8",
               "XDG_RUNTIME_DIR": scratch, "TZ": "UTC"}
        session = Picture([pm, "start", "web=3", "worker=2", "css"], folder, env, (92, 18))
        try:
            session.wait_for(r"css FAILED")
            ui = Picture([pm, "ui"], folder, env, (136, 26))
            ui.wait_for(r"worker\.2")
            top = Picture([pm, "top"], folder, env, (92, 12))
            top.wait_for(r"worker\.2")
            time.sleep(25)
            session.draw(target / "line.svg", "pm start", "pm start with its line below the output: css has failed",
                         r"(?m)^web 3/3 .*\? keys")
            top.draw(target / "top.svg", "pm top", "pm top: each instance with CPU, memory, budget and its last minute")
            top.end("q")
            ui.type("/404\r")
            ui.draw(target / "ui.svg", "pm ui", "pm ui: the instances at the left, their output at the right")
            ui.end("q")
        finally:
            os.kill(session.pid, signal.SIGTERM)
            os.waitpid(session.pid, 0)


if __name__ == "__main__":
    main()
