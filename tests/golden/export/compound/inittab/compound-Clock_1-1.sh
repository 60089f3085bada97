#!/bin/sh
# pm export: app=compound format=inittab file=compound-Clock_1-1.sh
mkdir -p '/var/log/compound'
exec >>'/var/log/compound/Clock_1-1.log' 2>&1
cd '/srv/compound' || exit 1
# Looked up before the variables can change PATH.
set -- "$(command -v setpriv)" "$(id -g 'deploy')"
HOME=~deploy USER='deploy' LOGNAME='deploy'; export HOME USER LOGNAME
. '/srv/export/compound.env'
export PORT='5200'
export PS='Clock_1.1'
exec "${1:-/usr/bin/setpriv}" --reuid 'deploy' --regid "$2" --init-groups /bin/sh -c 'TZ=UTC exec ./clock'
