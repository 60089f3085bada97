#!/bin/sh
# pm export: app=stack format=inittab file=stack-seed-1.sh
mkdir -p '/var/log/stack'
exec >>'/var/log/stack/seed-1.log' 2>&1
mkdir -p '/var/run/stack' && rm -f '/var/run/stack/stack-seed-1.done'
until [ -e '/var/run/stack/stack-migrate-1.done' ] && [ "$(cat '/var/run/stack/stack-migrate-1.done')" = "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)" ]; do sleep 1; done
cd '/srv/stack' || exit 1
# Looked up before the variables can change PATH.
set -- "$(command -v setpriv)" "$(id -g 'deploy')"
HOME=~deploy USER='deploy' LOGNAME='deploy'; export HOME USER LOGNAME
export REDIS_URL='redis://localhost:6379/0'
export PORT='5700'
export PS='seed.1'
"${1:-/usr/bin/setpriv}" --reuid 'deploy' --regid "$2" --init-groups /bin/sh -c 'exec bin/seed' || exit
# What waits for its end looks for this mark.
cat /proc/sys/kernel/random/boot_id >'/var/run/stack/stack-seed-1.done' 2>/dev/null || :
