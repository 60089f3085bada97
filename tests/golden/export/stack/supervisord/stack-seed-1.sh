#!/bin/sh
# pm export: app=stack format=supervisord file=stack-seed-1.sh
cd '/srv/stack' || exit 1
HOME=~deploy USER='deploy' LOGNAME='deploy'; export HOME USER LOGNAME
export REDIS_URL='redis://localhost:6379/0'
export PORT='5700'
export PS='seed.1'
exec /bin/sh -c 'exec bin/seed'
