#!/bin/sh
# pm export: app=quoting format=inittab file=quoting-web-1.sh
mkdir -p '/var/log/quoting'
exec >>'/var/log/quoting/web-1.log' 2>&1
cd '/srv/my app 100% $x' || exit 1
# Looked up before the variables can change PATH.
set -- "$(command -v setpriv)" "$(id -g 'deploy')"
HOME=~deploy USER='deploy' LOGNAME='deploy'; export HOME USER LOGNAME
export BRACES='{{ x }} ${A} %{B} $$ $(id) `id`'
export CRLF='a
b'
export EMPTY=''
export LINES='one
 two
end script
'
export PERCENT='100% %n %(x)s %%'
export QUOTES='it'\''s "so" \ C:\dir\n\'
export SPECIAL=' a ; b # c	<&>| '
export UNICODE='żółć 日本 🎉'
export PORT='5000'
export PS='web.1'
exec "${1:-/usr/bin/setpriv}" --reuid 'deploy' --regid "$2" --init-groups /bin/sh -c 'exec ./a "it'\''s" 100% '\''$A'\'' "$B" \\ '\''e ; f'\'' '\''#c'\'' é {{x}} ${C} <&1'
