#!/bin/sh
# pm export: app=cluster format=supervisord file=cluster-worker-1.sh
cd '/srv/cluster/jobs' || exit 1
HOME=~deploy USER='deploy' LOGNAME='deploy'; export HOME USER LOGNAME
export NODE_ENV='production'
export REDIS_URL='redis://:p@h/0'
export PORT='5100'
export PS='worker.1'
exec /bin/sh -c 'exec node worker.js'
