#!/usr/bin/env python3
"""Installs each package of a release from its file where nothing of pm is yet, and runs the demo's Procfile with
what was installed: `.ci/try_release.py target/dist [PLACE...]`, as root on Debian.

Places: venv (the wheel), npm, npm-scripts-off, crate (the sources, by cargo install), binstall (the archive, by cargo
binstall from a server here), formula (as far as ruby can tell), lintian (of the Debian packages), debian-11, debian-12 and debian-13 (a fresh tree of each: the Debian
package, and the archive), musl (a root with busybox and no glibc), aarch64 (the archive, by qemu). A place that
cannot be had here is skipped, and that is said. Trees and qemu are kept in ~/.cache/pm-ci.
"""
import contextlib
import functools
import glob
import http.server
import io
import os
import platform
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import tomllib
import urllib.request
import uuid
import zipfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CACHE = os.path.expanduser("~/.cache/pm-ci")
SUITES = {"debian-11": "bullseye", "debian-12": "bookworm", "debian-13": "trixie"}
SECONDS = 120
# What the demo says when all of it works, in any order.
SAID = (
    r"web\.1 +\| listening on http://",
    r"worker\.1 +\| job 1: 17984 primes below 200000",
    r"flaky\.1 +\| !! exited with code 1; restart 1 of 5",
    r"web\.1 +\| GET / 200 OK",
)


# What `pm --version -v` says of a program of .ci/release, which tells cargo the commit.
RELEASED = r"pm %s\ntarget: \w+-unknown-linux-musl\nfeatures: ui\ncommit: [0-9a-f]{12}\n"
# Beside the program: in the archives, and in the Debian packages.
BESIDE = ("LICENSE", "README.md", "CHANGELOG.md", "man/pm.1", "man/pm-start.1", "man/pm.toml.5", "completions/pm",
          "completions/_pm", "completions/pm.fish")
BESIDE_IN_DEB = ("doc/procfile-pm/copyright", "doc/procfile-pm/README.md", "doc/procfile-pm/changelog.gz", "man/man1/pm.1.gz",
                 "man/man1/pm-start.1.gz", "man/man5/pm.toml.5.gz", "bash-completion/completions/pm",
                 "zsh/vendor-completions/_pm", "fish/vendor_completions.d/pm.fish")


class Unavailable(Exception):
    """A place that this machine cannot have."""


def sh(*words, **options):
    """Runs a command that must succeed; returns what it prints."""
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, **options)
    if done.returncode != 0:
        sys.exit("try_release: %s: status %d\n%s" % (" ".join(words), done.returncode, done.stdout))
    return done.stdout


def one(folder, pattern):
    """Returns the one file of this name."""
    found = glob.glob(os.path.join(folder, pattern))
    if len(found) != 1:
        sys.exit("try_release: %d files are %s in %s" % (len(found), pattern, folder))
    return os.path.abspath(found[0])


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Demo:
    """The demo's application in a folder of its own, with a rustc that gives out programs compiled before: a fresh
    environment has no compiler, and its Procfile is to run as it stands."""

    def __init__(self, folder, target, seen_as=None):
        self.folder = folder
        self.seen_as = seen_as or folder
        os.makedirs(os.path.join(folder, "examples/demo"))
        os.makedirs(os.path.join(folder, "bin"))
        for name in ("Procfile", ".env"):
            shutil.copy(os.path.join(TOP, name), folder)
        for source in glob.glob(os.path.join(TOP, "examples/demo/*.rs")):
            shutil.copy(source, os.path.join(folder, "examples/demo"))
            sh("rustc", "--edition", "2024", "-O", "--target", target, "-C", "linker=rust-lld",
               "--out-dir", os.path.join(folder, "bin"), source)
        compiler = os.path.join(folder, "bin/rustc")
        with open(compiler, "w", encoding="ascii") as script:
            # rustc --edition 2024 -O --out-dir FOLDER examples/demo/NAME.rs
            script.write('#!/bin/sh\nset -e\nname=${6##*/}\nmkdir -p "$5"\n'
                         'cp "%s/bin/${name%%.rs}" "$5/"\n' % self.seen_as)
        os.chmod(compiler, 0o755)

    def environment(self, mark):
        path = "%s/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" % self.seen_as
        home = os.path.dirname(shutil.which("node") or "/usr/bin/node")
        return {"PATH": path + ":" + home, "HOME": self.seen_as, "TRY_RELEASE": mark, "LC_ALL": "C.UTF-8",
                "npm_config_update_notifier": "false"}


def with_mark(mark):
    """Returns the ids of processes whose environment has this mark."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/environ" % entry, "rb") as environment:
                    if ("TRY_RELEASE=" + mark).encode() in environment.read().split(b"\0"):
                        found.append(int(entry))
            except OSError:
                pass
    return found


def until(what, holds, child=None):
    """Waits for a fact, at most SECONDS, and no longer than the child runs that is to bring it about."""
    end = time.monotonic() + SECONDS
    while not holds():
        if time.monotonic() > end or child and child.poll() is not None:
            return what
        time.sleep(0.05)
    return None


def run_demo(demo, words, version, stop=signal.SIGINT, code=0, group=False, told=RELEASED):
    """Checks, starts, asks and stops the demo with `words` for pm, or its group as a terminal does; returns what went
    wrong, or None."""
    mark = uuid.uuid4().hex
    env, port = demo.environment(mark), free_port()
    if sh(*words, "--version", env=env, cwd=demo.folder).strip() != "pm " + version:
        return "it is of another version"
    more = sh(*words, "--version", "-v", env=env, cwd=demo.folder)
    if not re.fullmatch(told % re.escape(version), more):
        return "pm --version -v says %r" % more
    if "valid procfile" not in sh(*words, "check", env=env, cwd=demo.folder):
        return "pm check says nothing"
    if "ExecStart=" not in sh(*words, "export", "systemd", "--print", env=env, cwd=demo.folder):
        return "pm export prints no unit"
    print("   ", " ".join(more.split()), flush=True)
    child = subprocess.Popen([*words, "start", "--color", "never", "-p", str(port), "--set", "FLAKY_SECONDS=0"], env=env,
                             cwd=demo.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True)
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(iter(child.stdout.readline, "")), daemon=True)
    reader.start()

    def answers():
        try:
            with urllib.request.urlopen("http://127.0.0.1:%d/" % port, timeout=5) as answer:
                return answer.read() == b"Hello from the demo, from web.1\n"
        except OSError:
            return False

    missing = lambda: [said for said in SAID if not any(re.search(said, line) for line in lines)]
    wrong = until("web.1 does not answer", answers, child)
    wrong = wrong or until("something is missing", lambda: not missing(), child)
    if child.poll() is None:
        (os.killpg if group else os.kill)(child.pid, stop)
    try:
        ended = child.wait(timeout=30)
    except subprocess.TimeoutExpired:
        child.kill()
        ended = "no status: it did not end"
    reader.join(timeout=10)
    wrong = wrong or (ended != code and "it ends with %s" % ended)
    wrong = wrong or until("processes are left: %s" % with_mark(mark), lambda: not with_mark(mark))
    if wrong:
        for pid in with_mark(mark):
            os.kill(pid, signal.SIGKILL)
        print("".join(lines[-60:]))
        return "%s; not seen: %s" % (wrong, missing())
    return None


# ---------------------------------------------------------------- places


def native():
    return platform.machine() + "-unknown-linux-musl"


def documented(begins):
    """Returns the command that begins so, for who stands where the files of a release are: a line of README.md, a cell of
    the table of docs/packaging.md, or the same in both."""
    found = set()
    for name in ("README.md", "docs/packaging.md"):
        with open(os.path.join(TOP, name), encoding="utf-8") as document:
            for cell, line in re.findall(r"(?m)^\|.*?`(%s[^`]*)`|^(%s.*)" % (2 * (re.escape(begins),)), document.read()):
                found.add(cell or line.split(" # ")[0].strip())
    if len(found) != 1:
        sys.exit("try_release: the documents have %d commands that begin with %s: %s" % (len(found), begins, found))
    return found.pop()


def as_documented(dist, begins, pattern, into, options="", inside_of=None, **more):
    """Types a documented command in a folder that holds copies of the files that it could mean, for every processor."""
    copies = [shutil.copy(path, into) for path in glob.glob(os.path.join(dist, pattern))]
    words = ["sh", "-c", documented(begins) + options]
    if inside_of:
        words = inside(inside_of, "env", "-C", into[len(inside_of):], *words)
    sh(*words, cwd=into, **more)
    for copy in copies:
        os.remove(copy)


def archive(dist, target, into):
    """Unpacks the archive; returns the path of its program."""
    if target == native():
        as_documented(dist, "tar -xzf ", "pm-*.tar.gz", into)
    else:
        sh("tar", "-xzf", one(dist, "pm-*-%s.tar.gz" % target), "-C", into)
    return one(into, "pm-*/pm")


def venv(dist, scratch, demo, version):
    home = os.path.join(scratch, "venv")
    sh(sys.executable, "-m", "venv", home)
    path = {**os.environ, "PATH": home + "/bin:" + os.environ["PATH"]}
    as_documented(dist, "pip install ", "*.whl", scratch, " --quiet", env=path)
    yield "venv", demo, [home + "/bin/pm"], {}


def without_program(scratch, package):
    """Where npm has no program for a system, or was told to leave it out, the installation goes on, and pm says why."""
    other = os.path.join(scratch, "without-program")
    os.makedirs(other)
    with open(other + "/package.json", "w", encoding="ascii") as manifest:
        manifest.write('{ "private": true }\n')
    sh("npm", "install", "--silent", "--no-audit", "--no-fund", "--omit=optional", package, cwd=other)
    done = subprocess.run([other + "/node_modules/.bin/pm", "--version"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 1 or "is not installed\nhint: " not in done.stdout:
        sys.exit("try_release: pm without its program: status %d\n%s" % (done.returncode, done.stdout))


def npm(dist, scratch, demo, version, options=(), stop=signal.SIGINT):
    if not shutil.which("npm"):
        raise Unavailable("no npm")
    app = demo.folder
    cpu = {"x86_64": "x64", "aarch64": "arm64"}[platform.machine()]
    with open(app + "/package.json", "w", encoding="ascii") as manifest:
        manifest.write('{ "private": true, "scripts": { "dev": "pm start" } }\n')
    if cpu not in documented("npm install ./"):
        raise Unavailable("docs/packaging.md names the package of another processor")
    # npm finds them again where they are.
    kept = os.path.join(scratch, "packages")
    shutil.copytree(dist, kept, ignore=lambda _, names: [name for name in names if not name.endswith(".tgz")])
    command = documented("npm install ./").replace("./", kept + "/")
    sh("sh", "-c", " ".join([command, "--silent", "--no-audit", "--no-fund", *options]), cwd=app)
    with open(app + "/node_modules/.bin/pm", "rb") as command:
        if (command.read(4) == b"\x7fELF") == ("--ignore-scripts" in options):
            sys.exit("try_release: install.js is to put the program in the place of the script, where it may run")
    without_program(scratch, one(dist, "procfile-pm-%s.tgz" % version))
    if "valid procfile" not in sh("npx", "--no-install", "pm", "check", cwd=app):
        sys.exit("try_release: npx pm check says nothing")
    yield "npm", demo, [app + "/node_modules/.bin/pm"], {"stop": stop}
    # As a developer of that project does. npm ends by the signal of the terminal that it has got too, after pm has ended.
    dev = ["sh", "-c", 'case $1 in start) shift; exec npm run --silent dev -- "$@" ;; esac; exec npx --no-install pm "$@"',
           "pm"]
    yield "npm run dev", demo, dev, {"stop": stop, "group": True, "code": -stop}


def npm_scripts_off(dist, scratch, demo, version):
    yield from npm(dist, scratch, demo, version, options=["--ignore-scripts"], stop=signal.SIGTERM)


def crate(dist, scratch, demo, version):
    """The sources as they would be published, built as `cargo install --path` does; not optimised, to be done sooner."""
    sh("tar", "-xzf", one(dist, "procfile-pm-*.crate"), "-C", scratch)
    home = os.path.join(scratch, "cargo")
    built = {"CARGO_TARGET_DIR": os.path.join(TOP, "target/try-crate"), "CARGO_PROFILE_DEV_DEBUG": "0"}
    sh("cargo", "install", "--quiet", "--locked", "--debug", "--path", one(scratch, "procfile-pm-*[0-9]"), "--root", home,
       env={**os.environ, **built})
    # The commit is looked up for an optimised program only (build.rs).
    told = r"pm %s\ntarget: \w+-unknown-linux-gnu\nfeatures: ui\ncommit: unknown\n"
    yield "crate, cargo install --path", demo, [home + "/bin/pm"], {"told": told}


class Silent(http.server.SimpleHTTPRequestHandler):
    """Serves files, and says nothing of it."""

    def log_message(self, *_):
        pass

    def copyfile(self, source, outputfile):
        with contextlib.suppress(OSError):  # A client may know enough before the end.
            super().copyfile(source, outputfile)


def cargo_toml():
    with open(os.path.join(TOP, "Cargo.toml"), "rb") as file:
        return tomllib.load(file)


def check_binstall(dist, version):
    """Compares what Cargo.toml tells cargo binstall for each system, static or GNU's, with the archives, and the addresses
    with one another."""
    told = cargo_toml()["package"]["metadata"]["binstall"]
    for cpu in ("x86_64", "aarch64"):
        for system in ("musl", "gnu"):
            target = "%s-unknown-linux-%s" % (cpu, system)
            keys = {**told, **told["overrides"].get(target, {})}
            names = {"version": version, "bin": "pm", "binary-ext": ""}
            fill = lambda text, target: re.sub(r"{ ([a-z-]+) }", lambda name: {**names, "target": target}[name[1]], text)
            url = fill(keys["pkg-url"], target)
            if url != fill(told["pkg-url"], "%s-unknown-linux-musl" % cpu):
                sys.exit("try_release: another address for %s: %s" % (target, url))
            with tarfile.open(os.path.join(dist, url.rsplit("/", 1)[1])) as packed:
                if not packed.getmember(fill(keys["bin-dir"], target)).isfile():
                    sys.exit("try_release: no program for " + target)


def binstall(dist, scratch, demo, version):
    """The manifest as it is, but for its host, for which a server of this machine stands in."""
    check_binstall(dist, version)
    # The last one that Rust 1.95 compiles.
    cargo_binstall = shutil.which("cargo-binstall", path=os.environ["PATH"] + ":" + CACHE + "/cargo/bin")
    if not cargo_binstall:
        raise Unavailable("no cargo-binstall (cargo install --locked --debug --root ~/.cache/pm-ci/cargo cargo-binstall@1.20.0); "
                          "what it is told names the archives")
    served, home = os.path.join(scratch, "served"), os.path.join(scratch, "cargo")
    folder = os.path.join(served, "pm", "v" + version)
    os.makedirs(folder)
    shutil.copy(one(dist, "pm-*-%s.tar.gz" % native()), folder)
    root, key, certificate = scratch + "/root.pem", scratch + "/key.pem", scratch + "/certificate.pem"
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-keyout"]
    sh(*new, scratch + "/root-key.pem", "-out", root, "-subj", "/CN=try_release")
    # No client takes the certificate of an authority for that of a server.
    sh(*new, key, "-out", certificate, "-subj", "/CN=localhost", "-CA", root, "-CAkey", scratch + "/root-key.pem",
       "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Silent, directory=served))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sh("tar", "-xzf", one(dist, "procfile-pm-*.crate"), "-C", scratch)
    manifest = one(scratch, "procfile-pm-*[0-9]/Cargo.toml")
    address = cargo_toml()["package"]["metadata"]["binstall"]["pkg-url"].split("/v{")[0]
    with open(manifest, encoding="utf-8") as file:
        text = file.read()
    with open(manifest, "w", encoding="utf-8") as file:
        file.write(text.replace(address + "/v{", "https://localhost:%d/pm/v{" % server.server_port))
    try:
        sh(cargo_binstall, "--no-confirm", "--strategies", "crate-meta-data", "--disable-telemetry",
           "--root-certificates", root, "--root", home, "--manifest-path", manifest, "procfile-pm")
    finally:
        server.shutdown()
    yield "binstall", demo, [home + "/bin/pm"], {}


def formula(dist, scratch, demo, version):
    """Homebrew is not here: its formula is read by ruby, its checksums are those of the files, and what its test wants is
    what the program says."""
    path = one(dist, "procfile-pm.rb")
    if not shutil.which("ruby"):
        raise Unavailable("no ruby")
    sh("ruby", "-c", path)
    with open(path, encoding="utf-8") as file, open(dist + "/SHA256SUMS", encoding="ascii") as sums:
        sum_of = {name: digest for digest, name in (line.split() for line in sums)}
        text = file.read()
    pairs = re.findall(r'url "([^"]*)"\n *sha256 "(\w+)"', text)
    if len(pairs) != 3 or any(sum_of.get(url.rsplit("/", 1)[1]) != digest for url, digest in pairs):
        sys.exit("try_release: the formula names other files: %s" % pairs)
    tested = re.search(r'"Procfile"\)\.write "(.*)\\n"\n *assert_match\(/(.*)/, shell_output\("#{bin}/pm (.*)"\)\)', text)
    folder = os.path.join(scratch, "formula")
    os.makedirs(folder)
    with open(folder + "/Procfile", "w", encoding="ascii") as procfile:
        procfile.write(tested[1] + "\n")
    environment = {name: value for name, value in os.environ.items() if name != "PORT"}
    said = sh(archive(dist, native(), scratch), *tested[3].split(), cwd=folder, env=environment)
    if not re.search(tested[2], said, re.MULTILINE):
        sys.exit("try_release: the formula's test wants %s: %s" % (tested[2], said))
    yield "formula, by ruby", None, None, None


def lintian(dist, scratch, demo, version):
    """What Debian's checker says of the packages. They are none of Debian's own: there is no bug that asks for them."""
    if not shutil.which("lintian"):
        raise Unavailable("no lintian")
    sh("lintian", "--allow-root", "--fail-on", "error,warning", "--suppress-tags", "initial-upload-closes-no-bugs",
       *sorted(glob.glob(dist + "/*.deb")))
    yield "lintian, Debian packages", None, None, None


def inside(root, *words):
    """Returns the command line that runs a command in a root of its own, with its own /proc and /dev. All of it
    becomes one process."""
    script = 'mount --bind /proc "$1/proc"; mount --rbind /dev "$1/dev"; root=$1; shift; exec chroot "$root" "$@"'
    return ["unshare", "--mount", "sh", "-c", script, "sh", root, *words]


def tree(suite):
    """Returns a folder with a fresh, minimal Debian."""
    root = os.path.join(CACHE, "trees", suite)
    if not os.path.exists(root + "/.done"):
        if not shutil.which("debootstrap"):
            sh("apt-get", "install", "-y", "-qq", "--no-install-recommends", "debootstrap")
        shutil.rmtree(root, ignore_errors=True)
        made = subprocess.run(["debootstrap", "--variant=minbase", suite, root], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if made.returncode != 0:
            raise Unavailable("debootstrap: " + made.stdout.strip().splitlines()[-1])
        open(root + "/.done", "w", encoding="ascii").close()
    return root


def debian(suite):
    def place(dist, scratch, demo, version):
        kept = tree(suite)
        root = os.path.join(scratch, suite)
        sh("cp", "-a", "--reflink=auto", kept, root)
        os.makedirs(root + "/srv", exist_ok=True)
        app = Demo(root + "/srv/demo", native(), "/srv/demo")
        as_documented(dist, "dpkg -i ", "*.deb", root + "/srv", inside_of=root)
        yield suite + ", Debian package", app, inside(root, "env", "-C", "/srv/demo", "/usr/bin/pm"), {}
        sh(*inside(root, "dpkg", "--purge", "procfile-pm"))
        program = archive(dist, native(), root + "/srv")
        yield suite + ", archive", app, inside(root, "env", "-C", "/srv/demo", program[len(root):]), {}
    return place


def debian_file(package, path):
    """Returns a program of a Debian package that is not installed here."""
    into = os.path.join(CACHE, package)
    if not os.path.exists(os.path.join(into, path)):
        os.makedirs(into, exist_ok=True)
        done = subprocess.run(["apt-get", "download", "-qq", package], cwd=into, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise Unavailable("apt has no %s: %s" % (package, done.stdout.strip()))
        sh("dpkg-deb", "-x", one(into, "*.deb"), into)
    return os.path.join(into, path)


def musl(dist, scratch, demo, version):
    busybox = debian_file("busybox-static", "bin/busybox")
    root = os.path.join(scratch, "musl")
    for folder in ("bin", "dev", "etc", "proc", "srv", "tmp", "usr/bin"):
        os.makedirs(os.path.join(root, folder))
    shutil.copy(busybox, root + "/bin/busybox")
    for applet in sh(busybox, "--list").split():
        if applet != "busybox":
            os.symlink("busybox", "%s/bin/%s" % (root, applet))
    with open(root + "/etc/passwd", "w", encoding="ascii") as users:
        users.write("root:x:0:0:root:/root:/bin/sh\n")
    app = Demo(root + "/srv/demo", native(), "/srv/demo")
    program = archive(dist, native(), root + "/srv")
    script = 'cd /srv/demo && exec "$0" "$@"'
    yield "musl root, archive", app, inside(root, "/bin/sh", "-c", script, program[len(root):]), {}


def aarch64(dist, scratch, demo, version):
    if platform.machine() == "aarch64":
        raise Unavailable("it is this machine's own")
    qemu = debian_file("qemu-user-static", "usr/bin/qemu-aarch64-static")
    binfmt = os.path.join(scratch, "binfmt")
    os.makedirs(binfmt)
    mounted = subprocess.run(["mount", "-t", "binfmt_misc", "none", binfmt], stderr=subprocess.DEVNULL)
    if mounted.returncode != 0:
        raise Unavailable("this kernel starts no programs of other processors (binfmt_misc)")
    name = "try-release-aarch64"
    magic, mask = "7f454c460201010000000000000000000200b700", "ffffffffffffff00fffffffffffffffffeffffff"
    escaped = ["".join("\\x" + text[at:at + 2] for at in range(0, len(text), 2)) for text in (magic, mask)]
    try:
        if not os.path.exists(os.path.join(binfmt, name)):
            with open(binfmt + "/register", "w", encoding="ascii") as register:
                register.write(":%s:M::%s:%s:%s:F" % (name, *escaped, qemu))
        target = "aarch64-unknown-linux-musl"
        app = Demo(os.path.join(scratch, "aarch64"), target)
        yield "aarch64, archive", app, [archive(dist, target, app.folder)], {}
    finally:
        with open(os.path.join(binfmt, name), "w", encoding="ascii") as entry:
            entry.write("-1")
        sh("umount", binfmt)


def open_packed(path):
    """Opens an archive, an npm package or what a Debian package installs."""
    if not path.endswith(".deb"):
        return tarfile.open(path)
    done = subprocess.run(["dpkg-deb", "--fsys-tarfile", path], check=True, stdout=subprocess.PIPE)
    return tarfile.open(fileobj=io.BytesIO(done.stdout))


def check_beside(dist):
    """Looks for manual pages, completions and documents where a package is to have them, not empty and for all to read."""
    for pattern, folder, names in (("pm-*.tar.gz", "[^/]*/", BESIDE), ("*.deb", r"\./usr/share/", BESIDE_IN_DEB)):
        for path in glob.glob(os.path.join(dist, pattern)):
            with open_packed(path) as packed:
                found = {re.sub("^" + folder, "", entry.name) for entry in packed
                         if entry.isfile() and entry.size > 0 and entry.mode & 0o777 == 0o644}
            if not found.issuperset(names):
                sys.exit("try_release: %s is without %s" % (path, sorted(set(names) - found)))


def check_notices(dist):
    """Looks for the notices of what is in the program, in each package with a static one."""
    name = "THIRD-PARTY-LICENSES"
    packages = [path for pattern in ("pm-*-linux-musl.tar.gz", "procfile-pm-linux-*.tgz", "*.whl", "*.deb")
                for path in glob.glob(os.path.join(dist, pattern))]
    for path in packages:
        if path.endswith(".whl"):
            with zipfile.ZipFile(path) as packed:
                texts = [packed.read(entry).decode() for entry in packed.namelist() if entry.endswith("/licenses/" + name)]
                named = any("License-File: " + name in packed.read(entry).decode() for entry in packed.namelist()
                            if entry.endswith("/METADATA"))
        else:
            with open_packed(path) as packed:
                texts = [packed.extractfile(entry).read().decode() for entry in packed if entry.name.endswith("/" + name)]
            named = True
        wanted = ("Rich Felker", "clap_builder", "Rust's standard library")
        if not named or len(texts) != 1 or not all(word in texts[0] for word in wanted):
            sys.exit("try_release: no notices in " + path)
    if len(packages) != 8:
        sys.exit("try_release: %d packages with a program: %s" % (len(packages), packages))


PLACES = {"venv": venv, "npm": npm, "npm-scripts-off": npm_scripts_off, "crate": crate, "binstall": binstall,
          "formula": formula, "lintian": lintian}
PLACES.update((name, debian(suite)) for name, suite in SUITES.items())
PLACES.update(musl=musl, aarch64=aarch64)


def main():
    if len(sys.argv) < 2 or not set(sys.argv[2:]) <= set(PLACES):
        sys.exit(__doc__)
    dist, names = os.path.abspath(sys.argv[1]), sys.argv[2:] or list(PLACES)
    sh("sha256sum", "--check", "--quiet", "SHA256SUMS", cwd=dist)
    check_beside(dist)
    check_notices(dist)
    version = re.search(r'^version = "(.*)"$', open(os.path.join(TOP, "Cargo.toml"), encoding="utf-8").read(), re.M)[1]
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for name in names:
        with tempfile.TemporaryDirectory(prefix="try-release-") as scratch:
            print("==", name, flush=True)
            try:
                demo = Demo(os.path.join(scratch, "demo"), native())
                for what, app, words, options in PLACES[name](dist, scratch, demo, version):
                    wrong = app and run_demo(app, words, version, **options)
                    counts["failed" if wrong else "passed"] += 1
                    passed = "the demo runs, and ends" if app else "nothing to object"
                    print("%s: %s" % (what, "FAILED: %s" % wrong if wrong else passed), flush=True)
            except SystemExit as why:
                counts["failed"] += 1
                print("%s: FAILED: %s" % (name, why), flush=True)
            except Unavailable as why:
                counts["skipped"] += 1
                print("SKIPPED: %s: %s" % (name, why), flush=True)
    print("%(passed)d passed, %(failed)d failed, %(skipped)d skipped" % counts)
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
