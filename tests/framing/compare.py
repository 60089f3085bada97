#!/usr/bin/env python3
"""`compare.py FRONT DIRECT`: sends each case of cases.py to the proxy's port and to that of the application behind it.

What EQUAL holds must be answered alike, and what the application saw must be alike; what REFUSED holds must get 400.
That is so for a case sent at once, and for one that the proxy reads byte by byte. With PM_CI_LONG=1 each case is also
sent in two parts, cut at every byte."""

import os
import sys

import wire
from cases import AT_ONCE, BETTER, EQUAL, REFUSED

# Longer ones are sent at once only.
LONGEST_SPLIT = 2000


def barrier(front):
    """Returns when the proxy has read all that was sent to it before. It has one thread, and answers this by itself."""
    answer = wire.whole(front, b"GET / HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 "), answer


def in_steps(front, parts_of):
    """Sends the parts of all connections side by side: the proxy has read one before the next is sent."""
    clients = [(wire.Client(front), parts) for parts in parts_of]
    for step in range(max(len(parts) for parts in parts_of)):
        for client, parts in clients:
            if step < len(parts):
                client.send(parts[step])
        barrier(front)
    return [client.finish() for client, _ in clients]


def byte_by_byte(data):
    return [data[at:at + 1] for at in range(len(data))]


class Comparison:
    def __init__(self, front, direct):
        self.front, self.direct, self.wrong, self.counts = front, direct, [], {}

    def judge(self, how, name, wanted, methods, direct, data):
        front = wire.answers(data, methods)
        found = wire.verdict(direct, front)
        if wanted != "refused" and wanted != "equal":
            found = front[0][1] if len(front) == 1 and front[0][1:] else found
        self.counts[how] = self.counts.get(how, 0) + 1
        if found != wanted:
            self.wrong.append("%s, %s: %s, not %s\n  direct: %r\n  front:  %r" % (name, how, found, wanted, direct, front))

    def run(self, cases):
        known = []
        for name, (data, wanted) in cases.items():
            methods = wire.methods_of(data)
            direct = wire.answers(wire.whole(self.direct, data), methods)
            known.append((name, wanted, methods, direct))
            self.judge("at once", *known[-1], wire.whole(self.front, data))
        split = lambda name, data: name not in AT_ONCE and len(data) <= LONGEST_SPLIT
        short = [(case, data) for case, (data, _) in zip(known, cases.values()) if split(case[0], data)]
        seen = in_steps(self.front, [byte_by_byte(data) for _, data in short])
        for (case, _), answer in zip(short, seen):
            self.judge("byte by byte", *case, answer)
        if os.environ.get("PM_CI_LONG") == "1":
            for case, data in short:
                seen = in_steps(self.front, [[data[:at], data[at:]] for at in range(1, len(data))])
                for answer in seen:
                    self.judge("in two parts", *case, answer)


def main():
    front, direct = map(int, sys.argv[1:])
    cases = {name: (data, "equal") for name, data in EQUAL.items()}
    cases |= {name: (data, "refused") for name, data in REFUSED.items()}
    cases |= BETTER
    comparison = Comparison(front, direct)
    comparison.run(cases)
    counts = ", ".join("%d %s" % (count, how) for how, count in comparison.counts.items())
    print("%d cases: %s; %d differ" % (len(cases), counts, len(comparison.wrong)))
    print("\n".join(comparison.wrong[:20]))
    return 1 if comparison.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
