#!/bin/sh
# pm export: app=compound format=inittab file=compound-web-1.sh
mkdir -p '/var/log/compound'
exec >>'/var/log/compound/web-1.log' 2>&1
cd '/srv/compound' || exit 1
# Looked up before the variables can change PATH.
set -- "$(command -v setpriv)" "$(id -g 'deploy')"
HOME=~deploy USER='deploy' LOGNAME='deploy'; export HOME USER LOGNAME
. '/srv/export/compound.env'
export PORT='5100'
export PS='web.1'
exec "${1:-/usr/bin/setpriv}" --reuid 'deploy' --regid "$2" --init-groups /bin/sh -c 'trap '\''trap "" TERM; kill -TERM 0; wait; exit 143'\'' TERM; { trap "wait; exit 143" TERM; cd public && ../serve -p $PORT | tee log # all
} & wait $!'
