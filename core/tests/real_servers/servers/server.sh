# Runs the server given as arguments until it ends, or until this script's standard input is closed. The test holds the
# other end of that pipe, so no server outlives the test, not even one that is killed.
exec 3<&0
"$@" 2>&1 3<&- </dev/null &
server=$!
{ read -r _ <&3; kill "$server"; } >/dev/null 2>&1 &
keeper=$!
wait "$server"
kill "$keeper" 2>/dev/null
