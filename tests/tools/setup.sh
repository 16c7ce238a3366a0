#!/usr/bin/env bash
# Installs what the tests need beside Rust: Python's venvs with a mail server and with schemathesis, Node
# with npm, Chromium, PostgreSQL, Java with the jars of a Kafka broker, OpenSSL's headers. Quick where all
# is there. System packages are installed only as root on Debian and its kin; elsewhere the missing ones
# are named. Usage: setup.sh TARGET-FOLDER
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
target=$1

has_chromium() {
    [ -n "${KULANZ_CHROMIUM:-}" ] || command -v chromium || command -v chromium-browser ||
        command -v google-chrome
}
node_is_new_enough() {
    command -v node && node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 18 ? 1 : 0)'
}

missing=()
python3 -c 'import venv, ensurepip' >/dev/null 2>&1 || missing+=(python3 python3-venv)
node_is_new_enough >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
has_chromium >/dev/null || missing+=(chromium fonts-dejavu-core)
"$here/postgres.sh" programs >/dev/null 2>&1 || missing+=(postgresql)
command -v openssl >/dev/null || missing+=(openssl)
pkg-config --exists openssl 2>/dev/null || missing+=(libssl-dev pkg-config)
if [ -z "${KULANZ_TEST_KAFKA:-}" ]; then
    command -v java >/dev/null || missing+=(default-jre-headless)
    command -v mvn >/dev/null || missing+=(maven)
fi

if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "The tests need what is not installed here: ${missing[*]}" >&2
        echo "On Debian and Ubuntu: sudo apt-get install ${missing[*]}" >&2
        echo "Elsewhere: Python 3.9 with venv, Node 18 with npm, Chromium (KULANZ_CHROMIUM=PATH)," >&2
        echo "PostgreSQL 15 or later (its server, not running), openssl with its headers, pkg-config," >&2
        echo "Java 17 and Maven, or a Kafka broker (KULANZ_TEST_KAFKA=HOST:PORT)" >&2
        exit 1
    fi
    echo "Installing for the tests: ${missing[*]}" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >&2
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
    node_is_new_enough >/dev/null || {
        echo "The tests of the pages need Node 18 or later; this is $(node --version)" >&2
        exit 1
    }
    "$here/postgres.sh" programs >/dev/null
fi

if [ -z "${KULANZ_TEST_KAFKA:-}" ] && ! "$here/kafka.sh" jars >/dev/null; then
    echo "NO KAFKA BROKER: its tests run against librdkafka's mock, as far as that goes" >&2
fi

"$root/crates/delivery/tests/tools/setup.sh" "$target" >/dev/null
"$here/fuzz/setup.sh" "$target" >/dev/null

cd "$root/tests/browser"
if ! cmp -s package-lock.json node_modules/made-for.json; then
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
    cp package-lock.json node_modules/made-for.json
fi
