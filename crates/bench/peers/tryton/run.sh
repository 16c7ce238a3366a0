#!/usr/bin/env bash
# A peer of `make bench-cluster`: a dunning run of Tryton 8.2, generated and processed to its first
# level without any message or fee. Tryton is under the GPL: it is installed here and run, in a
# process of its own, and is neither linked to Kulanz nor shipped with it.
#
# usage: run.sh CACHE_FOLDER POSTGRES_URL RECEIVABLES
#
# Installs Tryton into CACHE_FOLDER once (pip, versions and hashes as in requirements.txt). Makes a
# database of its own on the server of POSTGRES_URL, as its user must have the right to, and drops
# it at the end. Prints one line of JSON; how far it is goes to the standard error.
set -euo pipefail

fail() {
    echo "tryton: $1" >&2
    exit 1
}

[ $# = 3 ] || { echo "usage: run.sh CACHE_FOLDER POSTGRES_URL RECEIVABLES" >&2; exit 2; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[[ $2 =~ ^postgres(ql)?:// ]] || fail "POSTGRES_URL has to begin with postgres://"
[[ $3 =~ ^[1-9][0-9]*$ ]] || fail "RECEIVABLES is a number from 1 on, not '$3'"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null ||
    fail "it needs python3, 3.10 or later"

mkdir -p "$1"
cache=$(cd "$1" && pwd)
# Another Python or other versions get a folder of their own.
python=$(python3 -c 'import sys; print(sys.version, sys.executable)')
kept=$({ echo "$python"; cat "$here/requirements.txt"; } | sha256sum | cut -c1-12)
venv=$cache/tryton-$kept
exec 9>"$cache/tryton.lock"
flock 9
if [ ! -f "$venv/installed" ]; then
    echo "tryton: installing into $venv" >&2
    rm -rf "$venv"
    python3 -m venv "$venv" >&2 || fail "there is no virtual environment to be had:
  python3 -m venv has to work (Debian and Ubuntu: sudo apt-get install python3-venv)"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes \
        --requirement "$here/requirements.txt" >&2 || fail "pip could not install Tryton"
    touch "$venv/installed"
fi
flock -u 9

# Without the assertions of a development build: one of them makes a run's time quadratic.
PYTHONOPTIMIZE=1 exec "$venv/bin/python" "$here/dunning.py" "$2" "$3"
