#!/usr/bin/env python3
"""The weight of the release program: `.ci/weight.py target/release/pm` fails where it is larger than 10.5 MiB, or
where it loads a shared library that it can do without. It says what `pm --version` costs beside /bin/true
(median of runs in turns; the goal is twice as much); a timing fails nothing."""

import os
import statistics
import subprocess
import sys
import time

LIMIT_BYTES = 21 << 19
ROUNDS = 1000
LIBRARIES = ("linux-vdso.", "libc.", "libm.", "libgcc_s.", "ld-linux")


def run(words):
    """Returns the CPU time and the wall time of a program, in microseconds."""
    actions = [(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]
    began = time.perf_counter()
    pid = os.posix_spawn(words[0], words, os.environ, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - began
    if status != 0:
        sys.exit(f"weight: {' '.join(words)} failed")
    return (usage.ru_utime + usage.ru_stime) * 1e6, wall * 1e6


def medians(words_of):
    """Runs the programs in turns, so that a busy moment meets all of them."""
    seen = [[] for _ in words_of]
    for _ in range(ROUNDS):
        for words, times in zip(words_of, seen):
            times.append(run(words))
    return [[statistics.median(column) for column in zip(*times)] for times in seen]


def main():
    pm = os.path.realpath(sys.argv[1])
    size = os.stat(pm).st_size
    loaded = subprocess.run(["ldd", pm], capture_output=True, text=True, check=True).stdout.split("\n")
    names = [os.path.basename(line.split()[0]) for line in loaded if line.strip() not in ("", "statically linked")]
    others = [name for name in names if not name.startswith(LIBRARIES)]
    true, version = medians([["/bin/true"], [pm, "--version"]])
    ratio = version[0] / true[0]
    print(f"size {size} bytes of {LIMIT_BYTES}")
    print(f"pm --version: CPU {version[0]:.0f} us, {ratio:.2f} times that of true ({true[0]:.0f} us); "
          f"wall {version[1]:.0f} us, {version[1] / true[1]:.2f} times")
    if size > LIMIT_BYTES:
        sys.exit("weight: the program is larger than 10.5 MiB")
    if others:
        sys.exit(f"weight: the program loads {' '.join(others)}")


if __name__ == "__main__":
    main()
