#!/bin/sh
# pm export: app=cluster format=inittab file=cluster-web-2.sh
mkdir -p '/var/log/cluster'
exec >>'/var/log/cluster/web-2.log' 2>&1
cd '/srv/cluster' || exit 1
# Looked up before the variables can change PATH.
set -- "$(command -v setpriv)" "$(id -g 'deploy')"
HOME=~deploy USER='deploy' LOGNAME='deploy'; export HOME USER LOGNAME
export NODE_ENV='production'
export REDIS_URL='redis://:p@h/0'
export WEB_CONCURRENCY='2'
export PORT='5001'
export PS='web.2'
exec "${1:-/usr/bin/setpriv}" --reuid 'deploy' --regid "$2" --init-groups /bin/sh -c 'exec node --max-http-header-size=16384 server.js'
