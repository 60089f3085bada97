#!/bin/sh
# pm export: app=stack format=inittab file=stack-migrate-1.sh
mkdir -p '/var/log/stack'
exec >>'/var/log/stack/migrate-1.log' 2>&1
mkdir -p '/var/run/stack' && rm -f '/var/run/stack/stack-migrate-1.done'
cd '/srv/stack' || exit 1
# Looked up before the variables can change PATH.
set -- "$(command -v setpriv)" "$(id -g 'deploy')"
HOME=~deploy USER='deploy' LOGNAME='deploy'; export HOME USER LOGNAME
export REDIS_URL='redis://localhost:6379/0'
export PORT='5100'
export PS='migrate.1'
"${1:-/usr/bin/setpriv}" --reuid 'deploy' --regid "$2" --init-groups /bin/sh -c 'pm_wait() { pm_end=$(($(date +%s) + $1)); until case $2 in port) bash -c '\'': <"/dev/tcp/$1/$0"'\'' "$3" "${4:-localhost}" || nc -z "${4:-localhost}" "$3" || python3 -c '\''import socket,sys; socket.create_connection((sys.argv[2],int(sys.argv[1])),2)'\'' "$3" "${4:-localhost}";; http) if command -v curl; then pm_code=$(curl -s -o /dev/null -m 2 -w '\''%{http_code}'\'' "$3"); elif command -v python3; then pm_code=$(python3 -c '\''import http.client,sys; c=http.client.HTTPConnection(sys.argv[1],timeout=2); c.request("GET",sys.argv[2]); print(c.getresponse().status)'\'' "$5" "$6"); else pm_code=$(wget -S -q -T 2 -O /dev/null "$3" 2>&1 | sed -n '\''/^ *HTTP/{s/^ *HTTP[^ ]* \([0-9]*\).*/\1/p;q;}'\''); fi; if [ -n "$4" ]; then case " $4 " in *" $pm_code "*) true;; *) false;; esac; else case $pm_code in [23]??) true;; *) false;; esac; fi;; cmd) if command -v timeout; then timeout 5 /bin/sh -c "$3"; else /bin/sh -c "$3"; fi;; esac >/dev/null 2>&1; do [ -z "$pm_pid" ] || kill -0 "$pm_pid" 2>/dev/null || { echo "pm_wait: it has ended" >&2; return 1; }; [ "$(date +%s)" -lt "$pm_end" ] || { echo "pm_wait: not ready: $2 $3" >&2; return 1; }; sleep 1; done; }; pm_wait 30 port 6379 || exit 1; exec /bin/sh -c '\''exec bin/migrate up'\''' || exit
# What waits for its end looks for this mark.
cat /proc/sys/kernel/random/boot_id >'/var/run/stack/stack-migrate-1.done' 2>/dev/null || :
