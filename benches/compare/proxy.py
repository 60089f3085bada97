#!/usr/bin/env python3
"""proxy.py: measures what pm's proxy costs, beside haproxy and nginx with one thread each, in one run.

    apt-get install haproxy nginx      # what is missing is skipped, with a message

All pass the same requests of the same client to two servers of http.c, over kept connections, with the same fields added.
The proxies take turns within a round, and a figure is the median of all rounds. `direct` is the server without a proxy:
what is above it is what a proxy adds. CPU time is that of the proxy's own processes. Needs Linux, gcc and Python 3.8 or later.
"""
import argparse
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from compare import BUILT, HERE, TOP, digits

CONNECTIONS, RATE = 32, 2000
SETTLE_S, IDLE_S = 2.5, 5
PATIENCE_S = 10
# Goals beside haproxy (as a ratio), and alone.
GOALS = {"added": 1.5, "core": 0.7, "down": 1.2, "up": 1.2}

HAPROXY = """global
  nbthread 1
defaults
  mode http
  option forwardfor
  http-reuse always
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend front
  bind 127.0.0.1:{front}
  default_backend servers
backend servers
  balance leastconn
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(Host)]
  server one 127.0.0.1:{one}
  server two 127.0.0.1:{two}
"""
NGINX = """worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/errors;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; client_max_body_size 0; client_body_temp_path {folder}/1;
  proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3; uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  upstream servers {{ least_conn; server 127.0.0.1:{one}; server 127.0.0.1:{two}; keepalive 64; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{front}; location / {{
    proxy_pass http://servers; proxy_http_version 1.1; proxy_buffering off; proxy_request_buffering off;
    proxy_set_header Connection ""; proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto http;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Host $http_host; }} }}
}}
"""
COLUMNS = {
    "p50": "latency, median, µs",
    "added": "added by the proxy, µs",
    "p99": "99th percentile, µs",
    "added99": "added by the proxy, µs ",
    "rps": "requests/s",
    "core": "requests per s of CPU",
    "down": "CPU for an answer, s per GB",
    "up": "CPU for a request, s per GB",
    "idle": f"wake-ups in {IDLE_S} s idle",
}


def free_ports(count):
    """Returns a port that is free, and so are those after it."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            first = probe.getsockname()[1]
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return first
        except (OSError, OverflowError):
            pass


class Proxy:
    """A proxy before two servers, from its start until its end."""

    def __init__(self, name, pm):
        self.folder = tempfile.TemporaryDirectory(prefix="pm-compare-")
        self.processes, self.own = [], []
        folder = pathlib.Path(self.folder.name)
        folder.chmod(0o755)
        server = str(BUILT / "http")
        front = free_ports(4)
        self.port = front
        values = {"front": front, "one": front + 1, "two": front + 2, "folder": folder}
        if name == "pm":
            (folder / "Procfile").write_text(f"web: exec {server} serve $PORT\n")
            (folder / "pm.toml").write_text("[process.web]\nproxy = true\nready = \"port\"\n")
            self.own = [self.spawn(pm, "start", "-p", str(front), "web=2")]
        else:
            for port in (values["one"], values["two"]):
                self.spawn(server, "serve", str(port))
        if name == "direct":
            self.port = values["one"]
        if name == "haproxy":
            (folder / "settings").write_text(HAPROXY.format(**values))
            self.own = [self.spawn("haproxy", "-f", str(folder / "settings"))]
        if name == "nginx":
            (folder / "settings").write_text(NGINX.format(**values))
            self.own = [self.spawn("nginx", "-c", str(folder / "settings"), "-p", str(folder))]
        self.wait_until_it_answers()
        if name == "nginx":
            children = pathlib.Path(f"/proc/{self.own[0]}/task/{self.own[0]}/children")
            self.own += [int(pid) for pid in children.read_text().split()]

    def spawn(self, *words):
        folder = self.folder.name
        environment = {"PATH": os.environ["PATH"], "HOME": folder, "XDG_RUNTIME_DIR": folder}
        with open(pathlib.Path(folder) / "output", "ab") as output:
            process = subprocess.Popen(words, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                                       stdout=output, stderr=output, start_new_session=True)
        self.processes.append(process)
        return process.pid

    def wait_until_it_answers(self):
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                self.client("load", 0, 0.01, 2)
                return
            except RuntimeError as error:
                if time.monotonic() > end or any(process.poll() is not None for process in self.processes):
                    output = (pathlib.Path(self.folder.name) / "output").read_text()
                    raise RuntimeError(f"{error} {output}") from error
                time.sleep(0.05)

    def client(self, task, *words):
        """Runs the client, and returns the numbers that it prints."""
        command = [str(BUILT / "http"), task, str(self.port), *map(str, words)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
        return [float(word) for word in done.stdout.split()]

    def sum(self, file, pattern):
        """Sums the numbers that a file of each thread of the proxy has."""
        found = 0
        for pid in self.own:
            for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
                found += sum(int(number) for number in re.findall(pattern, (thread / file).read_text()))
        return found

    def cpu(self):
        return self.sum("schedstat", r"^\d+") / 1e9

    def wakeups(self):
        return self.sum("status", r"voluntary_ctxt_switches:\s*(\d+)")

    def close(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.folder.cleanup()


def measure(name, options):
    """Returns every figure of one proxy in one round."""
    proxy = Proxy(name, options.pm)
    try:
        values = {}
        proxy.client("load", RATE, options.seconds / 8, CONNECTIONS)
        _, _, values["p50"], values["p99"] = proxy.client("load", RATE, options.seconds, CONNECTIONS)
        before = proxy.cpu()
        answered, seconds, _, _ = proxy.client("load", 0, options.seconds, CONNECTIONS)
        values["rps"] = answered / seconds
        if proxy.own:
            values["core"] = answered / (proxy.cpu() - before)
        for way in ("down", "up"):
            before = proxy.cpu()
            proxy.client(way, int(options.gb * 1e9))
            if proxy.own:
                values[way] = (proxy.cpu() - before) / options.gb
        if proxy.own:
            time.sleep(SETTLE_S)
            before = proxy.wakeups()
            time.sleep(IDLE_S)
            values["idle"] = proxy.wakeups() - before
        return values
    finally:
        proxy.close()


def medians(rounds):
    """Returns the medians of all rounds, and what each proxy adds to the server's own latency."""
    found = {name: {key: statistics.median(values[key] for values in of) for key in of[0]} for name, of in rounds.items()}
    for name, values in found.items():
        if name != "direct":
            values["added"] = values["p50"] - found["direct"]["p50"]
            values["added99"] = values["p99"] - found["direct"]["p99"]
    return found


def table(found):
    """Prints the figures as a Markdown table, and pm's beside haproxy's."""
    print("| | " + " | ".join(found) + " |\n|---|" + "---:|" * len(found))
    for key, title in COLUMNS.items():
        print(f"| {title.strip()} | " + " | ".join(digits(of[key]) if key in of else "" for of in found.values()) + " |")
    if {"pm", "haproxy"} <= set(found):
        ratios = (f"{COLUMNS[key].strip()} {found['pm'][key] / found['haproxy'][key]:.2f} × (goal {goal})" for key, goal in GOALS.items())
        print("\npm beside haproxy: " + ", ".join(ratios))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--pm", type=os.path.abspath, default=str(TOP / "target" / "release" / "pm"), help="the program to measure")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="of each load")
    parser.add_argument("--gb", type=float, default=4, help="of each body")
    parser.add_argument("--only", help="names, divided by commas; the server alone is always measured")
    parser.add_argument("--small", action="store_true", help="little of all: shows that all of this works")
    options = parser.parse_args()
    if options.small:
        options.rounds, options.seconds, options.gb = 1, 0.2, 0.05
    BUILT.mkdir(parents=True, exist_ok=True)
    subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-o", BUILT / "http", HERE / "http.c"], check=True)
    rounds = {}
    for name in ["direct", *(options.only.split(",") if options.only else ("haproxy", "nginx", "pm"))]:
        if name in ("haproxy", "nginx") and not shutil.which(name):
            print(f"SKIPPED: {name} is not installed", file=sys.stderr)
        else:
            rounds[name] = []
    for number in range(options.rounds):
        for name, values in rounds.items():
            values.append(measure(name, options))
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
    table(medians(rounds))


if __name__ == "__main__":
    main()
