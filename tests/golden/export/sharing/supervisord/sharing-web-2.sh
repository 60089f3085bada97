#!/bin/sh
# pm export: app=sharing format=supervisord file=sharing-web-2.sh
cd '/srv/sharing' || exit 1
HOME=~deploy USER='deploy' LOGNAME='deploy'; export HOME USER LOGNAME
export A='1'
export PORT='5001'
export PS='web.2'
exec /bin/sh -c 'exec uvicorn app:app --fd 3'
