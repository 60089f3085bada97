#!/bin/sh
# pm export: app=cluster format=supervisord file=cluster-web-1.sh
cd '/srv/cluster' || exit 1
HOME=~deploy USER='deploy' LOGNAME='deploy'; export HOME USER LOGNAME
export NODE_ENV='production'
export REDIS_URL='redis://:p@h/0'
export WEB_CONCURRENCY='2'
export PORT='5000'
export PS='web.1'
exec /bin/sh -c 'exec node --max-http-header-size=16384 server.js'
