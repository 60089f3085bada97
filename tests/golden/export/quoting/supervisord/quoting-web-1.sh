#!/bin/sh
# pm export: app=quoting format=supervisord file=quoting-web-1.sh
cd '/srv/my app 100% $x' || exit 1
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
exec /bin/sh -c 'exec ./a "it'\''s" 100% '\''$A'\'' "$B" \\ '\''e ; f'\'' '\''#c'\'' é {{x}} ${C} <&1'
