#!/bin/sh
# pm export: app=sharing format=inittab file=sharing-admin-1.sh
mkdir -p '/var/log/sharing'
exec >>'/var/log/sharing/admin-1.log' 2>&1
cd '/srv/sharing' || exit 1
# Looked up before the variables can change PATH.
set -- "$(command -v setpriv)" "$(id -g 'deploy')"
HOME=~deploy USER='deploy' LOGNAME='deploy'; export HOME USER LOGNAME
export A='1'
export PORT='5201'
export PS='admin.1'
exec "${1:-/usr/bin/setpriv}" --reuid 'deploy' --regid "$2" --init-groups /bin/sh -c 'exec bin/admin -p $PORT'
