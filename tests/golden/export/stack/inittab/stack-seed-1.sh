#!/bin/sh
# pm export: app=stack format=inittab file=stack-seed-1.sh
mkdir -p '/var/log/stack'
exec >>'/var/log/stack/seed-1.log' 2>&1
cd '/srv/stack' || exit 1
# Looked up before the variables can change PATH.
set -- "$(command -v setpriv)" "$(id -g 'deploy')"
HOME=~deploy USER='deploy' LOGNAME='deploy'; export HOME USER LOGNAME
export REDIS_URL='redis://localhost:6379/0'
export PORT='5700'
export PS='seed.1'
exec "${1:-/usr/bin/setpriv}" --reuid 'deploy' --regid "$2" --init-groups /bin/sh -c 'exec bin/seed'
