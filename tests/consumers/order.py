#!/usr/bin/env python3
"""Starts exports in the real service managers, and sees that a dependent starts only after the probe of what it waits for has succeeded.

    tests/consumers/order.py [--pm target/debug/pm] [systemd runit s6 supervisord compose]

Three pairs: `db` becomes ready 2 s after its start, by a command, by a port and by an answer over HTTP; its `web` depends on it. Each
writes when it was so far, in seconds since the boot (/proc/uptime, which containers share). It fails where a dependent was earlier, or
did not start in 40 s. The managers are those of the project's judge of exports (`../shared/export/setup.sh`), in namespaces of their own; root only.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
LIMIT = 40
NOTE = 'read up rest </proc/uptime; echo $up >>{out}/{name}'
READY = {'cmd': 'cmd:test -e {out}/up', 'port': 'port', 'http': 'http:/index.html'}


class Fix:
    """What the judge's case asks of a fixture."""
    name, m, env_names, base, formation = 'order', {}, None, 24300, {}


def lay(judge, form):
    """Writes the application of a format."""
    case = judge.Case('order', form, Fix)
    shutil.rmtree(case.dir, ignore_errors=True)
    for folder in (case.root, case.out, case.log, case.run, case.export):
        os.makedirs(folder)
    note = lambda name: NOTE.format(out=case.out, name=name)
    serve = f'cd {case.out} && exec busybox httpd -f -p $PORT'
    ends = {'cmd': f'touch {case.out}/up; exec sleep 1000', 'port': serve, 'http': serve}
    procfile, toml = [], []
    for kind, ready in READY.items():
        procfile.append(f'db{kind}: sleep 2; {note("db" + kind)}; {ends[kind]}')
        procfile.append(f'web{kind}: {note("web" + kind)}; exec sleep 1000')
        toml.append(f'[process.db{kind}]\nready = "{ready.format(out=case.out)}"\n[process.web{kind}]\ndepends-on = "db{kind}"\n')
    for path, text in (('Procfile', '\n'.join(procfile) + '\n'), ('pm.toml', ''.join(toml))):
        with open(os.path.join(case.root, path), 'w') as file:
            file.write(text)
    with open(case.out + '/index.html', 'w') as file:
        file.write('up\n')
    for folder, _, names in os.walk(case.dir):
        for path in [folder] + [os.path.join(folder, name) for name in names]:
            os.chown(path, judge.UID, judge.UID)
    os.chmod(case.out, 0o1777)
    os.chmod(case.dir, 0o755)
    os.chown(case.export, 0, 0)
    return case


def quiet(log):
    return dict(stdin=subprocess.DEVNULL, stdout=open(log, 'w'), stderr=subprocess.STDOUT)


def start(judge, box, case):
    """Has the manager of a format start everything."""
    form, log = case.fmt, case.run + '/manager.log'
    if form == 'systemd':
        units = box.path('/etc/systemd/system')
        for name in os.listdir(case.export):
            if name.endswith(('.service', '.target')):
                shutil.copy(os.path.join(case.export, name), units)
        box.sh('systemctl', 'daemon-reload')
        box.sh('systemctl', 'start', '--no-block', judge.APP + '.target')
    elif form == 'runit':
        box.popen(['/usr/bin/runsvdir', '-P', case.export], **quiet(log))
    elif form == 's6':
        box.popen(['/usr/bin/s6-svscan', case.export], **quiet(log))
    elif form == 'supervisord':
        conf = case.run + '/main.conf'
        with open(conf, 'w') as file:
            file.write(f'[supervisord]\nlogfile={case.run}/super.log\npidfile={case.run}/super.pid\n[include]\nfiles = {case.export}/*.conf\n')
        box.popen(['/usr/bin/supervisord', '-n', '-c', conf], **quiet(log))
    elif form == 'compose':
        main = next(path for path in judge.files(case.export, '.yaml'))
        judge.engine(box)
        judge.prepare_images(case, box, judge.Obs(), [judge.IMAGE], 'docker')
        services = json.loads(box.sh('docker', 'compose', '-f', main, 'config', '--format', 'json')[1])['services']
        override = case.run + '/override.json'
        with open(override, 'w') as file:
            json.dump({'services': {name: {'volumes': [f'{case.out}:{case.out}']} for name in services}}, file)
        box.popen(['docker', 'compose', '-f', main, '-f', override, '-p', judge.APP, 'up', '-d', '--quiet-pull'], **quiet(log))


def times(case, name):
    try:
        with open(os.path.join(case.out, name)) as file:
            return [float(line) for line in file.read().split()]
    except OSError:
        return []


def try_format(judge, tool, form):
    """Returns what is wrong, and tells what was seen."""
    case = lay(judge, form)
    code, said = tool.export(case)
    if code:
        return [f'export: exit {code}: {said}']
    box = judge.BOX.get('systemd')
    wrong = []
    try:
        start(judge, box, case)
        end = time.monotonic() + LIMIT
        webs = ['web' + kind for kind in READY]
        while time.monotonic() < end and not all(times(case, web) for web in webs):
            time.sleep(0.1)
        for kind in READY:
            db, web = times(case, 'db' + kind), times(case, 'web' + kind)
            if not db or not web:
                wrong.append(f'{kind}: not started in {LIMIT} s: db {db}, web {web}')
            elif web[0] < db[0]:
                wrong.append(f'{kind}: started {db[0] - web[0]:.2f} s before it was ready')
            else:
                print(f'{form}: {kind}: started {web[0] - db[0]:.2f} s after it was ready', flush=True)
        if wrong:
            print(judge.tail(open(case.run + '/manager.log').read() if os.path.exists(case.run + '/manager.log') else '', 20))
    finally:
        box.close()
        judge.BOX.b.clear()
        case.drop()
    return [f'{form}: {one}' for one in wrong]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--pm', default=ROOT + '/target/debug/pm')
    parser.add_argument('--judge', default=os.path.join(os.path.dirname(ROOT), 'shared/export'))
    parser.add_argument('formats', nargs='*', default=['systemd', 'runit', 's6', 'supervisord', 'compose'])
    options = parser.parse_args()
    sys.path.insert(0, os.path.abspath(options.judge))
    import judge
    tool = judge.Tool('pm', [os.path.abspath(options.pm)])
    wrong = [one for form in options.formats for one in try_format(judge, tool, form)]
    print('\n'.join(wrong) or 'order: all is well')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
