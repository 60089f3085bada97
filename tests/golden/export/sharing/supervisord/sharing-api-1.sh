#!/bin/sh
# pm export: app=sharing format=supervisord file=sharing-api-1.sh
cd '/srv/sharing' || exit 1
HOME=~deploy USER='deploy' LOGNAME='deploy'; export HOME USER LOGNAME
export A='1'
export PORT='5100'
export PS='api.1'
exec /bin/sh -c 'cd api && exec gunicorn -b fd://3 api:app'
