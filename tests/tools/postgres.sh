#!/usr/bin/env bash
# A PostgreSQL for tests. Usage:
#   postgres.sh programs        prints the folder of the server's programs; fails where none is new enough
#   postgres.sh serve FOLDER    a server of its own on loopback, its files in a new folder below FOLDER
#
# `serve` says `ready` and then answers lines on its standard input, one line each:
#   database NAME    makes an empty database whose owner may do nothing else; answers with its URL
#   admin            answers with the URL of who may do everything
#   certificate      answers with the file of the certificate that it shows to who asks for TLS
#   stop, start      of the server; answers with the word
#   kill             as a power cut would; answers with the word
# When the standard input ends, in whatever way, the server ends and its files go.
#
# KULANZ_TEST_POSTGRES=postgres://… names a server to use instead, with a user that may make
# databases and is no superuser, whom no missing right would stop; they are dropped at the end. All but `database` is then refused.
set -euo pipefail

oldest=15

programs() {
    local folder version
    for folder in $(ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin 2>/dev/null | sort -rV) \
        "$(pg_config --bindir 2>/dev/null || true)"; do
        [ -x "$folder/initdb" ] && [ -x "$folder/pg_ctl" ] && [ -x "$folder/psql" ] || continue
        version=$("$folder/pg_ctl" --version | grep -oE '[0-9]+' | head -1)
        if [ "$version" -ge $oldest ]; then
            echo "$folder"
            return
        fi
    done
    echo "The tests need the programs of PostgreSQL $oldest or later (initdb, pg_ctl, psql)." >&2
    echo "On Debian and Ubuntu: sudo apt-get install postgresql" >&2
    return 1
}

# As the user that the server runs as: it refuses to be root.
as_owner() {
    if [ -n "$owner" ]; then
        runuser -u "$owner" -- "$@" </dev/null
    else
        "$@" </dev/null
    fi
}

start() {
    local attempt
    for attempt in 1 2 3 4 5; do
        if as_owner "$bin/pg_ctl" start --silent --wait --pgdata "$folder/data" --log "$folder/log" \
            -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c ssl=on" >&2; then
            return
        fi
        # Another one may have taken the port.
        grep -q "Address already in use" "$folder/log" || break
        [ "${settled:-}" = "" ] || break
        port=$((20000 + RANDOM % 12000))
    done
    cat "$folder/log" >&2
    return 1
}

end() {
    trap - EXIT
    if [ -n "${KULANZ_TEST_POSTGRES:-}" ]; then
        local name
        for name in "${made[@]}"; do
            admin "DROP DATABASE IF EXISTS $name WITH (FORCE)" || true
        done
        return
    fi
    # By the pid in its folder. Nothing of it is needed again.
    if [ -f "$folder/data/postmaster.pid" ]; then
        as_owner "$bin/pg_ctl" stop --silent --mode immediate --pgdata "$folder/data" >&2 || true
    fi
    rm -rf "$folder"
}

admin() {
    "$bin/psql" --no-psqlrc --quiet --set ON_ERROR_STOP=1 --dbname "$admin_url" \
        --command "$1" </dev/null >&2
}

own_server() {
    owner=""
    if [ "$(id -u)" = 0 ]; then
        owner=postgres
        id "$owner" >/dev/null 2>&1 || owner=nobody
    fi
    mkdir -p "$1"
    folder=$(mktemp -d "$(cd "$1" && pwd)/postgres-XXXXXX")
    [ -z "$owner" ] || chown "$owner" "$folder"
    if ! as_owner test -w "$folder"; then
        # The way to it is closed to that user.
        rmdir "$folder"
        folder=$(mktemp -d "${TMPDIR:-/tmp}/kulanz-postgres-XXXXXX")
        [ -z "$owner" ] || chown "$owner" "$folder"
    fi
    trap end EXIT
    trap 'exit 1' INT TERM
    cd /
    local password
    password=$(head -c 18 /dev/urandom | base64 | tr '+/' 'ab')
    echo "$password" >"$folder/password"
    [ -z "$owner" ] || chown "$owner" "$folder/password"
    # A language's order of letters, so that nothing rests on that of the bytes by accident.
    as_owner "$bin/initdb" --pgdata "$folder/data" --username admin --auth scram-sha-256 \
        --pwfile "$folder/password" --encoding UTF8 --locale C \
        --locale-provider icu --icu-locale de-DE >"$folder/initdb.log" 2>&1 ||
        { cat "$folder/initdb.log" >&2; exit 1; }
    as_owner openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
        -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
        -addext basicConstraints=critical,CA:FALSE \
        -keyout "$folder/data/server.key" -out "$folder/data/server.crt" >"$folder/openssl.log" 2>&1 ||
        { cat "$folder/openssl.log" >&2; exit 1; }
    port=$((20000 + RANDOM % 12000))
    start
    settled=yes
    admin_url="postgres://admin:$password@127.0.0.1:$port/postgres"
    user="kulanz:$password"
    admin "CREATE ROLE kulanz LOGIN PASSWORD '$password'"
}

serve() {
    bin=$(programs)
    made=()
    if [ -n "${KULANZ_TEST_POSTGRES:-}" ]; then
        admin_url=$KULANZ_TEST_POSTGRES
        admin "DO 'BEGIN ASSERT current_setting(''is_superuser'') = ''off'', ''a superuser''; END'" ||
            { echo "KULANZ_TEST_POSTGRES cannot be used" >&2; exit 1; }
        trap end EXIT
    else
        own_server "$1"
    fi
    echo ready
    local what name
    while read -r what name; do
        case "$what" in
        database)
            if [ -n "${KULANZ_TEST_POSTGRES:-}" ]; then
                name="kulanz_test_$$_$name"
                made+=("$name")
                admin "CREATE DATABASE $name ENCODING 'UTF8' TEMPLATE template0"
                # The same URL with another database.
                echo "$admin_url" | sed -E "s#^(postgres(ql)?://[^/?]*)(/[^?]*)?#\1/$name#"
            else
                admin "CREATE DATABASE $name OWNER kulanz"
                echo "postgres://$user@127.0.0.1:$port/$name"
            fi
            ;;
        *)
            if [ -n "${KULANZ_TEST_POSTGRES:-}" ]; then
                echo "refused: the server is not ours"
                continue
            fi
            case "$what" in
            admin) echo "$admin_url" ;;
            certificate) echo "$folder/data/server.crt" ;;
            start) start && echo start ;;
            stop)
                as_owner "$bin/pg_ctl" stop --silent --wait --mode fast --pgdata "$folder/data" >&2
                echo stop
                ;;
            kill)
                as_owner "$bin/pg_ctl" stop --silent --wait --mode immediate \
                    --pgdata "$folder/data" >&2
                echo kill
                ;;
            esac
            ;;
        esac
    done
}

case "${1:-}" in
programs) programs ;;
serve) serve "${2:?a folder}" ;;
*)
    echo "usage: postgres.sh programs | serve FOLDER" >&2
    exit 2
    ;;
esac
