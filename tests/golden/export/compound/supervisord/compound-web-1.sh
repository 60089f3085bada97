#!/bin/sh
# pm export: app=compound format=supervisord file=compound-web-1.sh
cd '/srv/compound' || exit 1
HOME=~deploy USER='deploy' LOGNAME='deploy'; export HOME USER LOGNAME
. '/srv/export/compound.env'
export PORT='5100'
export PS='web.1'
exec /bin/sh -c 'cd public && ../serve -p $PORT | tee log # all'
