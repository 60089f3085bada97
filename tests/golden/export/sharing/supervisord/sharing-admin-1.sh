#!/bin/sh
# pm export: app=sharing format=supervisord file=sharing-admin-1.sh
cd '/srv/sharing' || exit 1
HOME=~deploy USER='deploy' LOGNAME='deploy'; export HOME USER LOGNAME
export A='1'
export PORT='5201'
export PS='admin.1'
exec /bin/sh -c 'exec bin/admin -p $PORT'
