#!/bin/sh
# pm export: app=sharing format=supervisord file=sharing-web-1.sh
cd '/srv/sharing' || exit 1
HOME=~deploy USER='deploy' LOGNAME='deploy'; export HOME USER LOGNAME
export A='1'
export PORT='5000'
export PS='web.1'
exec /bin/sh -c 'exec uvicorn app:app --fd 3'
