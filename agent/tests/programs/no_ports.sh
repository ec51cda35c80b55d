# Run two parties in a network of their own in which PYTHON -c SCRIPT has taken all ports first.
#     bash no_ports.sh PYTHON -c SCRIPT
# Their events go to stdout, and `code N` for each. DIDAGENT, FOLDER and AVERAGE are in the environment.
ip link set lo up || exit 1
exec "$@" bash -c '
    cd "$FOLDER"
    "$DIDAGENT" mediator serve --listen 127.0.0.1:0 > mediator &
    mediator=$!
    until test -s mediator; do sleep 0.05; done
    party() {
        "$DIDAGENT" --home "$FOLDER/$1" "${@:2}" --name "$1" --json -- "$PYTHON" "$AVERAGE" 1 > "$1.events"
        echo "code $?" >> "$1.events"
    }
    party alice invite --parties 2 --mediator "$(head -n 1 mediator)" &
    alice=$!
    until grep -q room.invitation alice.events 2>/dev/null; do sleep 0.05; done
    party bob join "$(sed -n "s/.*\"link\":\"\([^\"]*\)\".*/\1/p" alice.events | head -n 1)"
    wait $alice
    kill $mediator
    wait $mediator
    cat alice.events bob.events
    exit 0'
