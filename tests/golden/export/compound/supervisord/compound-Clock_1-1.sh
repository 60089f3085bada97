#!/bin/sh
# pm export: app=compound format=supervisord file=compound-Clock_1-1.sh
cd '/srv/compound' || exit 1
HOME=~deploy USER='deploy' LOGNAME='deploy'; export HOME USER LOGNAME
. '/srv/export/compound.env'
export PORT='5200'
export PS='Clock_1.1'
exec /bin/sh -c 'TZ=UTC exec ./clock'
