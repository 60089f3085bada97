#!/bin/sh
# pm export: app=stack format=supervisord file=stack-worker-1.sh
cd '/srv/stack' || exit 1
HOME=~deploy USER='deploy' LOGNAME='deploy'; export HOME USER LOGNAME
export REDIS_URL='redis://localhost:6379/0'
export PORT='5300'
export PS='worker.1'
exec /bin/sh -c 'exec bin/worker'
