#!/bin/sh
# pm export: app=sharing format=inittab file=sharing-api-1.sh
mkdir -p '/var/log/sharing'
exec >>'/var/log/sharing/api-1.log' 2>&1
cd '/srv/sharing' || exit 1
# Looked up before the variables can change PATH.
set -- "$(command -v setpriv)" "$(id -g 'deploy')"
HOME=~deploy USER='deploy' LOGNAME='deploy'; export HOME USER LOGNAME
export A='1'
export PORT='5100'
export PS='api.1'
exec "${1:-/usr/bin/setpriv}" --reuid 'deploy' --regid "$2" --init-groups /bin/sh -c 'trap '\''trap "" TERM; kill -TERM 0; wait; exit 143'\'' TERM; { trap "wait; exit 143" TERM; cd api && exec gunicorn -b fd://3 api:app
} & wait $!'
